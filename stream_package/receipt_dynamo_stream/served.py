"""Read your own write: the version that a producer's run is in, once readers can see it."""

from typing import TYPE_CHECKING

from receipt_dynamo_stream import names
from receipt_dynamo_stream.errors import RunRefused
from receipt_dynamo_stream.generations import collection_of
from receipt_dynamo_stream.keys import ReceiptId
from receipt_dynamo_stream.retry import transient_errors
from receipt_dynamo_stream.runs import parse_compaction_run, run_key

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def served_version(
    dynamodb: "DynamoDBClient", receipts_table: str, receipt: ReceiptId, run_id: str, collection: str
) -> int | None:
    """The version from which on readers see the run; None while it is not COMPLETED. It is one of the generation that
    the run is of, see served_in; raises as that does."""
    found = served_in(dynamodb, receipts_table, receipt, run_id, collection)
    return None if found is None else found[1]


def served_in(
    dynamodb: "DynamoDBClient", receipts_table: str, receipt: ReceiptId, run_id: str, collection: str
) -> tuple[str, int] | None:
    """The generation of the collection into which the run was merged, and the version of that one from which on readers
    see the run, as long as that generation serves; None while it is not COMPLETED. One consistent read.

    Version 0 when it was completed by a release that did not write the version down: then every reader that refreshes
    sees it. Raises RunRefused when the run is FAILED, TransientServiceError.
    """
    with transient_errors():
        answer = dynamodb.get_item(TableName=receipts_table, Key=run_key(receipt, run_id), ConsistentRead=True)
    if "Item" not in answer:
        return None
    run = parse_compaction_run(answer["Item"]).of(collection)
    if run.state == names.FAILED:
        raise RunRefused(f"run {run_id} of {receipt.key} was refused for {collection}: {run.error}")
    return (run.generation or collection_of(collection), run.version or 0) if run.state == names.COMPLETED else None
