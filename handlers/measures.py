"""What merges and folds write, and what of it had changed: their ratio is the write amplification."""

from __future__ import annotations

from receipt_dynamo_stream.round.fold_report import FoldReport
from receipt_dynamo_stream.round.report import ShardReport

from .step import measure, metrics

COPIES = 2
"""What is staged is written to EFS and to S3."""


def measure_merge(report: ShardReport) -> None:
    """Count what was staged. A changed record counts as large as the average of those that were written with it."""
    if report.segment is not None:
        size, records = report.segment.size, sum(receipt.records for receipt in report.segment.receipts)
    elif report.staged is not None:
        size, records = report.staged.size, report.staged.records
    else:
        return
    metrics().add_dimension(name="collection", value=report.collection)
    measure("BytesWritten", COPIES * size, "Bytes")
    measure("BytesChanged", report.counts.changed * size // max(1, records), "Bytes")


def measure_fold(report: FoldReport) -> None:
    """Count what was staged; none of it had changed."""
    metrics().add_dimension(name="collection", value=report.collection)
    measure("BytesWritten", COPIES * report.staged.size, "Bytes")
