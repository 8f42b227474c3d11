"""SnapshotReader: what is published, opened without writing to where it lies.

A snapshot is one manifest, opened: per shard a base (a private folder with a *copy* of chroma.sqlite3, since opening
writes to it, and a link to the HNSW files) and the segments over it, loaded into memory. Everything that a reader
answers comes from one snapshot, and snapshots only get newer. They share what they both name: a refresh opens only
what is new. Of which generation they are, and so of which embedding model, SERVING says.
"""

import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from receipt_dynamo_stream.keys import ReceiptId

from receipt_chroma.errors import NoSnapshotYet, SnapshotUnavailable, VersionNotServed
from receipt_chroma.reader.bucket_mount import mount_of
from receipt_chroma.reader.clients import dynamodb_client
from receipt_chroma.reader.collection import ReadableCollection
from receipt_chroma.reader.following import Follower
from receipt_chroma.reader.open_files import OpenFiles
from receipt_chroma.reader.open_snapshot import OpenSnapshot
from receipt_chroma.reader.own_run import when_merged
from receipt_chroma.reader.questions import check_collection, check_generation
from receipt_chroma.reader.refresher import Refresher
from receipt_chroma.snapshot.lineage import newest_merge

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

WAIT: Final = timedelta(seconds=30)
"""How long min_version is waited for, unless the caller says otherwise."""

CACHE_BYTES: Final = 10 << 30
"""What may be kept of S3 on this machine, unless the caller says otherwise."""

_POLL_SECONDS: Final = 0.2


