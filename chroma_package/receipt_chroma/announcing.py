"""A producer's whole work for one receipt: both deltas, then the run that announces them."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from receipt_dynamo_stream.announce import put_run, run_item
from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.grain import COLLECTIONS
from receipt_dynamo_stream.keys import ReceiptId
from receipt_dynamo_stream.runs import CompactionRun, RunOfCollection

from receipt_chroma.delta.given import Given, records_of
from receipt_chroma.delta.read import ARROW_FILE
from receipt_chroma.delta.write import encode_checked

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

NO_MODELS: Final[Mapping[str, str]] = MappingProxyType({})


def announce_run(
    dynamodb: "DynamoDBClient",
    receipts_table: str,
    bucket: Bucket,
    receipt: ReceiptId,
    *,
    run_id: str,
    created_at: str,
    dimension: int | None = None,
    models: Mapping[str, str] = NO_MODELS,
    **given: Given,
) -> CompactionRun:
    """Upload a receipt's records of every collection, and announce them; returns the run.

    lines and words, the names of collections, are rows, columns or tables (see delta/given.py); a collection without
    records gets an empty delta.
    run_id is new for every run, created_at an ISO-8601 time: of two runs the later one wins, and one that is older than
    the receipt's `timestamp_added` counts for nothing. dimension: the collections' (default: the first vector's).
    models: by collection, of which embedding model its vectors are, where that is not its first generation's.

    Raises RecordsInvalid, RunInvalid and subclasses of DeltaRefused and ValueError for another name
    before anything is written; RunAnnounced and TransientServiceError. May be repeated with the same arguments.
    """
    parts = {
        one: RunOfCollection(f"{one}/delta/{run_id}/", model=models.get(one, ""))
        for one in (*COLLECTIONS, *given, *models)
    }
    run = CompactionRun(receipt, run_id, created_at=created_at, updated_at=created_at, collections=parts)
    run_item(run)  # raises for a run that could never be merged
    deltas = {
        one: encode_checked(records_of(given.get(one, ())), collection=one, receipt=receipt, dimension=dimension)
        for one in COLLECTIONS
    }
    for collection, content in deltas.items():
        bucket.put(f"{run.of(collection).delta_prefix}{ARROW_FILE}", content)
    put_run(dynamodb, receipts_table, run)
    return run
