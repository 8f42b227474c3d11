"""SwapPointer: the commit projected onto EFS, as one file that only moves forward.

`CURRENT` is one JSON line. It is written by temp file, fsync and rename under a lock on `CURRENT.lock`, a file of its
own that is never renamed. NFS locks can be lost; then two writers could cross, and the next execution puts it right.
"""

import fcntl
import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from receipt_dynamo_stream.control.head import Pointer, parse_snapshot_id

from receipt_chroma.errors import NoSnapshotYet, SnapshotUnavailable
from receipt_chroma.storage.files import storage_errors, write_atomically
from receipt_chroma.storage.tree import CURRENT, CURRENT_LOCK, collection_folder

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

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Decode; raises ValueError, KeyError or TypeError for anything else."""
        earlier = value.get("before")
        return cls(
            version=int(value["version"]),
            snapshot_id=str(value["snapshot_id"]),
            manifest_sha256=str(value["manifest_sha256"]),
            fence=int(value["fence"]),
            before=None if earlier is None else cls.from_json(earlier),
        )


def read_current(efs_root: Path, collection: str) -> Current:
    """CURRENT, opened anew. Raises NoSnapshotYet, SnapshotUnavailable when it cannot be read, StorageUnavailable."""
    path = collection_folder(efs_root, collection) / CURRENT
    try:
        with storage_errors():
            text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise NoSnapshotYet(f"{path} is not there: nothing was published for {collection} yet") from error
    except UnicodeDecodeError as error:
        raise SnapshotUnavailable(f"{path} is no pointer: {error}") from error
    try:
        return Current.from_json(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SnapshotUnavailable(f"{path} is no pointer ({error!r}): the next execution writes it again") from error


def swap_pointer(efs_root: Path, collection: str, pointer: Pointer, *, before: Pointer | None = None) -> bool:
    """Project a committed pointer onto EFS; True when CURRENT moved, False when it is there or further already.

    before: what readers may fall back to (lineage.falls_back_to), so that they know it without the manifest.

    The snapshot's files must be on EFS before (download_snapshot). May run twice, late, and at once with others. Raises
    StorageUnavailable.
    """
    folder, new = collection_folder(efs_root, collection), Current.of(pointer, before)
    with storage_errors():
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder / CURRENT_LOCK):
            try:
                old = read_current(efs_root, collection)
            except NoSnapshotYet:
                old = None
            except SnapshotUnavailable:
                logger.warning("CURRENT cannot be read and is written again", extra={"collection": collection})
                old = None
            if old is not None and old.place >= new.place:
                return False
            write_atomically(folder / CURRENT, (json.dumps(asdict(new)) + "\n").encode())
            return True


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # released when the file is closed; Linux makes it a byte-range lock on NFS
        yield
