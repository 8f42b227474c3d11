"""SnapshotReader: what is published, opened without writing to where it lies.

A snapshot is one manifest, opened: per shard a base (a private folder with a *copy* of chroma.sqlite3, since opening
writes to it, and a link to the HNSW files) and the segments over it, loaded into memory. Everything that a reader
answers comes from one snapshot, and snapshots only get newer. They share what they both name: a refresh opens only
what is new.
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
from receipt_dynamo_stream.served import served_version

from receipt_chroma.errors import NoSnapshotYet, SnapshotUnavailable, VersionNotServed
from receipt_chroma.reader.bucket_mount import mount_of
from receipt_chroma.reader.clients import dynamodb_client
from receipt_chroma.reader.collection import ReadableCollection
from receipt_chroma.reader.open_files import OpenFiles
from receipt_chroma.reader.open_snapshot import OpenSnapshot
from receipt_chroma.reader.opening import SnapshotOpener
from receipt_chroma.reader.questions import check_collection
from receipt_chroma.reader.refresher import Refresher
from receipt_chroma.snapshot.lineage import newer_since, newest_merge
from receipt_chroma.snapshot.pointer import Current

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

WAIT: Final = timedelta(seconds=30)
"""How long min_version is waited for, unless the caller says otherwise."""

CACHE_BYTES: Final = 10 << 30
"""What may be kept of S3 on this machine, unless the caller says otherwise."""

_POLL_SECONDS: Final = 0.2
_RUN_POLL_SECONDS: Final = 0.5
"""A read of the table is paid for, and a run takes seconds."""


class SnapshotReader(ReadableCollection):
    """Reads the current snapshot of a collection; threads may share it. A context manager.

    root: the folder that holds the collections, or `s3://bucket/snapshots`. cache_dir: where private copies go
    (default: the system's temp folder), and what comes from S3: cache_bytes of that stay there, for other processes and
    later ones. s3: the client to ask (default: one of boto3, with the usual credentials). refresh_every: refresh in a
    background thread, this long after the last time; default: only when refresh() is called, as it must be in a Lambda.
    min_version, timeout: wait until at least that version is there. verify: False trusts HNSW files whose sizes are
    right, instead of comparing every byte with the manifest's sha256 (0.4 s for 600 MB, once a base): a damaged one
    then ends the process, or answers wrongly. now: the wall clock, for behind_seconds alone.

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
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        check_collection(collection, root)
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
            self._mount = mount_of(root, collection, Path(cache_dir or self._cache) / "files", cache_bytes, s3)
            self._opener = SnapshotOpener(self._mount, collection, self._files)
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
        """The version that is read: the newest whose records these are."""
        with self._borrow() as snapshot:
            return snapshot.current.version

    @property
    def snapshot_id(self) -> str:
        """The id of the snapshot that is read."""
        with self._borrow() as snapshot:
            return snapshot.current.snapshot_id

    @property
    def fallback_reason(self) -> str | None:
        """Why the last refresh could not serve what CURRENT names; None when it does, or when a newer one is served."""
        return self._opener.reason

    @property
    def behind_seconds(self) -> float:
        """How long there has been something newer than what is read: 0.0 while that is what CURRENT names, else the
        age of the first snapshot after it (since its plan was made, by this machine's clock).

        Reads CURRENT and, when behind, the manifests from there back. Raises NoSnapshotYet, SnapshotUnavailable,
        StorageUnavailable.
        """
        with self._borrow() as snapshot:
            served = snapshot.current
        current = self._mount.current()
        if current.place <= served.place:
            return 0.0
        made = newer_since(self._mount.manifest, served, current)
        if made is None:  # not even the newest manifest can be read: since when CURRENT names it
            made = self._mount.named_at()
        return max(0.0, (self._now() - made).total_seconds())

    @property
    def freshness_seconds(self) -> float:
        """The age of the newest change that is served: since its plan was made, by this machine's clock.

        Reads manifests where what is served only folds, restores or rolls back to another snapshot.
        """
        with self._borrow() as snapshot:
            merge = newest_merge(self._mount.manifest, snapshot.manifest)
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

        The run's item says from which version on it is visible, so this reads the receipts table (dynamodb:GetItem),
        with the client that is given or one of boto3. A reader that has the file system or the bucket alone is told the
        version by whoever can read it (receipt_dynamo_stream.served_version), and waits by refresh(min_version=…). What
        a rollback undid is not waited for again. Raises RunRefused, VersionNotServed, TransientServiceError.
        """
        client = dynamodb or dynamodb_client()
        deadline = time.monotonic() + timeout.total_seconds()
        receipt = ReceiptId(image_id, receipt_id)
        while (version := served_version(client, receipts_table, receipt, run_id, self._collection)) is None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise VersionNotServed(
                    f"{self._collection}: run {run_id} of {receipt.key} was not merged in {timeout.total_seconds():g} s"
                )
            self._closing.wait(min(_RUN_POLL_SECONDS, left))
            if self._closing.is_set():
                raise self._closed()
        self.refresh(min_version=version, timeout=timedelta(seconds=max(0.0, deadline - time.monotonic())))
        return self.version

    def refresh(self, *, min_version: int | None = None, timeout: timedelta = WAIT, folds: bool = False) -> bool:
        """Read CURRENT anew and switch when it moved on; True when `version` did, by this call.

        The new snapshot is opened and asked something before the switch; calls that run keep their snapshot until
        they end. It never goes back, and while anything is served it raises nothing for a snapshot that cannot be
        opened: see fallback_reason.

        A version that only folded the one before has the same records, and costs a first opening: what is served
        stands for it, at most for opening.FOLD_WITHIN. folds=True opens it now: the background does so, and a Lambda
        may when it has answered.

        With min_version it looks again and again until at least that version is served. Raises VersionNotServed when
        the timeout passes before (it bounds the waiting; an opening that has begun is ended).
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
            served = self._served()
            version = served.version if served else 0
            if min_version is None or version >= min_version:
                return switched
            left = deadline - time.monotonic()
            if left <= 0:
                why = self.fallback_reason or str(problem or "it was not published yet")
                raise VersionNotServed(
                    f"{self._collection}: version {min_version} was not there in {timeout.total_seconds():g} s,"
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

    def _served(self) -> Current | None:
        with self._lock:
            return self._open.current if self._open else None

    def _closed(self) -> SnapshotUnavailable:
        return SnapshotUnavailable(f"the reader of {self._collection} is closed")

    def _refresh_once(self, folds: bool) -> bool:
        with self._refreshing:
            if self._closing.is_set():
                raise self._closed()
            before = self._served()
            opened = self._opener.open_newer(self._open, folds=folds)
            if opened is not None:
                with self._lock:
                    old, self._open = self._open, opened
                if old is not None:
                    old.retire()
            return self._served() != before
