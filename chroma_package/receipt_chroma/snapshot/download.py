"""DownloadSnapshot: EFS holds every file of a snapshot, with the right size."""

import logging
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.round.report import FileEntry

from receipt_chroma.snapshot.manifest import Manifest, ManifestShard
from receipt_chroma.storage.files import (
    clear_way,
    file_size,
    sha256_file,
    storage_errors,
    sync_folder,
    write_atomically,
)
from receipt_chroma.storage.objects import fetch_file, file_pool
from receipt_chroma.storage.room import room
from receipt_chroma.storage.tree import STAGING, collection_folder, manifest_path, object_key

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class DownloadResult:
    """What was fetched because EFS did not have it."""

    files: int
    bytes: int


def download_snapshot(bucket: Bucket, efs_root: Path, collection: str, manifest: Manifest) -> DownloadResult:
    """Fetch the files of a snapshot that EFS lacks or has in another size, in parallel, each verified by sha256.

    Every file is fetched beside the tree and renamed in, so this may run twice, at once, and after a crash. Raises
    SnapshotDamaged when S3 does not have a file as the manifest says, StorageUnavailable, TransientServiceError.
    """
    fetched = download_shards(bucket, efs_root, collection, manifest.shards)
    with storage_errors():
        _ensure_manifest(collection_folder(efs_root, collection), manifest)
    return fetched


def download_shards(bucket: Bucket, efs_root: Path, collection: str, shards: Iterable[ManifestShard]) -> DownloadResult:
    """The same for some shards alone, or for those of their files that are given."""
    root = collection_folder(efs_root, collection)
    lacking: list[tuple[str, FileEntry]] = []
    with storage_errors():
        for shard in shards:
            lacking += lacking_files(root, shard)
        if lacking:
            clear_way(root / STAGING / "download", below=root)
            (root / STAGING).mkdir(parents=True, exist_ok=True)
            with (
                room(root / STAGING, sum(entry.size for _, entry in lacking)),
                tempfile.TemporaryDirectory(dir=root / STAGING, prefix="download-") as folder,
            ):
                _fetch(bucket, collection, root, Path(folder), lacking)
    return DownloadResult(len(lacking), sum(entry.size for _, entry in lacking))


def lacking_files(root: Path, shard: ManifestShard) -> list[tuple[str, FileEntry]]:
    """The files of a shard that the collection's folder lacks or has in another size."""
    return [(path, entry) for path, entry in shard_files(shard) if file_size(root / path) != entry.size]


def repair_shard(bucket: Bucket, efs_root: Path, collection: str, shard: ManifestShard) -> DownloadResult:
    """Fetch the files of a shard again whose sha256 on EFS is not the manifest's. Reads all of them.

    Raises SnapshotDamaged when S3 does not have them either, StorageUnavailable, TransientServiceError.
    """
    root = collection_folder(efs_root, collection)
    with storage_errors():
        wrong = [(path, entry) for path, entry in shard_files(shard) if not _is_right(root / path, entry)]
        if wrong:
            (root / STAGING).mkdir(parents=True, exist_ok=True)
            with (
                room(root / STAGING, sum(entry.size for _, entry in wrong)),
                tempfile.TemporaryDirectory(dir=root / STAGING, prefix="repair-") as folder,
            ):
                _fetch(bucket, collection, root, Path(folder), wrong)
    return DownloadResult(len(wrong), sum(entry.size for _, entry in wrong))


def shard_files(shard: ManifestShard) -> Iterator[tuple[str, FileEntry]]:
    """Every file of a shard, of its base and its segments, by its path relative to the collection's folder."""
    for entry in shard.files:
        yield f"{shard.path}/{entry.name}", entry
    for segment in shard.segments:
        yield segment.path, FileEntry(Path(segment.path).name, segment.size, segment.sha256)


def _is_right(path: Path, entry: FileEntry) -> bool:
    return file_size(path) == entry.size and sha256_file(path) == entry.sha256


def _fetch(bucket: Bucket, collection: str, root: Path, folder: Path, lacking: list[tuple[str, FileEntry]]) -> None:
    def fetch_one(numbered: tuple[int, tuple[str, FileEntry]]) -> None:
        number, (path, entry) = numbered
        logger.info("fetching a file that EFS lacks", extra={"path": path, "bytes": entry.size})
        fetched, target = folder / str(number), root / path
        fetch_file(bucket, object_key(collection, path), fetched, entry)
        clear_way(target, below=root)
        target.parent.mkdir(parents=True, exist_ok=True)
        fetched.replace(target)
        sync_folder(target.parent)

    with file_pool() as pool:
        list(pool.map(fetch_one, enumerate(lacking)))


def _ensure_manifest(root: Path, manifest: Manifest) -> None:
    path, content = root / manifest_path(manifest.snapshot_id), manifest.encode()
    if file_size(path) != len(content) or path.read_bytes() != content:
        clear_way(path, below=root)
        write_atomically(path, content)
