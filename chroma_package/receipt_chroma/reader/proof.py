"""What is read of a snapshot is proved before: every byte of a base and of a segment has the manifest's sha256.

A file on EFS may have been cut off, or its bits may have rotted: one wrong byte in the header or in the vectors of a
base ends the process, or two records change places in silence.
"""

from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Final

from receipt_dynamo_stream.round.report import FileEntry

from receipt_chroma.errors import SnapshotUnavailable
from receipt_chroma.segment.content import Segment
from receipt_chroma.segment.file import read_segment
from receipt_chroma.shard.sqlite_files import SQLITE_FILE
from receipt_chroma.snapshot.manifest import ManifestSegment, ManifestShard
from receipt_chroma.storage.files import copy_in, file_size, sha256_of, storage_errors

_READ_AT_ONCE: Final = 8 << 20
"""Not mapped, as private files are: one that is cut off meanwhile would end the process."""


def prepare_base(
    published: Path, shard: ManifestShard, target: Path, *, verify: bool, hashing: ThreadPoolExecutor
) -> None:
    """Make a folder into one that chromadb may open: a proved copy of the database, links to the index's folders.

    verify: False proves the index files by their sizes alone. Raises SnapshotUnavailable, StorageUnavailable,
    FileNotFoundError.
    """
    with storage_errors():
        for entry in shard.files:
            _check_size(published / entry.name, entry.size)
            segment, _, name = entry.name.partition("/")
            if name and not (target / segment).exists():
                (target / segment).symlink_to((published / segment).absolute(), target_is_directory=True)

        def prove(entry: FileEntry) -> None:
            if entry.name == SQLITE_FILE:
                found = copy_in(published / SQLITE_FILE, target / SQLITE_FILE)[1]
            elif verify:
                found = _sha256_published(published / entry.name)
            else:
                return
            if found != entry.sha256:
                raise SnapshotUnavailable(f"{published / entry.name} differs from its manifest")

        largest_first = sorted(shard.files, key=lambda entry: -entry.size)
        for _ in hashing.map(prove, largest_first):
            pass


def read_proved_segment(path: Path, entry: ManifestSegment, dimension: int | None) -> Segment:
    """The segment in a file. What it says of its records was proved before it was published, and is not proved again.

    Raises SnapshotUnavailable unless it is the one that the manifest names, SegmentInvalid, StorageUnavailable,
    FileNotFoundError.
    """
    with storage_errors():
        _check_size(path, entry.size)
        content = path.read_bytes()
    if sha256_of(content) != entry.sha256:
        raise SnapshotUnavailable(f"{path} differs from its manifest")
    segment = read_segment(content)
    if segment.receipts != entry.receipts:
        raise SnapshotUnavailable(f"{path} covers other receipts than its manifest says")
    if segment.dimension not in (None, dimension):
        raise SnapshotUnavailable(f"{path} has vectors of {segment.dimension} dimensions, its snapshot of {dimension}")
    return segment


def _check_size(path: Path, size: int) -> None:
    if file_size(path) != size:
        raise SnapshotUnavailable(f"{path} is not there with {size} bytes")


def _sha256_published(path: Path) -> str:
    digest = sha256()
    buffer = memoryview(bytearray(_READ_AT_ONCE))
    with path.open("rb", buffering=0) as file:
        while read := file.readinto(buffer):
            digest.update(buffer[:read])
    return digest.hexdigest()
