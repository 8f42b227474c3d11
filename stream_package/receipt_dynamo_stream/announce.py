"""Announcing a run: the COMPACTION_RUN item that a producer puts once its deltas are uploaded.

docs/producers.md has the item field by field, `compaction_run.schema.json` beside this file is its JSON Schema.
"""

import json
from importlib import resources
from typing import TYPE_CHECKING, Any

from receipt_dynamo_stream import names
from receipt_dynamo_stream.attributes import null_or_string, number, string
from receipt_dynamo_stream.conditions import refused_item
from receipt_dynamo_stream.errors import RunAnnounced, RunInvalid
from receipt_dynamo_stream.grain import COLLECTIONS
from receipt_dynamo_stream.retry import transient_errors
from receipt_dynamo_stream.runs import CompactionRun, delta_location, parse_compaction_run, run_key
from receipt_dynamo_stream.times import instant

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def put_run(client: "DynamoDBClient", receipts_table: str, run: CompactionRun) -> None:
    """Announce a run. One that was announced before with the same prefixes and models stays as it is: a call may be
    repeated.

    Raises RunInvalid before anything is written, RunAnnounced, TransientServiceError.
    """
    from botocore.exceptions import ClientError

    item = run_item(run)
    with transient_errors():
        try:
            client.put_item(
                TableName=receipts_table,
                Item=item,
                ConditionExpression="attribute_not_exists(PK)",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            standing = parse_compaction_run(refused_item(error) or item)
            if any(_says(standing, one) != _says(run, one) for one in COLLECTIONS):
                raise RunAnnounced(
                    f"run {run.run_id} of {run.receipt.key} is there with other deltas or models:"
                    " announce a run of a new id"
                ) from error


def _says(run: CompactionRun, collection: str) -> tuple[str, str]:
    return run.of(collection).delta_prefix, run.of(collection).model


def run_item(run: CompactionRun) -> dict[str, Any]:
    """The item of a run, as parse_compaction_run reads it back. Raises RunInvalid for what could never be merged."""
    key = run_key(run.receipt, run.run_id)
    per_collection: dict[str, Any] = {}
    for name in COLLECTIONS:
        part = run.of(name)
        per_collection |= {
            f"{name}_delta_prefix": string(part.delta_prefix),
            f"{name}_state": string(part.state),
            f"{name}_merged_vectors": number(part.merged_vectors),
            f"{name}_started_at": null_or_string(part.started_at),
            f"{name}_finished_at": null_or_string(part.finished_at),
            f"{name}_error": null_or_string(part.error),
            **({} if part.note is None else {f"{name}_note": string(part.note)}),
            **({f"{name}_model": string(part.model)} if part.model else {}),
        }
    item = {
        **key,
        "TYPE": string(names.COMPACTION_RUN),
        "run_id": string(run.run_id),
        "image_id": string(run.receipt.image_id),
        "receipt_id": number(run.receipt.receipt_id),
        **per_collection,
        "created_at": null_or_string(run.created_at),
        "updated_at": null_or_string(run.updated_at),
    }
    _check(run, item)
    return item


def compaction_run_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of the item, in DynamoDB's typed JSON: as `aws dynamodb put-item` takes it."""
    text = resources.files(__package__).joinpath("compaction_run.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def _check(run: CompactionRun, item: dict[str, Any]) -> None:
    try:
        read_back = parse_compaction_run(item)
    except ValueError as error:
        raise RunInvalid(f"the run's image id, receipt id or run id makes no key: {error}") from error
    if read_back != run:
        raise RunInvalid(f"the run would be read back as another: {read_back}")
    if instant(run.created_at) is None:
        raise RunInvalid(f"created_at is {run.created_at!r}: an ISO-8601 time with an offset, such as …T12:00:00+00:00")
    for name in COLLECTIONS:
        prefix = run.of(name).delta_prefix
        if not prefix:
            raise RunInvalid(f"{name}_delta_prefix is missing: a collection without records has an empty delta")
        if not prefix.startswith("s3://") and delta_location(prefix, "").is_of_the_pipeline:
            raise RunInvalid(f"{name}_delta_prefix {prefix[:200]!r} is a place that the pipeline writes")
