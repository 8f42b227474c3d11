"""One dashboard: is it fresh, is it working, what does it cost."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from .alarms import CompactionAlarms


class CompactionDashboard(Construct):
    """`dashboard`: the alarms, the backlog by collection, what the stream brought, how long merges take, and what
    folds do."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        name: str,
        alarms: CompactionAlarms,
        collections: Sequence[str],
        merge: lambda_.IFunction,
    ) -> None:
        super().__init__(scope, id)
        own = alarms.own

        def by_collection(title: str, metric: str, statistic: str) -> cloudwatch.GraphWidget:
            lines: list[cloudwatch.IMetric] = [own(metric, statistic, c).with_(label=c) for c in collections]
            return cloudwatch.GraphWidget(title=title, left=lines, width=8)

        def amplification(collection: str) -> cloudwatch.MathExpression:
            return cloudwatch.MathExpression(
                expression=f"written_{collection} / changed_{collection}",
                using_metrics={
                    f"written_{collection}": own("BytesWritten", "Sum", collection),
                    f"changed_{collection}": own("BytesChanged", "Sum", collection),
                },
                label=collection,
                period=Duration.days(1),
            )

        self.dashboard = cloudwatch.Dashboard(
            self,
            "Dashboard",
            dashboard_name=name,
            widgets=[
                [
                    cloudwatch.AlarmStatusWidget(
                        title="Alarms", alarms=list(alarms.by_name.values()), width=24, height=3
                    )
                ],
                [
                    by_collection("Oldest pending change (s)", "OldestPendingAge", "Maximum"),
                    by_collection("Receipts pending", "PendingReceipts", "Maximum"),
                    by_collection("Receipts settled", "SettledReceipts", "Sum"),
                ],
                [
                    cloudwatch.GraphWidget(
                        title="Stream records and what mattered",
                        left=[
                            own(name, "Sum")
                            for name in ("StreamRecords", "RelevantChanges", "PendingMarks", "MessagesPublished")
                        ],
                        right=[own("UnparsableRecords", "Sum"), own("FailedMarks", "Sum")],
                        width=8,
                    ),
                    cloudwatch.GraphWidget(
                        title="Age of the oldest stream record (s)", left=[own("OldestRecordAge", "Maximum")], width=8
                    ),
                    cloudwatch.GraphWidget(
                        title="Merge of a shard (ms)",
                        left=[merge.metric_duration(statistic="p50"), merge.metric_duration(statistic="Maximum")],
                        width=8,
                    ),
                ],
                [
                    by_collection("Records in segments", "FreshRecords", "Maximum"),
                    by_collection("Folds", "Folds", "Sum"),
                    cloudwatch.GraphWidget(
                        title="Bytes written to EFS and S3 a byte of changed records",
                        left=[amplification(c) for c in collections],
                        width=8,
                    ),
                ],
                [
                    by_collection("Executions failed", "ExecutionsFailed", "Sum"),
                    by_collection("Executions fenced", "ExecutionsFenced", "Sum"),
                    by_collection("Runs quarantined", "QuarantinedRuns", "Sum"),
                ],
                [
                    by_collection("Runs noted", "NotedRuns", "Sum"),
                    cloudwatch.GraphWidget(
                        title="Invariants checked, and violated",
                        left=[alarms.by_invariant("invariant_checked")],
                        right=[own("invariant_violated", "Sum")],
                        width=8,
                    ),
                ],
            ],
        )
