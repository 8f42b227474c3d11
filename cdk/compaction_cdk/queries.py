"""Saved queries of CloudWatch Logs Insights: what docs/runbook.md asks of the logs, one click away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aws_cdk import aws_logs as logs
from constructs import Construct

LINES_OF_ONE_EXECUTION = "filter execution = 'PUT-ITS-NAME-HERE'"

QUERIES: Mapping[str, tuple[str, ...]] = {
    "Errors by name": (
        "filter level = 'ERROR'",
        "stats count() as times, latest(@timestamp) as last, latest(execution) as execution"
        " by exception_name, function_name",
        "sort times desc",
    ),
    "One execution": (
        LINES_OF_ONE_EXECUTION,
        "fields @timestamp, level, function_name, message, exception_name, round, shard",
        "sort @timestamp asc",
    ),
    "Refused deltas": (
        "filter message = 'delta refused'",
        "fields @timestamp, run_id, error, collection, execution",
        "sort @timestamp desc",
    ),
    "What was mended or left behind": (
        "filter level = 'WARNING'",
        "fields @timestamp, function_name, message, path, folder, bytes, error, execution",
        "sort @timestamp desc",
    ),
    "Slow steps": (
        "filter @type = 'REPORT'",
        "stats max(@duration) / 1000 as seconds, max(@maxMemoryUsed) / 1e6 as megabytes, count() as times by @log",
        "sort seconds desc",
    ),
}
"""The lines of each query, by its name. Of every function's log."""


class LogQueries(Construct):
    """The queries, in a folder of the deployment's name."""

    def __init__(self, scope: Construct, id: str, *, folder: str, log_groups: Sequence[logs.ILogGroup]) -> None:
        super().__init__(scope, id)
        for name, lines in QUERIES.items():
            logs.CfnQueryDefinition(
                self,
                name.replace(" ", ""),
                name=f"{folder}/{name}",
                query_string="\n| ".join(lines),
                log_group_names=[group.log_group_name for group in log_groups],
            )
