"""The recorded history under the name that the changelog promises; it lives in `control.history`."""

from typing import TYPE_CHECKING

from receipt_dynamo_stream.control.history import ExecutionRow, Page
from receipt_dynamo_stream.control.table import ControlTable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

__all__ = ["ExecutionRow", "Page", "list_executions"]


def list_executions(
    client: "DynamoDBClient",
    table: str,
    collection: str,
    *,
    after: str | None = None,
    before: str | None = None,
    newest_first: bool = True,
    limit: int,
) -> Page:
    """`ControlTable(client, table).history(collection).page(…)`: at most `limit` rows between two sort keys."""
    history = ControlTable(client, table).history(collection)
    return history.page(after=after, before=before, newest_first=newest_first, limit=limit)
