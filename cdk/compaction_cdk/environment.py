"""The environment of each function: what `handlers/settings.py` reads, and what Powertools needs."""

from __future__ import annotations

from collections.abc import Mapping

from .settings import Stage

NAMESPACE = "Compaction"
"""Of the metrics that the functions emit."""


def environments(
    *,
    service: str,
    stage: Stage,
    receipts_table: str,
    control_table: str,
    bucket: str,
    state_machine_arn: str,
    failure_queue_url: str,
    messages_queue_url: str | None,
    functions: tuple[str, ...],
) -> dict[str, Mapping[str, str]]:
    """Environment by function name. `service` is the dimension that tells one deployment's metrics from another's."""
    common = {
        "RECEIPTS_TABLE": receipts_table,
        "CONTROL_TABLE": control_table,
        "BUCKET": bucket,
        "POWERTOOLS_SERVICE_NAME": service,
        "POWERTOOLS_METRICS_NAMESPACE": NAMESPACE,
        "POWERTOOLS_LOG_LEVEL": "INFO",
    }
    own: dict[str, dict[str, str]] = {
        "StreamHandler": {"STATE_MACHINE_ARN": state_machine_arn, "FAILURE_QUEUE_URL": failure_queue_url},
        "PlanCompaction": {
            "DEFAULT_SHARDS": str(stage.shards),
            "MIN_COMMIT_INTERVAL_SECONDS": str(stage.min_commit_interval_seconds),
            "MAX_RECEIPTS_PER_ROUND": str(stage.max_receipts_per_round),
        },
        "ExpireSnapshots": {
            "KEEP_SNAPSHOTS": str(stage.keep_snapshots),
            "EXPIRE_GRACE_SECONDS": str(stage.expire_grace_seconds),
        },
    }
    if messages_queue_url is not None:
        own["StreamHandler"]["MESSAGES_QUEUE_URL"] = messages_queue_url
    return {function: {**common, **own.get(function, {})} for function in functions}
