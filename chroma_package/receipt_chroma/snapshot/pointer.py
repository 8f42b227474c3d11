"""CURRENT: the commit projected onto EFS, as one file that only moves forward.

`CURRENT` is one JSON line. It is written by temp file, fsync and rename under a lock on `CURRENT.lock`, a file of its
own that is never renamed. NFS locks can be lost; then two writers could cross, and the next execution puts it right.
"""

import fcntl
import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

from receipt_dynamo_stream.control.head import Pointer, parse_snapshot_id
from receipt_dynamo_stream.invariants import versions_only_grow

from receipt_chroma.errors import CurrentGone, NoSnapshotYet, SnapshotUnavailable
from receipt_chroma.storage.files import clear_way, file_size, storage_errors, write_atomically
from receipt_chroma.storage.tree import CURRENT, CURRENT_LOCK, collection_folder, published_mark

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Current:
    """What CURRENT says; fence is that of the execution that committed the snapshot.

    before: what a reader may fall back to when not even the manifest can be read; None when CURRENT does not say.
    """

    version: int
    snapshot_id: str
    manifest_sha256: str
    fence: int
    before: "Current | None" = None

    @property
    def place(self) -> tuple[int, int]:
        """(version, fence): CURRENT only moves to a higher one."""
        return self.version, self.fence

    @classmethod
    def of(cls, pointer: Pointer, before: Pointer | None = None) -> Self:
        """What CURRENT says once the pointer is projected."""
        fence = parse_snapshot_id(pointer.snapshot_id).fence
        earlier = None if before is None else cls.of(before)
        return cls(pointer.version, pointer.snapshot_id, pointer.manifest_sha256, fence, earlier)

    def encode(self) -> bytes:
        """The stored form: one JSON line."""
        return (json.dumps(asdict(self)) + "\n").encode()

    @classmethod
    def decode(cls, text: str | bytes, where: str) -> Self:
        """What encode gave. Raises SnapshotUnavailable."""
        try:
            return cls.from_json(json.loads(text))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise SnapshotUnavailable(
                f"{where} is no pointer ({error!r}): the next scheduled execution writes it again"
            ) from error

    def is_passed_by(self, there: "Current | None") -> bool:
        """Whether CURRENT says this already, or names something later: it only moves forward."""
        return there is not None and (there.place > self.place or replace(there, before=self.before) == self)

    def goes_over(self, there: "Current | None") -> bool:
        """Whether CURRENT is to be written over what is there. Raises InvariantViolated where it would go back."""
        if self.is_passed_by(there):
            return False
        versions_only_grow("CURRENT", there.place if there else (0, 0), self.place)
        return True

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Decode; raises ValueError, KeyError or TypeError for anything else."""
        earlier = value.get("before")
        current = cls(
            version=int(value["version"]),
            snapshot_id=str(value["snapshot_id"]),
            manifest_sha256=str(value["manifest_sha256"]),
            fence=int(value["fence"]),
            before=None if earlier is None else cls.from_json(earlier),
        )
        named = parse_snapshot_id(current.snapshot_id)
        if (named.version, named.fence) != current.place:
            raise ValueError(f"version {current.version} and fence {current.fence} are not those of its snapshot id")
        return current


def read_current(efs_root: Path, collection: str) -> Current:
    """CURRENT, opened anew. Raises NoSnapshotYet, CurrentGone when something was published and it is not there,
    SnapshotUnavailable when it cannot be read, StorageUnavailable."""
    path = collection_folder(efs_root, collection) / CURRENT
    try:
        with storage_errors():
            text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError) as error:
        with storage_errors():
            if _was_published(efs_root, collection):
                raise CurrentGone(f"{path} is gone: the next scheduled execution writes it again") from error
        missing = "" if efs_root.is_dir() else f" ({efs_root} is no folder)"
        raise NoSnapshotYet(f"{path} is not there{missing}: nothing was published for {collection} yet") from error
    except IsADirectoryError as error:
        raise SnapshotUnavailable(f"{path} is a folder: the next scheduled execution writes it again") from error
    except UnicodeDecodeError as error:
        raise SnapshotUnavailable(f"{path} is no pointer: {error}") from error
    return Current.decode(text, str(path))


def _was_published(efs_root: Path, collection: str) -> bool:
    """Whether CURRENT was there once: the mark beside the folder says so, or the lock that is taken to write it."""
    lock = collection_folder(efs_root, collection) / CURRENT_LOCK
    return any(file_size(path) is not None for path in (published_mark(efs_root, collection), lock))


def swap_pointer(efs_root: Path, collection: str, pointer: Pointer, *, before: Pointer | None = None) -> bool:
    """Project a committed pointer onto EFS; True when CURRENT was written, False when it is there or further already.

    before: what readers may fall back to (lineage.falls_back_to), so that they know it without the manifest.

    The snapshot's files must be on EFS before (download_snapshot). May run twice, late, and at once with others. Raises
    StorageUnavailable.
    """
    folder, new = collection_folder(efs_root, collection), Current.of(pointer, before)
    with storage_errors():
        clear_way(folder / CURRENT, below=folder)
        with current_lock(folder):
            try:
                old = read_current(efs_root, collection)
            except NoSnapshotYet:
                old = None
            except SnapshotUnavailable:
                logger.warning("CURRENT cannot be read and is written again", extra={"collection": collection})
                old = None
            if not new.goes_over(old):
                return False
            write_atomically(folder / CURRENT, new.encode())
            published_mark(efs_root, collection).touch()
            return True


@contextmanager
def current_lock(folder: Path) -> Iterator[None]:
    """The lock on what readers follow in a collection's folder, which is made where it is not there."""
    clear_way(folder / CURRENT_LOCK, below=folder)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / CURRENT_LOCK).open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # released when the file is closed; Linux makes it a byte-range lock on NFS
        yield
