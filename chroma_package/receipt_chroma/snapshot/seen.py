"""What readers see, beside what HEAD names: on EFS by existence and size, in the bucket by its CURRENT alone."""

from dataclasses import dataclass
from pathlib import Path

from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.control.head import Pointer
from receipt_dynamo_stream.errors import SchemaUnsupported

from receipt_chroma.errors import NoSnapshotYet, SnapshotDamaged, SnapshotUnavailable
from receipt_chroma.snapshot.download import lacking_files
from receipt_chroma.snapshot.lineage import read_manifest
from receipt_chroma.snapshot.pointer import Current, read_current
from receipt_chroma.snapshot.stored_pointer import read_stored_current
from receipt_chroma.storage.files import storage_errors
from receipt_chroma.storage.tree import collection_folder


@dataclass(frozen=True)
class Seen:
    """problem: why a reader that opens now does not get the whole snapshot that HEAD names; None when it does.

    nothing: it finds no pointer at all. ahead: what CURRENT names, where that is later than what HEAD names.
    """

    problem: str | None = None
    nothing: bool = False
    ahead: Current | None = None


def look(efs_root: Path, collection: str, pointer: Pointer) -> Seen:
    """Compare CURRENT, the manifest and every file of bases and segments with a pointer; a few milliseconds.

    Only reads, the manifest and the sizes of files. Raises StorageUnavailable.
    """
    folder, wanted = collection_folder(efs_root, collection), Current.of(pointer)
    try:
        current = read_current(efs_root, collection)
    except (NoSnapshotYet, SnapshotUnavailable) as error:
        return Seen(str(error), nothing=True)
    if _differs(current, wanted):
        return _another("CURRENT", current, wanted)
    try:
        manifest = read_manifest(folder, wanted)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, SnapshotDamaged, SchemaUnsupported) as error:
        return Seen(f"the manifest of {wanted.snapshot_id} cannot be read: {error}")
    with storage_errors():
        lacking = [path for shard in manifest.shards for path, _ in lacking_files(folder, shard)]
    if lacking:
        return Seen(f"{wanted.snapshot_id} lacks {len(lacking)} of its files, the first is {lacking[0]}")
    return Seen()


def look_at_bucket(bucket: Bucket, collection: str, pointer: Pointer) -> Seen:
    """Compare CURRENT in the bucket with a pointer, by one request. Raises TransientServiceError."""
    wanted = Current.of(pointer)
    try:
        current = read_stored_current(bucket, collection)
    except SnapshotUnavailable as error:
        return Seen(str(error), nothing=True)
    if current is None:
        return Seen("CURRENT in the bucket is not there", nothing=True)
    return _another("CURRENT in the bucket", current, wanted) if _differs(current, wanted) else Seen()


def _differs(current: Current, wanted: Current) -> bool:
    return current.place != wanted.place or current.manifest_sha256 != wanted.manifest_sha256


def _another(what: str, current: Current, wanted: Current) -> Seen:
    ahead = current if current.place > wanted.place else None
    return Seen(f"{what} names {current.snapshot_id}, HEAD names {wanted.snapshot_id}", ahead=ahead)
