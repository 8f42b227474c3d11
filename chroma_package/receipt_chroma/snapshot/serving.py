"""SERVING: which generation of a collection readers follow, as one line that only moves forward.

It stands beside the collection's own CURRENT, on EFS and in the bucket, and obeys the laws of that one: it is written
under the same lock on EFS, and in the bucket over the very object that was compared with. Where it was never written,
the collection itself serves.
"""

import json
import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.generations import collection_of

from receipt_chroma.errors import SnapshotUnavailable
from receipt_chroma.snapshot.pointer import current_lock
from receipt_chroma.snapshot.stored_pointer import write_forward
from receipt_chroma.storage.files import clear_way, storage_errors, write_atomically
from receipt_chroma.storage.tree import SERVING, collection_folder, object_key

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Serving:
    """What SERVING says. order: how often that has changed; of two the one with the higher order is the later one."""

    generation: str
    order: int

    def __lt__(self, other: "Serving") -> bool:
        return self.order < other.order

    def encode(self) -> bytes:
        """The stored form: one JSON line."""
        return (json.dumps(asdict(self)) + "\n").encode()

    @classmethod
    def decode(cls, text: str | bytes, where: str) -> Self:
        """What encode gave. Raises SnapshotUnavailable."""
        try:
            value = json.loads(text)
            serving = cls(str(value["generation"]), int(value["order"]))
            collection_of(serving.generation)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise SnapshotUnavailable(
                f"{where} names no generation ({error!r}): the next scheduled execution writes it again"
            ) from error
        return serving

    def is_passed_by(self, there: "Serving") -> bool:
        """Whether SERVING says this already, or something later: it only moves forward."""
        return there.order >= self.order


def read_serving(efs_root: Path, collection: str) -> Serving:
    """SERVING on EFS, opened anew. Raises SnapshotUnavailable when it cannot be read, StorageUnavailable."""
    path = collection_folder(efs_root, collection) / SERVING
    try:
        with storage_errors():
            text = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return Serving(collection, 0)
    except IsADirectoryError as error:
        raise SnapshotUnavailable(f"{path} is a folder: the next scheduled execution writes it again") from error
    return serving_of(collection, text, str(path))


def swap_serving(efs_root: Path, collection: str, serving: Serving) -> bool:
    """Project a committed switch onto EFS; True when SERVING was written, False when it is there or further already.

    The generation's CURRENT must be on EFS before. May run twice, late, and at once with others. Raises
    StorageUnavailable.
    """
    folder = collection_folder(efs_root, collection)
    with storage_errors():
        clear_way(folder / SERVING, below=folder)
        with current_lock(folder):
            try:
                if serving.is_passed_by(read_serving(efs_root, collection)):
                    return False
            except SnapshotUnavailable:
                logger.warning("SERVING cannot be read and is written again", extra={"collection": collection})
            write_atomically(folder / SERVING, serving.encode())
            return True


def read_stored_serving(bucket: Bucket, collection: str) -> Serving:
    """SERVING in the bucket. Raises SnapshotUnavailable when it cannot be read, TransientServiceError."""
    key = object_key(collection, SERVING)
    content = bucket.find(key)
    return Serving(collection, 0) if content is None else serving_of(collection, content, f"s3://{bucket.name}/{key}")


def swap_stored_serving(bucket: Bucket, collection: str, serving: Serving) -> bool:
    """Project a committed switch onto the bucket; True when SERVING was written, False when it is there or further.

    May run twice, late, and at once with others. Raises TransientServiceError.
    """
    key = object_key(collection, SERVING)

    def is_passed_by(content: bytes | None) -> bool:
        there = Serving(collection, 0) if content is None else serving_of(collection, content, key)
        return serving.is_passed_by(there)

    return write_forward(bucket, key, serving.encode(), is_passed_by)


def serving_of(collection: str, text: bytes, where: str) -> Serving:
    """What SERVING of this collection says. Raises SnapshotUnavailable, also where it names another collection's."""
    serving = Serving.decode(text, where)
    if collection_of(serving.generation) != collection:
        raise SnapshotUnavailable(
            f"{where} names {serving.generation}, no generation of {collection}: the next scheduled execution writes"
            " it again"
        )
    return serving
