"""Questions to a published snapshot: by text on a local stack, by vector on AWS.

On AWS the file system is out of an operator's reach, so the snapshot's durable copy on S3 is brought into a folder of
this machine first; what is there already is not fetched again. Texts cannot be embedded there: which model made a
collection's vectors is the producers' affair.
"""

import json
import math
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from console.api import Api
from console.connection import Connection
from console.errors import SnapshotNotFound, UsageError

if TYPE_CHECKING:
    from receipt_chroma.results import QueryHit

CACHE = Path("~/.cache/receipt-compaction")
"""Where snapshots of stacks on AWS are kept on this machine, a folder per bucket."""


@dataclass(frozen=True)
class Hit:
    """One record near the question; `distance` is squared Euclidean, 0 for the very same vector."""

    rank: int
    id: str
    distance: float
    document: str | None
    merchant: str | None
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """What the snapshot of one version answered, nearest first."""

    collection: str
    version: int
    hits: tuple[Hit, ...]

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def ask(connection: Connection, collection: str, *, text: str | None, vector_file: str | None, n: int) -> Answer:
    """The n records nearest to a text or a vector. Raises UsageError or SnapshotNotFound."""
    if (text is None) == (vector_file is None):
        raise UsageError("give either a TEXT or --vector FILE")
    if text is not None and connection.efs_root is None:
        raise UsageError("texts can be embedded for the local stack only: give --vector FILE, a JSON array of floats")
    api = Api(connection)
    manifest = api.manifest(collection)
    if manifest["dimension"] is None:
        raise SnapshotNotFound(
            f"version {manifest['version']} of {collection} is empty: there is nothing to compare with"
        )
    if text is not None:
        vector = embed(text, manifest["dimension"])
    else:
        vector = read_vector(Path(vector_file or ""), manifest["dimension"])
    root = Path(connection.efs_root) if connection.efs_root is not None else bring_here(api, collection)
    return _ask_reader(root, collection, vector, n)


def _ask_reader(root: Path, collection: str, vector: list[float], n: int) -> Answer:
    from receipt_chroma.errors import NoSnapshotYet
    from receipt_chroma.reader import SnapshotReader

    try:
        with SnapshotReader(root, collection) as reader:
            found = reader.query(vector, n)
            return Answer(collection, reader.version, tuple(_hit(rank, hit) for rank, hit in enumerate(found, 1)))
    except NoSnapshotYet as error:
        raise SnapshotNotFound(f"{collection} is committed but not on the file system yet: ask again") from error


def _hit(rank: int, found: "QueryHit") -> Hit:
    merchant, labels = found.metadata.get("merchant_name"), found.metadata.get("valid_labels_array")
    return Hit(
        rank=rank,
        id=found.id,
        distance=found.distance,
        document=found.document,
        merchant=str(merchant) if merchant is not None else None,
        labels=tuple(map(str, labels)) if isinstance(labels, list) else (),
    )


def bring_here(api: Api, collection: str) -> Path:
    """The root of a tree on this machine that holds the current snapshot, as the file system on AWS does.

    Shards of other versions leave it: one version of a collection may be many hundred megabytes.
    """
    from receipt_chroma.download import ensure_snapshot
    from receipt_chroma.manifest import load_manifest
    from receipt_chroma.pointer import read_current, swap_pointer
    from receipt_chroma.tree import CURRENT, SHARDS, collection_folder

    head = api.head(collection)
    if head is None or head.pointer is None:
        raise SnapshotNotFound(f"no snapshot of {collection} yet: `compaction status` says what waits")
    s3, bucket = api.connection.client("s3"), api.connection.bucket
    manifest = load_manifest(s3, bucket, head.pointer)
    root = CACHE.expanduser() / bucket
    ensure_snapshot(s3, bucket, root, collection, manifest)
    folder = collection_folder(root, collection)
    swap_pointer(root, collection, head.pointer)
    if read_current(root, collection).snapshot_id != head.pointer.snapshot_id:
        # The stack was made anew and counts from 1 again: what is kept here is of another life.
        (folder / CURRENT).unlink()
        swap_pointer(root, collection, head.pointer)
    wanted = {folder / shard.path for shard in manifest.shards if shard.path is not None}
    for shard_version in set(folder.glob(f"{SHARDS}/*/*")) - wanted:
        shutil.rmtree(shard_version)
    return root


def embed(text: str, dimension: int) -> list[float]:
    """As the sample producers embed texts."""
    from local.demo.embedding import embed_text

    return [float(value) for value in embed_text(text, dimension)]


def read_vector(path: Path, dimension: int) -> list[float]:
    """A JSON array of finite floats, as long as the collection's vectors are. Raises UsageError."""
    try:
        values = json.loads(path.read_text())
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{path} is not JSON: {error}") from error
    if not isinstance(values, list) or not all(_is_finite_number(value) for value in values):
        raise UsageError(f"{path} is not a JSON array of finite numbers")
    if len(values) != dimension:
        raise UsageError(f"{path} has {len(values)} numbers, the vectors of this collection have {dimension}")
    return [float(value) for value in values]


def _is_finite_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
