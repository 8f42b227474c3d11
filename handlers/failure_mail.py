"""What people are told of a failed execution: what it was, what it means, and where to look."""

from __future__ import annotations

from receipt_dynamo_stream.control.history import ExecutionRow
from receipt_dynamo_stream.texts import one_line
from receipt_dynamo_stream.times import seconds_between

SUBJECT_CHARACTERS = 100  # what SNS takes
CONSOLES = {"aws-cn": "console.amazonaws.cn", "aws-us-gov": "console.amazonaws-us-gov.com"}
NO_ERROR = "without an error's name"


def subject(row: ExecutionRow) -> str:
    """One line of ASCII, as SNS wants it."""
    text = f"{row.collection}: execution {row.status.lower()}: {one_line(row.error or NO_ERROR)}"
    return text.encode("ascii", "replace").decode()[:SUBJECT_CHARACTERS]


def text(row: ExecutionRow) -> str:
    """The mail of an execution that failed or timed out."""
    seconds = seconds_between(row.started_at, row.ended_at or row.started_at) or 0.0
    if row.mode == "verify" and row.snapshot_id is None:
        then = "A version could not be proved again, and nothing heals that by itself: see ScrubFailures."
    else:
        then = "Nothing has to be cleaned up: the next execution plans the same changes again."
    lines = (
        f"An execution of {row.collection} ended as {row.status}.",
        "",
        f"Error:      {row.error or NO_ERROR}",
        f"Cause:      {row.cause or 'none was given'}",
        f"Execution:  {row.name}",
        f"Mode:       {row.mode}, started by {row.trigger} at {row.started_at}, ended after {seconds:.0f} s",
        f"Look at it: {link(row.arn)}",
        "",
        then,
        f"What it means and what to do: docs/runbook.md, section {row.error or 'ExecutionsFailed'}.",
        f"$ compaction history {row.collection}",
        "",
        "The same error of this collection is not mailed again within an hour.",
    )
    return "\n".join(map(one_line, lines))


def link(arn: str) -> str:
    """The execution's page in the AWS console."""
    _, partition, _, region, *_ = arn.split(":")
    host = CONSOLES.get(partition, "console.aws.amazon.com")
    return f"https://{region}.{host}/states/home?region={region}#/v2/executions/details/{arn}"
