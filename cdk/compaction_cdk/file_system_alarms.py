"""The alarms on what EFS holds, and what that and its bytes cost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypedDict

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_efs as efs
from prices import PRICES

DAYS_OF_A_MONTH = 30.4
GROWTH_PERCENT = 5
"""Of a day. Three such days one after the other are no burst of new receipts."""
A_DAY = Duration.days(1)


class Rules(TypedDict, total=False):
    """What CompactionAlarms asks of an alarm, beside its name and metric."""

    what: str
    above: float
    periods: int


def of_file_system(
    file_system: efs.IFileSystem, dollars_a_month: int
) -> Iterator[tuple[str, cloudwatch.IMetric, Rules]]:
    """Name, metric and rules of each alarm."""

    def metric(name: str, statistic: str, period: Duration, **dimensions: str) -> cloudwatch.Metric:
        return cloudwatch.Metric(
            namespace="AWS/EFS",
            metric_name=name,
            dimensions_map={"FileSystemId": file_system.file_system_id, **dimensions},
            statistic=statistic,
            period=period,
        )

    stored = metric("StorageBytes", "Maximum", A_DAY, StorageClass="Total")
    yield (
        "FileSystemLimit",
        metric("PercentIOLimit", "Maximum", Duration.minutes(5)),
        {
            "above": 80,
            "periods": 3,
            "what": "The file system is near its limit of operations. Readers get slow: raise the commit interval, or"
            " let fewer readers open snapshots at once.",
        },
    )
    yield (
        "StorageGrowing",
        cloudwatch.MathExpression(
            expression="100 * DIFF(stored) / stored",
            using_metrics={"stored": stored},
            period=A_DAY,
            label="growth of a day (%)",
        ),
        {
            "above": GROWTH_PERCENT,
            "periods": 3,
            "what": f"What EFS holds grew by more than {GROWTH_PERCENT} % a day, three days long: expiry does not keep"
            " up, versions are pinned, or the collections themselves grow.",
        },
    )
    price = {name: value[0] for name, value in PRICES.items()}
    yield (
        "FileSystemSpend",
        cloudwatch.MathExpression(
            expression=f"(FILL(read, 0) * {price['efs_read']} + FILL(written, 0) * {price['efs_write']})"
            f" * {DAYS_OF_A_MONTH} / 1000000000 + stored * {price['efs_month']} / 1000000000",
            using_metrics={
                "read": metric("DataReadIOBytes", "Sum", A_DAY),
                "written": metric("DataWriteIOBytes", "Sum", A_DAY),
                "stored": stored,
            },
            period=A_DAY,
            label="dollars a month at the pace of this day",
        ),
        {
            "above": dollars_a_month,
            "what": f"At the pace of this day EFS will cost more than {dollars_a_month} dollars a month, the stage's"
            " efs_dollars_a_month. Folds and readers move most of it.",
        },
    )
