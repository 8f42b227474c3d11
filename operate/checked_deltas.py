"""What a merge would say of a delta's files, wherever they are: in a folder, or at a prefix of a bucket.

Nothing is decided here: the same functions as a merge's fetch, decode and check.
"""

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from receipt_chroma.delta.archive import Files, gather
from receipt_chroma.delta.bounds import MAX_DELTA_BYTES
from receipt_chroma.delta.read import ARROW_FILE, TAR_FILE, decode_delta, fetch_delta
from receipt_chroma.delta.reader import delta_reader
from receipt_chroma.delta.write import belonging
from receipt_chroma.errors import DeltaRefused, DeltaTooLarge, WrongCollection
from receipt_chroma.records import Record
from receipt_chroma.shard.sqlite_files import SQLITE_FILE
from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.generations import collection_of
from receipt_dynamo_stream.grain import COLLECTIONS
from receipt_dynamo_stream.keys import ReceiptId

from operate.errors import UsageError


@dataclass(frozen=True)
class Belongs:
    """What a delta is checked against: None is what its own first record says."""

    collection: str | None = None
    receipt: ReceiptId | None = None
    dimension: int | None = None


@dataclass(frozen=True)
class CheckedDelta:
    """What a merge would say. records: in the delta; brings: of a run, how many of the receipt's records would have its
    vectors. error and message: why it would be refused. note: why a merge does not read it as it stands."""

    belongs: Belongs
    records: int | None = None
    brings: int | None = None
    error: str | None = None
    message: str | None = None
    note: str | None = None
    rows: tuple[Record, ...] = field(default=(), repr=False)

    def to_json(self) -> dict[str, Any]:
        """As plain values, without the rows."""
        receipt = self.belongs.receipt
        return {
            "collection": self.belongs.collection,
            "receipt": receipt.key if receipt else None,
            "dimension": self.belongs.dimension,
            "records": self.records,
            "brings": self.brings,
            "taken": self.error is None,
            "error": self.error,
            "message": self.message,
            "note": self.note,
        }


def check_path(path: Path, given: Belongs) -> CheckedDelta:
    """A file that ends with .arrow or .tar.gz, or a folder with one of them or a Chroma directory.

    Raises UsageError for a path that is neither.
    """
    try:
        form, files = _files_at(path)
    except DeltaRefused as error:
        return CheckedDelta(given, error=type(error).__name__, message=str(error))
    return check_files(form, files, given)


def check_files(form: str, files: Files, given: Belongs) -> CheckedDelta:
    """A delta's files, whose first record says what the caller does not."""
    found: tuple[Record, ...] = ()
    belongs = given
    try:
        found, collection = _decode(form, files, given.collection)
        own_collection, own_receipt = belonging(found)
        belongs = Belongs(
            collection or (own_collection if found else None),
            given.receipt or (own_receipt if found else None),
            given.dimension or (len(found[0].embedding) if found else None),
        )
        read = decode_delta(
            form,
            files,
            collection=belongs.collection or own_collection,
            receipt=belongs.receipt or own_receipt,
            dimension=belongs.dimension,
        )
        return CheckedDelta(belongs, records=len(read), rows=found)
    except DeltaRefused as error:
        return CheckedDelta(
            belongs, records=len(found) or None, error=type(error).__name__, message=str(error), rows=found
        )


def check_prefix(bucket: Bucket, prefix: str, given: Belongs) -> CheckedDelta:
    """A prefix of a bucket."""
    try:
        form, files = fetch_delta(bucket, prefix)
    except DeltaRefused as error:
        return CheckedDelta(given, error=type(error).__name__, message=str(error))
    return check_files(form, files, given)


def _decode(form: str, files: Files, collection: str | None) -> tuple[tuple[Record, ...], str | None]:
    """The records as they are, and of a Chroma directory the collection whose name it has."""
    if form == "arrow" or collection is not None:
        named = collection_of(collection) if collection else COLLECTIONS[0]
        return tuple(delta_reader.decode(form, named, files)), collection
    for one in COLLECTIONS[:-1]:
        with suppress(WrongCollection):
            return tuple(delta_reader.decode(form, one, files)), one
    return tuple(delta_reader.decode(form, COLLECTIONS[-1], files)), COLLECTIONS[-1]


def _files_at(path: Path) -> tuple[str, Files]:
    folder = path.is_dir()
    for form, name in (("arrow", ARROW_FILE), ("tar", TAR_FILE)):
        file = path / name if folder else path
        if file.is_file() and file.name.endswith(name.removeprefix("delta")):
            return form, {name: _content(file)}
    if folder:
        found = [file for file in sorted(path.rglob("*")) if file.is_file()]
        if any(file.name == SQLITE_FILE for file in found):
            contents = ((file.relative_to(path).as_posix(), _content(file)) for file in found)
            return "directory", gather(contents, str(path))
        raise UsageError(f"{path} has no {ARROW_FILE}, no {TAR_FILE} and no {SQLITE_FILE}")
    if path.exists():
        raise UsageError(f"{path} does not end with .arrow or .tar.gz, as a delta's file does")
    raise UsageError(f"{path} is not there")


def _content(file: Path) -> bytes:
    """Raises DeltaTooLarge, as fetching it would."""
    size = file.stat().st_size
    if size > MAX_DELTA_BYTES:
        raise DeltaTooLarge(f"{file} has {size} bytes, more than {MAX_DELTA_BYTES}")
    return file.read_bytes()
