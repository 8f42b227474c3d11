"""Whether anything is left of a deleted receipt: its bytes, looked for in every place that the pipeline keeps.

It reads everything once: the tables, every file of EFS, every object and object version of the bucket, whatever names
it. Only that is a reason to say that nothing is left. It deletes nothing.
"""

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, NamedTuple

from receipt_chroma.records import Vector
from receipt_chroma.remains import Found, Sought
from receipt_chroma.snapshot.published_shard import DAMAGED, PublishedShard
from receipt_chroma.storage.tree import manifest_path
from receipt_dynamo_stream.attributes import string
from receipt_dynamo_stream.conditions import query_each
from receipt_dynamo_stream.generations import generation_name
from receipt_dynamo_stream.grain import COLLECTIONS
from receipt_dynamo_stream.keys import ReceiptId
from receipt_dynamo_stream.retry import transient_errors

from operate.errors import EraseRefused, UsageError, VersionUnreadable
from operate.services import Services
from operate.stack import Stack

CONTROL, TABLE, EFS, BUCKET = "control table", "receipts table", "efs", "bucket"
_GONE: Final = frozenset({"NoSuchKey", "NoSuchVersion", "404"})


@dataclass(frozen=True)
class Remnant:
    """One place that has something of the receipt. what: its ids, its vectors, or why that cannot be told. kept_by:
    what keeps it there, and what takes it away. current: it is a file of a current version. older: of an object the
    version id, where the bucket has a newer one or none."""

    where: str
    path: str
    what: str
    kept_by: str
    current: bool = False
    older: str | None = None

    @property
    def key(self) -> str:
        """Of an object."""
        return self.path.removesuffix(f" version {self.older}")


@dataclass(frozen=True)
class Remains:
    """What a search found. searched: how many items, files and objects, by place. vectors: how many were looked for
    beside the ids. not_searched: what could not be looked at, or for."""

    receipt: str
    remnants: tuple[Remnant, ...]
    searched: Mapping[str, int]
    vectors: int
    not_searched: tuple[str, ...]

    @property
    def nothing_left(self) -> bool:
        """Everything was looked for in every place, and nothing was there."""
        return not self.remnants and not self.not_searched

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {**asdict(self), "nothing_left": self.nothing_left}


def check_is_gone(stack: Stack, receipt: ReceiptId) -> None:
    """Raise EraseRefused for a receipt that exists, or that has a pending change."""
    if stack.receipts.announced(receipt).exists:
        raise EraseRefused(f"{receipt.key} is in the receipts table: delete its items first")
    for collection in all_generations(stack):
        if stack.receipts.waits(collection, receipt).pending is not None:
            raise EraseRefused(f"{receipt.key} has a change that no version of {collection} has yet: wait for it")


def all_generations(stack: Stack) -> Iterator[str]:
    """Of every collection each generation that was ever made."""
    for collection in COLLECTIONS:
        for number in range(1, stack.collections.generations(collection).newest + 1):
            yield generation_name(collection, number)


def find_remains(
    stack: Stack,
    receipt: ReceiptId,
    *,
    vectors: Sequence[Vector] = (),
    efs: Path | None = None,
) -> Remains:
    """Look for a receipt's ids, and for the bits of these vectors, everywhere.

    efs: where the file system is mounted; by default where the stack says.

    Raises EraseRefused, UsageError for a folder that is none, VersionUnreadable, OSError, TransientServiceError.
    """
    root = efs or (Path(stack.connection.efs_root) if stack.connection.efs_root else None)
    if root is not None and not root.is_dir():
        raise UsageError(f"{root} is no folder")
    check_is_gone(stack, receipt)
    search = _Search(stack, Services(stack.connection), _sought(stack, root, receipt, vectors))
    search.tables()
    if root is not None:
        search.files(root)
    search.objects()
    return Remains(
        receipt.key,
        tuple(search.remnants),
        dict(search.searched),
        search.sought.told_apart,
        tuple(_not_searched(root, vectors)),
    )


def objects_with_ids(stack: Stack, receipt: ReceiptId) -> list[Remnant]:
    """The objects and object versions of the bucket that have a receipt's ids. Raises TransientServiceError."""
    search = _Search(stack, Services(stack.connection), Sought(receipt, ()))
    search.objects()
    return search.remnants


def _not_searched(root: Path | None, vectors: Sequence[Vector]) -> Iterator[str]:
    if root is None:
        yield "the file system, which is not mounted here: pass --efs FOLDER"
    if not vectors:
        yield "its vectors, which an index keeps without their ids: pass --delta with a copy of each of its deltas"


def _sought(stack: Stack, root: Path | None, receipt: ReceiptId, vectors: Sequence[Vector]) -> Sought:
    """What is the receipt's own. One model gives equal texts equal vectors, and sparse ones have parts in common: what
    a live record has, too, is left out.

    Without the file system all of it is sought; then a vector that is found may be another receipt's.
    """
    each_once = {vector.tobytes(): vector for vector in vectors}
    sought, shared = Sought(receipt, tuple(each_once.values())), set[bytes]()
    for collection in all_generations(stack) if vectors and root is not None else ():
        head = stack.collections.head(collection)
        if head is None or head.pointer is None:
            continue
        for shard in stack.stored.manifest(head.pointer).shards:
            assert root is not None
            try:
                with PublishedShard.open(root / collection, collection, shard) as published:
                    for key in published.contents():
                        live = (record.embedding.tobytes() for record in published.records(key).values())
                        shared |= sought.pieces_in(b"".join(live))
            except DAMAGED as error:
                raise VersionUnreadable(f"what {collection} has now cannot be read: {error}") from error
    return replace(sought, shared=frozenset(shared))


