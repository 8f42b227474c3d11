"""A history of published snapshots with made-up shards, for expiry, and a naive memory of what must be readable.

S3 and the control table are in memory, which makes thousands of histories possible; test_retained_contract runs the
same histories on a real client of each.
"""

import io
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol, Self

from botocore.exceptions import ClientError
from hypothesis import strategies as st
from receipt_chroma.expire import Expired, expire_snapshots
from receipt_chroma.snapshot.manifest import Manifest, ManifestShard
from receipt_chroma.snapshot.retention import Retention
from receipt_chroma.storage.tree import manifest_path, object_key, shard_path
from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.control.head import Head, Pointer, snapshot_id_of
from receipt_dynamo_stream.control.versions import EXPIRED, Archived, VersionRow
from receipt_dynamo_stream.round.report import FileEntry

SHARDS = 2
GRACE = timedelta(hours=4)
START = datetime(2026, 1, 1, tzinfo=UTC)

EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.sampled_from([(0,), (1,), (0, 1)])),
        st.tuples(st.just("publish"), st.sampled_from([(0,), (1,), (0, 1)])),
        st.tuples(st.just("lose"), st.sampled_from([(0,), (1,)]), st.integers(0, 2)),
        st.tuples(st.just("roll back"), st.integers(0, 9)),
        st.tuples(st.just("pin"), st.integers(0, 9)),
        st.tuples(st.just("wait"), st.sampled_from([0.1, 0.6, 1.5, 5.0, 50.0])),
        st.tuples(st.just("wait"), st.sampled_from([1.5, 5.0, 50.0])),
        st.tuples(st.just("expire"), st.integers(1, 3)),
        st.tuples(st.just("expire"), st.integers(1, 3)),
        st.tuples(st.just("crash"), st.integers(0, 4)),
        st.tuples(st.just("late"), st.integers(1, 3)),
    ),
    min_size=5,
    max_size=25,
)


class Crash(Exception):
    """The process ends here."""


