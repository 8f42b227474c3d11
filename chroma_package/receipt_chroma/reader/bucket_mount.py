"""A root in a bucket, `s3://bucket/prefix`: CURRENT and manifests are asked for, files come into a cache."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from functools import lru_cache, partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.control.head import parse_snapshot_id
from receipt_dynamo_stream.errors import TransientServiceError
from receipt_dynamo_stream.round.report import FileEntry

from receipt_chroma.errors import (
    ChromaUnreadable,
    CurrentGone,
    NoSnapshotYet,
    QuestionInvalid,
    SegmentInvalid,
    SnapshotUnavailable,
    StorageUnavailable,
)
from receipt_chroma.reader.clients import s3_client
from receipt_chroma.reader.mount import FolderMount, Mount
from receipt_chroma.snapshot.download import shard_files
from receipt_chroma.snapshot.lineage import snapshot_ids
from receipt_chroma.snapshot.manifest import Manifest, check_manifest
from receipt_chroma.snapshot.pointer import Current
from receipt_chroma.snapshot.serving import Serving, serving_of
from receipt_chroma.storage.cache import FileCache
from receipt_chroma.storage.files import sha256_file
from receipt_chroma.storage.objects import fetch_file, file_pool
from receipt_chroma.storage.room import room
from receipt_chroma.storage.tree import CURRENT, MANIFESTS, SERVING, manifest_path

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SCHEME: Final = "s3://"
_MANIFESTS_KEPT: Final = 16


class BucketMount(Mount):
    """One collection, or a generation, below a prefix of a bucket. It takes s3:GetObject there, and s3:ListBucket: S3
    says 403 else for what is missing."""

    def __init__(self, bucket: Bucket, prefix: str, collection: str, cache: FileCache) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._collection = collection
        self._below = f"{prefix}/{collection}" if prefix else collection
        self._cache = cache
        self._in_cache = f"{bucket.name}/{self._below}"
        self.folder = cache.folder / self._in_cache
        self._manifest_of = lru_cache(_MANIFESTS_KEPT)(self._load_manifest)

    def current(self) -> Current:
        """CURRENT, by one request."""
        key = self._key(CURRENT)
        where = f"s3://{self._bucket.name}/{key}"
        with _answering(where):
            content = self._bucket.find(key)
            if content is not None:
                return Current.decode(content, where)
            listed = self._bucket.list(self._key(f"{MANIFESTS}/"))
            known = snapshot_ids(PurePosixPath(one.key).name for one in listed)
        if known and parse_snapshot_id(known[-1]).version > 1:  # the first one may never have been committed
            raise CurrentGone(f"{where} is not there, though snapshots are: the next scheduled execution writes it")
        raise NoSnapshotYet(f"{where} is not there: nothing was published for {self._collection} yet")

    def serving(self) -> Serving:
        """SERVING, by one request."""
        key = self._key(SERVING)
        where = f"s3://{self._bucket.name}/{key}"
        with _answering(where):
            content = self._bucket.find(key)
        return Serving(self._collection, 0) if content is None else serving_of(self._collection, content, where)

    def beside(self, generation: str) -> "BucketMount":
        """Another generation below the prefix, with the same cache."""
        return BucketMount(self._bucket, self._prefix, generation, self._cache)

    def written_at(self, name: str = CURRENT) -> datetime:
        """When CURRENT was written, or SERVING."""
        key = self._key(name)
        with _answering(key):
            for found in self._bucket.list(key):
                return found.written_at
        raise FileNotFoundError(key)

    def manifest(self, current: Current) -> Manifest:
        """The manifest that is named, by one request; the latest ones are kept."""
        return self._manifest_of(replace(current, before=None))

    @contextmanager
    def holding(self, manifest: Manifest) -> Iterator[None]:
        """Fetch what the cache lacks. What is found to be damaged there is fetched again by the next one."""
        entries = {self._cached(path): entry for shard in manifest.shards for path, entry in shard_files(shard)}
        sizes = {path: entry.size for path, entry in entries.items()}
        try:
            with self._cache.using(sizes, partial(self._fetch, entries)):
                yield
        except (SnapshotUnavailable, SegmentInvalid, ChromaUnreadable) as error:
            damaged = [path for path, entry in entries.items() if self._is_damaged(path, entry)]
            if not damaged:
                raise
            self._cache.forget(damaged)
            raise StorageUnavailable(f"{damaged[0]} was damaged in the cache, and is fetched again: {error}") from error

    def _fetch(self, entries: Mapping[str, FileEntry], lacking: Mapping[str, Path]) -> None:
        def fetch_one(path: str) -> None:
            with _answering(path):
                fetch_file(self._bucket, path.removeprefix(f"{self._bucket.name}/"), lacking[path], entries[path])

        largest_first = sorted(lacking, key=lambda path: -entries[path].size)
        with room(self._cache.folder, sum(entries[path].size for path in lacking)), file_pool() as pool:
            for _ in pool.map(fetch_one, largest_first):
                pass

    def _load_manifest(self, current: Current) -> Manifest:
        key = self._key(manifest_path(current.snapshot_id))
        where = f"s3://{self._bucket.name}/{key}"
        with _answering(where):
            content = self._bucket.find(key)
        if content is None:
            raise FileNotFoundError(f"{where} is not there")
        return check_manifest(content, current.manifest_sha256, where)

    def _is_damaged(self, path: str, entry: FileEntry) -> bool:
        file = self._cache.folder / path
        return file.is_file() and sha256_file(file) != entry.sha256

    def _cached(self, path: str) -> str:
        return f"{self._in_cache}/{path}"

    def _key(self, path: str) -> str:
        return f"{self._below}/{path}"


def mount_of(root: Path | str, collection: str, cache_dir: Path, cache_bytes: int, s3: "S3Client | None") -> Mount:
    """The mount of a folder, or of `s3://bucket/prefix` with a cache. Raises QuestionInvalid for half an address."""
    if not (isinstance(root, str) and root.startswith(SCHEME)):
        return FolderMount(Path(root), collection)
    name, _, prefix = root.removeprefix(SCHEME).partition("/")
    if not name:
        raise QuestionInvalid(f"{root!r} names no bucket: a root in S3 is s3://bucket/prefix")
    bucket, cache = Bucket(s3 or s3_client(), name), FileCache(cache_dir, cache_bytes)
    return BucketMount(bucket, prefix.strip("/"), collection, cache)


@contextmanager
def _answering(where: str) -> Iterator[None]:
    """Raise StorageUnavailable for what S3 answers that is neither an object nor that there is none."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (TransientServiceError, ClientError, BotoCoreError) as error:
        raise StorageUnavailable(f"{where}: {error}") from error