class _Kept(NamedTuple):
    """What keeps something where it is, and whether that is a current version."""

    by: str
    current: bool = False


_NOTHING: Final = _Kept("")


class _Search:
    def __init__(self, stack: Stack, services: Services, sought: Sought) -> None:
        self.sought, self.remnants = sought, list[Remnant]()
        self.searched: dict[str, int] = {}
        self._stack, self._services = stack, services
        self._named: dict[str, list[str]] | None = None
        self._current = set[str]()

    def tables(self) -> None:
        """Every row of the control table, and what the receipts table has of the receipt."""
        key = self.sought.receipt
        with transient_errors():
            pages = self._services.dynamodb.get_paginator("scan").paginate(
                TableName=self._services.connection.control_table, ConsistentRead=True
            )
            for item in (item for page in pages for item in page["Items"]):
                found = self.sought.in_bytes(json.dumps(item, ensure_ascii=False, default=str).encode())
                path = f"{item['PK']['S']} / {item['SK']['S']}"
                row = _Kept("a row: quarantined or noted runs go with `compaction quarantine drop`")
                self._take(CONTROL, path, found, row)
            items = query_each(
                self._services.dynamodb,
                TableName=self._services.connection.receipts_table,
                KeyConditionExpression="PK = :pk AND begins_with(SK, :items)",
                ExpressionAttributeValues={":pk": string(key.pk), ":items": string(f"{key.sk}#")},
            )
            for left in items:
                path = f"{left['PK']['S']} / {left['SK']['S']}"
                kept = _Kept("an item that was left when the receipt was deleted: delete it")
                self._take(TABLE, path, Found(ids=True), kept)

    def files(self, root: Path) -> None:
        """Every file of the file system; what goes away meanwhile is gone."""
        for path in sorted(root.rglob("*")):
            if path.is_symlink() or not path.is_file():
                continue
            try:
                found = self.sought.in_file(path)
            except FileNotFoundError:
                continue
            relative = path.relative_to(root).as_posix()
            self._take(EFS, relative, found, self._kept_by(relative) if found else _NOTHING)

    def objects(self) -> None:
        """Every object of the bucket, and every older version of one."""
        from botocore.exceptions import ClientError

        s3, bucket = self._services.bucket.s3, self._services.bucket.name
        with tempfile.TemporaryDirectory(prefix="remains-") as folder, transient_errors():
            copy = Path(folder) / "object"
            for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
                for one in page.get("Versions", ()):
                    key, version, latest = one["Key"], one["VersionId"], one["IsLatest"]
                    try:
                        s3.download_file(bucket, key, str(copy), ExtraArgs={} if latest else {"VersionId": version})
                    except ClientError as error:
                        if error.response.get("Error", {}).get("Code") in _GONE:
                            continue
                        raise
                    found = self.sought.in_file(copy)
                    path = key if latest else f"{key} version {version}"
                    kept = self._why_object(key, latest=latest) if found else _NOTHING
                    self._take(BUCKET, path, found, kept, older=None if latest else version)

    def _take(self, where: str, path: str, found: Found, kept: _Kept, older: str | None = None) -> None:
        self.searched[where] = self.searched.get(where, 0) + 1
        if found:
            parts = [("its ids", found.ids), (f"{len(found.vectors)} of its vectors", found.vectors)]
            what = " and ".join(text for text, there in parts if there) or str(found.unread)
            self.remnants.append(Remnant(where, path, what, kept.by, kept.current, older))

    def _why_object(self, key: str, *, latest: bool) -> _Kept:
        if not latest:
            return _Kept("an older object version: delete it, or leave it to the bucket's lifecycle rule")
        kind, _, rest = key.partition("/")
        if kind == "snapshots":
            return self._kept_by(rest)
        if kind in ("plans", "reports"):
            return _Kept(f"one of the pipeline's {kind}, which expiry leaves: delete it")
        return _Kept("a delta or another object of a producer: delete it")

    def _kept_by(self, path: str) -> _Kept:
        """What keeps a file of a collection's tree, given by its path with the collection."""
        if self._named is None:
            self._named = dict(self._names())
        for named, by in self._named.items():
            if path == named or path.startswith(f"{named}/"):
                return _Kept(", ".join(by), named in self._current)
        collection = path.partition("/")[0]
        return _Kept(
            f"no version names it: `compaction expire {collection} --apply` deletes it once it is past the grace"
        )

    def _names(self) -> Iterator[tuple[str, list[str]]]:
        """The paths that versions name, and by which version each is kept."""
        found: dict[str, list[str]] = {}
        for collection in all_generations(self._stack):
            for version in self._stack.versions.of(collection):
                why = (
                    f"version {version.version} of {collection} ({version.state}{', pinned' if version.pinned else ''})"
                )
                if version.state == "current":
                    why += f": `compaction fold {collection} --rebuild` writes it anew"
                try:
                    manifest = self._stack.stored.manifest(version.pointer)
                except VersionUnreadable:
                    continue  # of an EXPIRED version, or of an attempt that was lost
                files = [path for shard in manifest.shards for path in (shard.path, *(s.path for s in shard.segments))]
                for path in (*files, manifest_path(version.snapshot_id)):
                    if path is not None:
                        found.setdefault(f"{collection}/{path}", []).append(why)
                        if version.state == "current":
                            self._current.add(f"{collection}/{path}")
        yield from found.items()