class MemoryS3:
    """What expiry uses of S3. `clock` dates the objects; after `crash_after` deletions the process ends."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.objects: dict[str, tuple[bytes, datetime]] = {}
        self.crash_after: int | None = None
        self._clock = clock

    def put_object(self, *, Key: str, Body: bytes, **_: Any) -> None:  # noqa: N803 - boto3's names
        self.objects[Key] = Body, self._clock()

    def get_object(self, *, Key: str, **_: Any) -> dict[str, Any]:  # noqa: N803
        if Key not in self.objects:
            raise ClientError({"Error": {"Code": "NoSuchKey", "Message": Key}}, "GetObject")
        return {"Body": io.BytesIO(self.objects[Key][0])}

    def get_paginator(self, name: str) -> Any:
        assert name == "list_objects_v2"
        return self

    def paginate(self, *, Prefix: str, **_: Any) -> Iterator[dict[str, Any]]:  # noqa: N803
        found = [key for key in sorted(self.objects) if key.startswith(Prefix)]
        yield {
            "Contents": [{"Key": k, "Size": len(self.objects[k][0]), "LastModified": self.objects[k][1]} for k in found]
        }

    def delete_objects(self, *, Delete: dict[str, Any], **_: Any) -> dict[str, Any]:  # noqa: N803
        if self.crash_after is not None:
            if self.crash_after == 0:
                raise Crash
            self.crash_after -= 1
        for one in Delete["Objects"]:
            self.objects.pop(one["Key"], None)
        return {}


class Control(Protocol):
    """The control table as expiry sees it, and as a history fills it."""

    def head(self, collection: str) -> Any: ...

    def versions(self, collection: str) -> Any: ...

    def put_row(self, row: VersionRow) -> None: ...

    def pin(self, snapshot_id: str) -> None: ...

    def lead(self, head: Head) -> None: ...


@dataclass
class MemoryControl:
    """HEAD and VERSION rows in memory, with the rules of the control table that expiry relies on."""

    lease: Head | None = None
    rows: dict[str, VersionRow] = field(default_factory=dict)
    archive_rows: dict[str, VersionRow] = field(default_factory=dict)

    def head(self, _collection: str) -> Self:
        return self

    def versions(self, _collection: str) -> Self:
        return self

    def read(self) -> Head | None:
        return self.lease

    def mark_expired(self, snapshot_id: str, *, now: str, fence: int) -> bool:
        row = self.rows.get(snapshot_id)
        if row is None or self.lease is None or self.lease.fence != fence or row.state == EXPIRED or row.pinned:
            return False
        self.rows[snapshot_id] = replace(row, state=EXPIRED, expired_at=now)
        return True

    def list(self) -> list[VersionRow]:
        return sorted(self.rows.values(), key=lambda row: row.snapshot_id)

    def oldest_first(self) -> Iterator[VersionRow]:
        return iter(self.list())

    def newest_first(self) -> Iterator[VersionRow]:
        return iter(self.list()[::-1])

    def archive(self, may_go: Callable[[VersionRow], bool], *, at_most: int, dry_run: bool) -> Archived:
        going = [row.snapshot_id for row in self.list() if row.state == EXPIRED and may_go(row)][:at_most]
        for snapshot_id in [] if dry_run else going:
            self.archive_rows[snapshot_id] = self.rows.pop(snapshot_id)
        return Archived(tuple(going), len(going) == at_most)

    def archived(self, *, limit: int) -> Sequence[VersionRow]:
        return sorted(self.archive_rows.values(), key=lambda row: row.snapshot_id, reverse=True)[:limit]

    def put_row(self, row: VersionRow) -> None:
        self.rows[row.snapshot_id] = row

    def pin(self, snapshot_id: str) -> None:
        self.rows[snapshot_id] = replace(self.rows[snapshot_id], pinned="audit")

    def lead(self, head: Head) -> None:
        self.lease = head


class Collection:
    """Publishes versions of a few bytes a shard, on EFS and S3, and expires them."""

    def __init__(self, folder: Path, control: Control | None = None, s3: Any = None, bucket: str = "bucket") -> None:
        self.now = START
        self.efs = folder
        self.control = control or MemoryControl()
        self.bucket = bucket
        self.s3 = s3 or MemoryS3(lambda: self.now)
        self.published: list[Manifest] = []
        self.known: list[Manifest] = []  # those with a row, the lost ones too: they can be pinned
        self.fence = 0

    def happen(self, event: tuple[Any, ...]) -> None:
        """One event of EVENTS."""
        what, rest = event[0], event[1:]
        match what:
            case "publish":
                self._commit(self._attempt(rest[0]))
            case "lose":
                self._attempt(rest[0], stage=rest[1])
            case "roll back" if self.published:
                self._roll_back(rest[0])
            case "pin" if rows := [row for row in self.control.versions("words").list() if row.state != EXPIRED]:
                chosen = rows[rest[0] % len(rows)]
                self.control.pin(chosen.snapshot_id)
            case "wait":
                self.now += timedelta(hours=rest[0])
            case "expire":
                self.expire(rest[0])
            case "crash":
                self.s3.crash_after = rest[0]
                try:
                    self.expire(1)
                except Crash:
                    pass
                finally:
                    self.s3.crash_after = None
            case "late" if self.fence > 1:
                assert self.expire(rest[0], fence=self.fence - 1).fenced

    def expire(self, keep: int, *, fence: int | None = None) -> Expired:
        """ExpireSnapshots now."""
        return expire_snapshots(
            self.control,
            Bucket(self.s3, self.bucket),
            efs_root=self.efs,
            collection="words",
            fence=self.fence if fence is None else fence,
            retention=Retention(keep=keep, grace=GRACE, now=self.now),
            dry_run=False,
        )

    def must_be_readable(self) -> list[Manifest]:
        """HEAD's snapshot, and every version that was published and that nobody marked EXPIRED for an hour."""
        hour_ago = self.now - timedelta(hours=1)
        kept = []
        for manifest in self.published:
            row = self.rows[manifest.snapshot_id]
            if row.state != EXPIRED or datetime.fromisoformat(str(row.expired_at)) > hour_ago:
                kept.append(manifest)
        return kept

    @property
    def rows(self) -> dict[str, VersionRow]:
        """The VERSION rows by snapshot id, archived ones too."""
        versions = self.control.versions("words")
        return {row.snapshot_id: row for row in (*versions.archived(limit=1_000), *versions.list())}

    def missing(self, manifest: Manifest) -> list[str]:
        """What of a version is not there as its manifest says, on EFS and on S3."""
        wanted = {manifest_path(manifest.snapshot_id): sha256(manifest.encode()).hexdigest()}
        wanted |= {f"{shard.path}/{one.name}": one.sha256 for shard in manifest.shards for one in shard.files}
        found = []
        for path, digest in wanted.items():
            on_efs = self.efs / "words" / path
            on_s3 = Bucket(self.s3, self.bucket).find(object_key("words", path)) or b""
            for where, content in (("EFS", on_efs.read_bytes() if on_efs.exists() else b""), ("S3", on_s3)):
                if sha256(content).hexdigest() != digest:
                    found.append(f"{where}: {path}")
        return found

    def named_by_retained(self) -> set[str]:
        """Relative paths of everything that the versions that are not EXPIRED need."""
        kept = [one for one in self.known if self.rows[one.snapshot_id].state != EXPIRED]
        files = {f"{shard.path}/{one.name}" for manifest in kept for shard in manifest.shards for one in shard.files}
        return files | {manifest_path(manifest.snapshot_id) for manifest in kept}

    def stored(self) -> tuple[set[str], set[str]]:
        """Relative paths of all files on EFS and on S3."""
        folder = self.efs / "words"
        on_efs = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix="snapshots/words/")
        keys = [one["Key"] for page in pages for one in page.get("Contents", ())]
        return on_efs, {key.removeprefix("snapshots/words/") for key in keys}

    def _attempt(self, touched: tuple[int, ...], stage: int = 3) -> Manifest:
        """Shards (stage 0), then the manifest (1), then the row (2), which is as far as a lost attempt ever comes."""
        self.fence += 1
        base = self.published[-1] if self.published else None
        version = base.version + 1 if base else 1
        snapshot_id = snapshot_id_of(version, self.fence, 0)
        shards = list(base.shards) if base else [ManifestShard(number) for number in range(SHARDS)]
        for number in touched:
            content = f"{snapshot_id} {number}".encode()
            path = shard_path(number, f"{snapshot_id}-attempt")
            self._write(f"{path}/chroma.sqlite3", content)
            entry = FileEntry("chroma.sqlite3", len(content), sha256(content).hexdigest())
            shards[number] = ManifestShard(number, path, (entry,), 1)
        manifest = Manifest(
            collection="words",
            version=version,
            snapshot_id=snapshot_id,
            parent=base.pointer if base else None,
            dimension=None,
            space="l2",
            chromadb_version="1",
            shard_count=SHARDS,
            records=0,
            digest="0" * 64,
            shards=tuple(shards),
            plan_key="plan",
            execution="execution",
            trigger="stream",
            created_at=self.now.isoformat(),
        )
        if stage >= 1:
            self._write(manifest_path(snapshot_id), manifest.encode())
        if stage >= 2:
            self._put_row(manifest)
        self._lead(self.published[-1].pointer if self.published else None)
        return manifest

    def _roll_back(self, number: int) -> None:
        last = self.published[-1]
        chosen = [one for one in self.published if self.rows[one.snapshot_id].state != EXPIRED]
        target = chosen[number % len(chosen)]
        self.fence += 1
        manifest = replace(
            target,
            version=last.version + 1,
            snapshot_id=snapshot_id_of(last.version + 1, self.fence, 0),
            parent=last.pointer,
            created_at=self.now.isoformat(),
        )
        self._write(manifest_path(manifest.snapshot_id), manifest.encode())
        self._put_row(manifest)
        self._commit(manifest)

    def _commit(self, manifest: Manifest) -> None:
        self.published.append(manifest)
        self._lead(manifest.pointer)

    def _lead(self, pointer: Pointer | None) -> None:
        self.control.lead(Head("words", fence=self.fence, pointer=pointer, version=pointer.version if pointer else 0))

    def _put_row(self, manifest: Manifest) -> None:
        self.known.append(manifest)
        parent = manifest.parent.snapshot_id if manifest.parent else None
        self.control.put_row(VersionRow(manifest.snapshot_id, parent=parent, created_at=manifest.created_at))

    def _write(self, path: str, content: bytes) -> None:
        target = self.efs / "words" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        moment = self.now.timestamp()
        for one in (target, target.parent):
            os.utime(one, (moment, moment))
        self.s3.put_object(Bucket=self.bucket, Key=object_key("words", path), Body=content)
