"""Adopt: the records of an old Chroma directory become deltas and runs, one for each receipt, like any producer's.

docs/decisions/0022 has why a run is PENDING and when it says it was created. Everything here may be done again: ids and
keys follow from the receipt and its records, and what is there already stays.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from receipt_chroma.delta.arrow import encode_arrow
from receipt_chroma.delta.checks import check_bounds, checked_records
from receipt_chroma.delta.own_directory import own_directory
from receipt_chroma.delta.read import ARROW_FILE
from receipt_chroma.errors import DeltaRefused
from receipt_chroma.records import Record, content_of
from receipt_chroma.wanted import run_order
from receipt_dynamo_stream.announce import put_run
from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.errors import KeyMalformed
from receipt_dynamo_stream.facts import ReceiptFacts
from receipt_dynamo_stream.grain import COLLECTIONS, grain_of
from receipt_dynamo_stream.keys import ReceiptId, parse_record_id
from receipt_dynamo_stream.names import PENDING
from receipt_dynamo_stream.retry import transient_errors
from receipt_dynamo_stream.runs import CompactionRun, RunOfCollection, run_key
from receipt_dynamo_stream.times import instant

from operate.adopt.adopted import adopted_run_id
from operate.adopt.diagnosis import runs_that_count
from operate.errors import UsageError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

NO_ID, OTHER_COLLECTION, NO_RECEIPT = "no id of a record", "of another collection", "of no receipt"
REFUSED: Final = "refused"
OTHER_DIMENSION, ADOPTED_OTHERWISE = "of another dimension", "adopted before with other records"
NOT_OLDEST: Final = "its receipt has a run that is as old as itself"
"""What does not fit, and stays where it is."""

BEFORE_ALL: Final = "1970-01-01T00:00:00+00:00"
"""When a run of a receipt was created that does not say when itself was."""

EXAMPLES: Final = 3
_WORKERS: Final = 8


@dataclass
class Misfit:
    """Records that are not adopted, for one reason."""

    why: str
    records: int = 0
    examples: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class AdoptedRun:
    """A run that would be written; `records` as the directory has them."""

    run: CompactionRun
    collection: str
    records: Sequence[Record]

    @property
    def keys(self) -> Mapping[str, str]:
        """Collection -> key of its delta."""
        return {one: f"{self.run.of(one).delta_prefix}{ARROW_FILE}" for one in COLLECTIONS}


@dataclass
class Adoption:
    """What a directory would bring. there: receipts that were adopted from it before. again: receipts that are younger
    than a run of theirs, so that the directory may have records of an earlier receipt of the same id."""

    collection: str
    dimension: int | None
    records: int = 0
    there: int = 0
    again: list[ReceiptId] = field(default_factory=list)
    runs: list[AdoptedRun] = field(default_factory=list)
    misfits: dict[str, Misfit] = field(default_factory=dict)

    @property
    def adopted(self) -> int:
        """Records that would be written now."""
        return sum(len(one.records) for one in self.runs)

    def leave(self, why: str, *records: Record) -> None:
        """Say that records do not fit."""
        misfit = self.misfits.setdefault(why, Misfit(why))
        misfit.records += len(records)
        misfit.examples += [one.id[:200] for one in records[: EXAMPLES - len(misfit.examples)]]

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "collection": self.collection,
            "dimension": self.dimension,
            "records": self.records,
            "receipts": len(self.runs),
            "adopted_before": self.there,
            "adopted": self.adopted,
            "created_again": [one.key for one in self.again],
            "misfits": [vars(one) for one in self.misfits.values()],
        }


@contextmanager
def source_directory(source: str, s3: Callable[[], Any]) -> Iterator[Path]:
    """The directory that a source names: itself, or what lies below an `s3://bucket/prefix`, brought here meanwhile.

    Raises UsageError where nothing is.
    """
    if not source.startswith("s3://"):
        if not Path(source).is_dir():
            raise UsageError(f"{source} is no directory")
        yield Path(source)
        return
    name, _, prefix = source.removeprefix("s3://").strip("/").partition("/")
    bucket, prefix = Bucket(s3(), name), f"{prefix}/" if prefix else ""
    with TemporaryDirectory(prefix="adopt-") as folder:
        found = [one.key for one in bucket.list(prefix) if one.size]
        if not found:
            raise UsageError(f"nothing lies below {source}")
        for key in found:
            target = Path(folder) / key.removeprefix(prefix)
            if Path(folder) not in target.resolve().parents:
                raise UsageError(f"s3://{name}/{key} would leave the directory")
            target.parent.mkdir(parents=True, exist_ok=True)
            bucket.fetch(key, target)
        yield Path(folder)


@contextmanager
def plan_adoption(
    directory: Path, facts: Mapping[ReceiptId, ReceiptFacts], collection: str, *, dimension: int | None, now: str
) -> Iterator[Adoption]:
    """What adopting a directory's collection would write; the directory must stay as it is inside.

    dimension: the collection's, None while it has none. Raises subclasses of DeltaRefused for a directory that cannot
    be read: WrongCollection, WrongSpace, DeltaCorrupt and so on.
    """
    with own_directory(directory, collection) as records:
        found = next((len(record.embedding) for record in records), None)
        adoption = Adoption(collection, dimension or found, records=len(records))
        for receipt, some in _by_receipt(records, facts, adoption).items():
            fitting = _fitting(some, facts[receipt], adoption)
            if fitting:
                _add(adoption, facts[receipt], fitting, now)
        adoption.runs.sort(key=lambda one: one.run.receipt)
        yield adoption


def write_adoption(
    adoption: Adoption,
    *,
    bucket: Bucket,
    dynamodb: "DynamoDBClient",
    receipts_table: str,
    progress: Callable[[int], None] = lambda _done: None,
) -> int:
    """Upload the deltas and announce the runs, each delta before its run; returns how many receipts.

    progress is told how many receipts are done. Raises TransientServiceError, and others of AWS as they are: what is
    written stays, and the next call does the rest.
    """
    nothing = encode_arrow([])

    def write(one: AdoptedRun) -> None:
        receipt, own = one.run.receipt, one.collection
        checked = checked_records(one.records, collection=own, receipt=receipt, dimension=adoption.dimension)
        for collection, key in one.keys.items():
            bucket.put(key, encode_arrow(checked) if collection == own else nothing)
        put_run(dynamodb, receipts_table, one.run)

    with ThreadPoolExecutor(_WORKERS, thread_name_prefix="adopt") as pool:
        for done, _ in enumerate(pool.map(write, adoption.runs), start=1):
            progress(done)
    return len(adoption.runs)


def adopted_receipts(facts: Iterable[ReceiptFacts], collection: str) -> list[ReceiptId]:
    """The receipts that have an adopted run of a collection."""
    return sorted(
        one.receipt for one in facts if any(run.run_id == adopted_run_id(one.receipt, collection) for run in one.runs)
    )


def undo_adoption(
    receipts: Sequence[ReceiptId],
    collection: str,
    *,
    dynamodb: "DynamoDBClient",
    receipts_table: str,
    progress: Callable[[int], None] = lambda _done: None,
) -> None:
    """Delete the adopted runs of these receipts; may be repeated. Their deltas stay in the bucket, named by nothing.

    Raises TransientServiceError, and others of AWS as they are.
    """

    def delete(receipt: ReceiptId) -> None:
        dynamodb.delete_item(TableName=receipts_table, Key=run_key(receipt, adopted_run_id(receipt, collection)))

    with transient_errors(), ThreadPoolExecutor(_WORKERS, thread_name_prefix="adopt") as pool:
        for done, _ in enumerate(pool.map(delete, receipts), start=1):
            progress(done)


def _by_receipt(
    records: Iterable[Record], facts: Mapping[ReceiptId, ReceiptFacts], adoption: Adoption
) -> dict[ReceiptId, list[Record]]:
    found: dict[ReceiptId, list[Record]] = {}
    grain = grain_of(adoption.collection)
    for record in records:
        try:
            parsed = parse_record_id(record.id)
        except KeyMalformed:
            adoption.leave(NO_ID, record)
            continue
        own = facts.get(parsed.receipt)
        if parsed.grain != grain:
            adoption.leave(OTHER_COLLECTION, record)
        elif own is None or not own.exists:
            adoption.leave(NO_RECEIPT, record)
        elif parsed.part not in own.parts(grain):
            adoption.leave(f"record without {grain.one}", record)
        elif len(record.embedding) != adoption.dimension:
            adoption.leave(OTHER_DIMENSION, record)
        else:
            found.setdefault(parsed.receipt, []).append(record)
    return found


def _fitting(records: list[Record], facts: ReceiptFacts, adoption: Adoption) -> list[Record]:
    """Those that a merge takes: one bad record would refuse the receipt's whole delta."""

    def check(*some: Record) -> DeltaRefused | None:
        try:
            check_bounds(some)
            checked_records(some, collection=adoption.collection, receipt=facts.receipt, dimension=adoption.dimension)
        except DeltaRefused as error:
            return error
        return None

    if check(*records) is None:
        return records
    fitting = []
    for record in records:
        if (error := check(record)) is None:
            fitting.append(record)
        else:
            adoption.leave(f"{REFUSED}: {type(error).__name__}", record)
    if (error := check(*fitting)) is not None:  # too many, or too large together
        adoption.leave(f"{REFUSED}: {type(error).__name__}", *fitting)
        return []
    return fitting


