"""A batch producer's whole work: a delta of many receipts, split into one delta and one run for each of them.

An item COMPACTION_RUN is of one receipt, and so is what a merge reads and what can be refused: so a batch is split
where it is made, and from then on its runs are like any others.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import UUID

from receipt_dynamo_stream.announce import put_run, run_item
from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.errors import KeyMalformed
from receipt_dynamo_stream.grain import COLLECTIONS, grain_of
from receipt_dynamo_stream.keys import ReceiptId, parse_record_id
from receipt_dynamo_stream.runs import CompactionRun, RunOfCollection

from receipt_chroma.announcing import NO_MODELS
from receipt_chroma.delta.arrow import read_arrow_delta
from receipt_chroma.delta.bounds import OF_OWN
from receipt_chroma.delta.given import Given, records_of
from receipt_chroma.delta.own_directory import own_directory
from receipt_chroma.delta.read import ARROW_FILE
from receipt_chroma.delta.write import encode_checked
from receipt_chroma.errors import ForeignRecord
from receipt_chroma.records import Record, content_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_WORKERS: Final = 8


@contextmanager
def read_batch(place: Path, collection: str) -> Iterator[Sequence[Record]]:
    """The records of an `.arrow` file or of a collection of a Chroma directory, of any number of receipts.

    The place must stay as it is inside. Raises subclasses of DeltaRefused.
    """
    if place.is_dir():
        with own_directory(place, collection) as records:
            yield records
    else:
        yield read_arrow_delta(place.read_bytes(), bounds=OF_OWN)


def announce_batch(
    dynamodb: "DynamoDBClient",
    receipts_table: str,
    bucket: Bucket,
    *,
    created_at: str,
    dimension: int | None = None,
    models: Mapping[str, str] = NO_MODELS,
    **given: Given,
) -> list[CompactionRun]:
    """Upload the records of many receipts as one delta for each of them, announce these, and return the runs.

    lines and words, the names of collections, are rows, columns or tables (see delta/given.py). A receipt that has no
    records of a collection gets an empty delta of it. created_at is an ISO-8601 time, as of any run. dimension: the
    collections' (default: the first vector's of each receipt). models: by collection, of which embedding model its
    vectors are, where that is not its first generation's. A run's id follows from its records and models: a call may be
    repeated, and announces what is not announced yet; the same records of a receipt are the same run, whenever they
    come.

    Raises RecordsInvalid, RunInvalid, subclasses of DeltaRefused, and ValueError for another name, before anything is
    written; TransientServiceError.
    """
    for name in (*given, *models):
        grain_of(name)
    found = {collection: _by_receipt(records_of(given.get(collection, ()))) for collection in COLLECTIONS}
    planned = []
    for receipt in sorted({receipt for some in found.values() for receipt in some}):
        records = {collection: some.get(receipt, []) for collection, some in found.items()}
        deltas = {
            collection: encode_checked(some, collection=collection, receipt=receipt, dimension=dimension)
            for collection, some in records.items()
        }
        run = _run(receipt, records, created_at, models)
        run_item(run)  # raises for a run that could never be merged
        planned.append((run, deltas))

    def write(one: tuple[CompactionRun, dict[str, bytes]]) -> CompactionRun:
        run, deltas = one
        for collection, content in deltas.items():
            bucket.put(f"{run.of(collection).delta_prefix}{ARROW_FILE}", content)
        put_run(dynamodb, receipts_table, run)
        return run

    with ThreadPoolExecutor(_WORKERS, thread_name_prefix="announce") as pool:
        return list(pool.map(write, planned))


def _by_receipt(records: Sequence[Record]) -> dict[ReceiptId, list[Record]]:
    found: dict[ReceiptId, list[Record]] = {}
    for record in records:
        try:
            receipt = parse_record_id(record.id).receipt
        except KeyMalformed as error:
            raise ForeignRecord(str(error)) from error
        found.setdefault(receipt, []).append(record)
    return found


def _run(
    receipt: ReceiptId, records: dict[str, list[Record]], created_at: str, models: Mapping[str, str]
) -> CompactionRun:
    contents = "".join(content_of(receipt.key, records[collection]).digest for collection in COLLECTIONS)
    contents += "".join(f" {name} {model}" for name, model in sorted(models.items()) if model)
    run_id = str(UUID(sha256(f"{receipt.key}{contents}".encode()).hexdigest()[:32]))
    parts = {one: RunOfCollection(f"{one}/delta/{run_id}/", model=models.get(one, "")) for one in COLLECTIONS}
    return CompactionRun(receipt, run_id, created_at=created_at, updated_at=created_at, collections=parts)
