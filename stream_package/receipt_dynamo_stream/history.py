"""The recorded history under the name that the changelog promises; it lives in `control.history`."""

from receipt_dynamo_stream.control.history import ExecutionRow, list_executions

__all__ = ["ExecutionRow", "list_executions"]