def _add(adoption: Adoption, facts: ReceiptFacts, records: list[Record], now: str) -> None:
    collection, receipt = adoption.collection, facts.receipt
    run_id = adopted_run_id(receipt, collection)
    digest = content_of(receipt.key, records).digest
    prefixes = {one: f"{one}/delta/{run_id}/{digest[:16]}/" for one in COLLECTIONS}
    standing = next((run for run in facts.runs if run.run_id == run_id), None)
    if standing is not None:
        if standing.delta_prefix == prefixes[collection]:
            adoption.there += 1
        else:
            adoption.leave(ADOPTED_OTHERWISE, *records)
        return
    created_at = facts.timestamp_added if instant(facts.timestamp_added) is not None else BEFORE_ALL
    run = CompactionRun(
        receipt,
        run_id,
        created_at=created_at,
        updated_at=now,
        collections={one: RunOfCollection(prefix, PENDING) for one, prefix in prefixes.items()},
    )
    order = (instant(created_at), run_id)
    if any(run_order(other) <= order for other in runs_that_count(facts, collection)):
        adoption.leave(NOT_OLDEST, *records)
        return
    adoption.runs.append(AdoptedRun(run, collection, records))
    added = instant(facts.timestamp_added)
    if added is not None and any((made := instant(one.created_at)) and made < added for one in facts.runs):
        adoption.again.append(receipt)
