"""The environment of each function: what `handlers/settings.py` reads, and what Powertools needs."""

from __future__ import annotations

from collections.abc import Mapping

from .settings import Stage

NAMESPACE = "Compaction"
"""Of the metrics that the functions emit."""

KNOW_THE_BOUND = ("MergeDeltas", "WriteManifest", "PrepareRollback", "SwapPointer", "PlanFold", "WriteFold")
"""The functions that ask how much may lie in a shard's segments."""


def fold_bound(stage: Stage) -> dict[str, str]:
    """The parts that the stage gives; the functions have a default for the others."""
    given = {
        "FOLD_LEAST": stage.fold_least,
        "FOLD_MOST": stage.fold_most,
        "FOLD_SHARE": stage.fold_share,
        "FOLD_SEGMENTS": stage.fold_segments,
    }
    return {name: str(value) for name, value in given.items() if value is not None}


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
    alerts_topic_arn: str,
    functions: tuple[str, ...],
    delta_buckets: tuple[str, ...] = (),
    probe: bool = False,
) -> dict[str, Mapping[str, str]]:
    """Environment by function name. `service` is the dimension that tells one deployment's metrics from another's."""
    common = {
        "RECEIPTS_TABLE": receipts_table,
        "CONTROL_TABLE": control_table,
        "BUCKET": bucket,
        "POWERTOOLS_SERVICE_NAME": service,
        "POWERTOOLS_METRICS_NAMESPACE": NAMESPACE,
        "POWERTOOLS_LOG_LEVEL": "INFO",
        # glibc gives every thread an arena of its own and keeps them: after closing its snapshots a worker kept 643 MB,
        # with two arenas 253 MB.
        "MALLOC_ARENA_MAX": "2",
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
    own["RecordExecution"] = {"ALERTS_TOPIC_ARN": alerts_topic_arn}
    own["StartFold"] = {"STATE_MACHINE_ARN": state_machine_arn}
    own["StartGenerations"] = {"STATE_MACHINE_ARN": state_machine_arn}
    own["WriteFold"] = {"EXPIRE_GRACE_SECONDS": str(stage.expire_grace_seconds)}
    for function in KNOW_THE_BOUND:
        own[function] = own.get(function, {}) | fold_bound(stage)
    if delta_buckets:
        own["MergeDeltas"]["DELTA_BUCKETS"] = ",".join(delta_buckets)
    if probe:
        own["StreamHandler"]["PROBE"] = "on"
    if messages_queue_url is not None:
        own["StreamHandler"]["MESSAGES_QUEUE_URL"] = messages_queue_url
    return {function: {**common, **own.get(function, {})} for function in functions}
