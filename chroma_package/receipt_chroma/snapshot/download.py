"""DownloadSnapshot: EFS holds every file of a snapshot, with the right size."""

import logging
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.round.report import FileEntry

from receipt_chroma.snapshot.manifest import Manifest, ManifestShard
from receipt_chroma.storage.files import file_size, storage_errors, sync_folder, write_atomically
from receipt_chroma.storage.objects import fetch_file, file_pool
from receipt_chroma.storage.tree import STAGING, collection_folder, manifest_path, object_key

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class DownloadResult:
    """What was fetched because EFS did not have it."""

    files: int
    bytes: int


def ensure_snapshot(bucket: Bucket, efs_root: Path, collection: str, manifest: Manifest) -> DownloadResult:
    """Fetch the files of a snapshot that EFS lacks or has in another size, in parallel, each verified by sha256.

    Every file is fetched beside the tree and renamed in, so this may run twice, at once, and after a crash. Raises
    SnapshotDamaged when S3 does not have a file as the manifest says, StorageUnavailable, TransientServiceError.
    """
    fetched = ensure_shards(bucket, efs_root, collection, manifest.shards)
    with storage_errors():
        _ensure_manifest(collection_folder(efs_root, collection), manifest)
    return fetched


def ensure_shards(bucket: Bucket, efs_root: Path, collection: str, shards: Iterable[ManifestShard]) -> DownloadResult:
    """The same for some shards alone, or for those of their files that are given."""
    root = collection_folder(efs_root, collection)
    lacking: list[tuple[str, FileEntry]] = []
    with storage_errors():
        for shard in shards:
            for entry in shard.files:
                path = f"{shard.path}/{entry.name}"
                if file_size(root / path) != entry.size:
                    lacking.append((path, entry))
        if lacking:
            (root / STAGING).mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=root / STAGING, prefix="download-") as folder:
                _fetch(bucket, collection, root, Path(folder), lacking)
    return DownloadResult(len(lacking), sum(entry.size for _, entry in lacking))


def _fetch(bucket: Bucket, collection: str, root: Path, folder: Path, lacking: list[tuple[str, FileEntry]]) -> None:
    def fetch_one(numbered: tuple[int, tuple[str, FileEntry]]) -> None:
        number, (path, entry) = numbered
        logger.info("fetching a file that EFS lacks", extra={"path": path, "bytes": entry.size})
        fetched, target = folder / str(number), root / path
        fetch_file(bucket, object_key(collection, path), fetched, entry)
        target.parent.mkdir(parents=True, exist_ok=True)
        fetched.replace(target)
        sync_folder(target.parent)

    with file_pool() as pool:
        list(pool.map(fetch_one, enumerate(lacking)))


def _ensure_manifest(root: Path, manifest: Manifest) -> None:
    path, content = root / manifest_path(manifest.snapshot_id), manifest.encode()
    if file_size(path) != len(content) or path.read_bytes() != content:
        write_atomically(path, content)