class SnapshotReader(ReadableCollection):
    """Reads the current snapshot of a collection's serving generation; threads may share it. A context manager.

    root: the folder that holds the collections, or `s3://bucket/snapshots`. cache_dir: where private copies go
    (default: the system's temp folder), and what comes from S3: cache_bytes of that stay there, for other processes and
    later ones. s3: the client to ask (default: one of boto3, with the usual credentials). refresh_every: refresh in a
    background thread, this long after the last time; default: only when refresh() is called, as it must be in a Lambda.
    min_version, timeout: wait until at least that version is there. verify: False trusts HNSW files whose sizes are
    right, instead of comparing every byte with the manifest's sha256 (0.4 s for 600 MB, once a base): a damaged one
    then ends the process, or answers wrongly. generation: stay with this one, whichever serves. now: the wall clock,
    for behind_seconds alone.

    Opens on creation. When the snapshot that CURRENT names cannot be opened, the newest earlier one that can is served
    instead, and `fallback_reason` says so. Raises UnknownCollection, NoSnapshotYet, SnapshotUnavailable when none can
    be opened, and VersionNotServed.
    """

    def __init__(
        self,
        root: Path | str,
        collection: str,
        *,
        cache_dir: Path | str | None = None,
        cache_bytes: int = CACHE_BYTES,
        s3: "S3Client | None" = None,
        refresh_every: timedelta | None = None,
        min_version: int | None = None,
        timeout: timedelta = WAIT,
        verify: bool = True,
        generation: str | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        check_collection(collection, root)
        if generation is not None:
            check_generation(generation, collection)
        self._collection = collection
        self._now = now
        self._refreshing = threading.Lock()
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._open: OpenSnapshot | None = None
        self._refresher: Refresher | None = None
        if cache_dir is not None:
            cache_dir = Path(cache_dir).expanduser()
            cache_dir.mkdir(parents=True, exist_ok=True)
        self._cache = Path(tempfile.mkdtemp(prefix=f"reader-{collection}-", dir=cache_dir))
        self._files = OpenFiles(self._cache, verify=verify)
        try:
            mount = mount_of(root, collection, Path(cache_dir or self._cache) / "files", cache_bytes, s3)
            self._follower = Follower(mount, collection, self._files, only=generation)
            self.refresh(min_version=min_version, timeout=timeout)
            if refresh_every is not None:
                self._refresher = Refresher(
                    lambda: self.refresh(folds=True), refresh_every, name=f"refresh-{collection}"
                )
        except BaseException:
            self.close()
            raise

    @property
    def version(self) -> int:
        """The version that is read: the newest whose records these are. Each generation counts its own."""
        with self._borrow() as snapshot:
            return snapshot.current.version

    @property
    def snapshot_id(self) -> str:
        """The id of the snapshot that is read."""
        with self._borrow() as snapshot:
            return snapshot.current.snapshot_id

    @property
    def fallback_reason(self) -> str | None:
        """Why the last refresh could not serve what SERVING and CURRENT name; None when it does, or when a newer one is
        served."""
        return self._follower.reason

    @property
    def behind_seconds(self) -> float:
        """How long there has been something newer than what is read: 0.0 while that is what CURRENT names, else the
        age of the first snapshot after it (since its plan was made, by this machine's clock); of a switch to another
        generation since SERVING says it.

        Reads SERVING, CURRENT and, when behind, the manifests from there back. Raises NoSnapshotYet,
        SnapshotUnavailable, StorageUnavailable.
        """
        with self._borrow() as snapshot:
            since = self._follower.newer_since(snapshot)
        return 0.0 if since is None else max(0.0, (self._now() - since).total_seconds())

    @property
    def freshness_seconds(self) -> float:
        """The age of the newest change in the generation that is served: since its plan was made, by this machine's
        clock.

        Reads manifests where what is served only folds, restores or rolls back to another snapshot.
        """
        with self._borrow() as snapshot:
            merge = newest_merge(self._follower.mount_of(snapshot).manifest, snapshot.manifest)
        return max(0.0, (self._now() - datetime.fromisoformat(merge.created_at)).total_seconds())

    def wait_for(
        self,
        run_id: str,
        *,
        image_id: str,
        receipt_id: int,
        receipts_table: str,
        dynamodb: "DynamoDBClient | None" = None,
        timeout: timedelta = WAIT,
    ) -> int:
        """Read your own write: wait until a run of that receipt is served; the version that is served then.

        The run's item says from which version on it is visible, and of which generation: while another one serves, this
        waits for the switch. It reads the receipts table (dynamodb:GetItem) with the client that is given or one of
        boto3. A reader that has the file system or the bucket alone is told both by whoever can read it
        (receipt_dynamo_stream.served_in), and waits by refresh(min_version=…, of=…). What a rollback undid is not
        waited for again. Raises RunRefused, VersionNotServed, TransientServiceError.
        """
        deadline = time.monotonic() + timeout.total_seconds()
        generation, version = when_merged(
            dynamodb or dynamodb_client(),
            receipts_table,
            ReceiptId(image_id, receipt_id),
            run_id,
            self._collection,
            timeout=timeout,
            closing=self._closing,
        )
        self.refresh(
            min_version=version, of=generation, timeout=timedelta(seconds=max(0.0, deadline - time.monotonic()))
        )
        return self.version

    def refresh(
        self,
        *,
        min_version: int | None = None,
        of: str | None = None,
        timeout: timedelta = WAIT,
        folds: bool = False,
    ) -> bool:
        """Read SERVING and CURRENT anew and switch when they moved on; True when `version` or `generation` did, by this
        call.

        The new snapshot is opened and asked something before the switch; calls that run keep their snapshot until
        they end. It never goes back, and while anything is served it raises nothing for a snapshot that cannot be
        opened: see fallback_reason.

        A version that only folded the one before has the same records, and costs a first opening: what is served
        stands for it, at most for opening.FOLD_WITHIN. folds=True opens it now: the background does so, and a Lambda
        may when it has answered.

        With min_version it looks again and again until at least that version is served, and it is one of the generation
        `of`; without `of` it is one of whichever is served then. Raises VersionNotServed when the timeout passes before
        (it bounds the waiting; an opening that has begun is ended).
        """
        deadline = time.monotonic() + timeout.total_seconds()
        switched = False
        while True:
            problem: Exception | None = None
            try:
                switched = self._refresh_once(folds) or switched
            except (NoSnapshotYet, SnapshotUnavailable) as error:
                if min_version is None or self._closing.is_set():
                    raise
                problem = error
            generation, (version, _) = self._served()
            if min_version is None or (version >= min_version and of in (None, generation)):
                return switched
            left = deadline - time.monotonic()
            if left <= 0:
                why = self.fallback_reason or str(problem or "it was not published yet")
                wanted = f"version {min_version}" + (f" of {of}" if of not in (None, generation) else "")
                raise VersionNotServed(
                    f"{generation}: {wanted} was not there in {timeout.total_seconds():g} s,"
                    f" version {version} is served: {why}"
                ) from problem
            self._closing.wait(min(_POLL_SECONDS, left))

    def close(self) -> None:
        """End the background thread, close the snapshot when running calls have ended, and remove the private copies.

        May be called twice.
        """
        self._closing.set()
        if self._refresher is not None:
            self._refresher.stop()
        with self._refreshing, self._lock:
            old, self._open = self._open, None
        if old is not None:
            old.retire()
            old.closed.wait()
        self._files.close()
        shutil.rmtree(self._cache, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _borrow(self) -> Iterator[OpenSnapshot]:
        with self._lock:
            snapshot = self._open
            if snapshot is None:
                raise self._closed()
            snapshot.enter()
        try:
            yield snapshot
        finally:
            snapshot.leave()

    def _served(self) -> tuple[str, tuple[int, int]]:
        """Which generation, and its version and fence; zeros before there is any."""
        with self._lock:
            return (self._open.generation, self._open.current.place) if self._open else (self._collection, (0, 0))

    def _closed(self) -> SnapshotUnavailable:
        return SnapshotUnavailable(f"the reader of {self._collection} is closed")

    def _refresh_once(self, folds: bool) -> bool:
        with self._refreshing:
            if self._closing.is_set():
                raise self._closed()
            before = self._served()
            opened = self._follower.open_newer(self._open, folds=folds)
            if opened is not None:
                with self._lock:
                    old, self._open = self._open, opened
                if old is not None:
                    old.retire()
            return self._served() != before
