"""Staging what an attempt wrote: copied to EFS where no reader looks, uploaded to S3 under its final name."""

from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.round.plan import Plan
from receipt_dynamo_stream.round.report import FileEntry

from receipt_chroma.storage.files import (
    copy_out,
    file_names,
    sha256_file,
    sha256_of,
    storage_errors,
    sync_folder,
    write_atomically,
)
from receipt_chroma.storage.objects import file_pool
from receipt_chroma.storage.tree import (
    SEGMENT_FILE,
    collection_folder,
    object_key,
    segment_path,
    shard_path,
    shard_version_of,
    staging_path,
)


@dataclass(frozen=True)
class Attempt:
    """One attempt to write a shard. Its name is in every path, so that a late or repeated one overwrites nothing."""

    collection: str
    execution: str
    round: int
    shard: int
    name: str
    snapshot_id: str

    @classmethod
    def of(cls, plan: Plan, shard: int, name: str) -> Self:
        """An attempt at a shard of a plan."""
        return cls(plan.collection, plan.execution, plan.round, shard, name, plan.snapshot_id)

    @property
    def staging(self) -> str:
        """Relative path of its folder where no reader looks."""
        return staging_path(self.execution, self.round, self.shard, self.name)

    @property
    def version(self) -> str:
        """Name of what it writes, once it is published."""
        return shard_version_of(self.snapshot_id, self.name)


def stage_segment(attempt: Attempt, content: bytes, *, bucket: Bucket, efs_root: Path) -> tuple[str, str]:
    """Write a segment's bytes to EFS staging and to S3; returns its staging path and sha256.

    On EFS it is on disk when this returns. May run twice. Raises StorageUnavailable, TransientServiceError.
    """
    path = f"{attempt.staging}/{SEGMENT_FILE}"
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="segment") as pool:
        key = object_key(attempt.collection, segment_path(attempt.shard, attempt.version))
        uploading = pool.submit(bucket.put, key, content)
        with storage_errors():
            write_atomically(collection_folder(efs_root, attempt.collection) / path, content)
        uploading.result()
    return path, sha256_of(content)


class Stage:
    """Brings the files of a private shard directory to EFS staging and to S3. A context manager.

    The largest file decides how long it takes: it is copied, uploaded and hashed at the same time.
    """

    def __init__(self, folder: Path, attempt: Attempt, *, bucket: Bucket, efs_root: Path) -> None:
        self._folder = folder
        self._bucket = bucket
        self._staged = collection_folder(efs_root, attempt.collection) / attempt.staging
        self._key = object_key(attempt.collection, shard_path(attempt.shard, attempt.version))
        self._pool = file_pool()
        self._begun: dict[FileEntry, tuple[tuple[int, int], list[Future[None]]]] = {}

    def begin(self, entries: Iterable[FileEntry]) -> None:
        """Begin with files that are thought to stay as they are, while the others are still written.

        Their digests are known, so they are not hashed again: the copy was proved when it was made.
        """
        for entry in entries:
            self._begun[entry] = self._state(entry.name), self._write(entry.name)

    def finish(self) -> tuple[FileEntry, ...]:
        """Stage the directory, now closed; its files with sha256. On EFS everything is on disk when this returns.

        A file that begin() was given, and that was written since, is staged again. Raises StorageUnavailable,
        TransientServiceError.
        """
        done = []
        for entry, (state, writes) in self._begun.items():
            for write in writes:
                write.result()
            if (entry.size, state) == (state[0], self._state(entry.name)):
                done.append(entry)
        proved = {entry.name for entry in done}
        names = [name for name in file_names(self._folder) if name not in proved]
        digests = {name: self._pool.submit(sha256_file, self._folder / name) for name in names}
        for write in [write for name in names for write in self._write(name)]:
            write.result()
        with storage_errors():
            for path in sorted(path for path in self._staged.rglob("*") if path.is_dir()):
                sync_folder(path)
            sync_folder(self._staged)
        done += [FileEntry(name, self._state(name)[0], digest.result()) for name, digest in digests.items()]
        return tuple(sorted(done, key=lambda entry: entry.name))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)

    def _state(self, name: str) -> tuple[int, int]:
        stat = (self._folder / name).stat()
        return stat.st_size, stat.st_mtime_ns

    def _write(self, name: str) -> list[Future[None]]:
        return [self._pool.submit(write, name) for write in (self._copy, self._upload)]

    def _copy(self, name: str) -> None:
        with storage_errors():
            copy_out(self._folder / name, self._staged / name)

    def _upload(self, name: str) -> None:
        self._bucket.put_file(f"{self._key}/{name}", self._folder / name)
