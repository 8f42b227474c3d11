"""How a local stack behaves. The defaults are those of the deployment, made quick."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class StackSettings:
    """Times are in seconds. `fold_…` None leaves that part of the fold bound to the functions' own default.

    `schedule_seconds` None leaves the schedule to `trigger_now`; so does `scrub_seconds`, of the proof that the current
    version is sound. `environment` is added to every worker's environment
    and wins over what the stack puts there. `batch_size`, `batch_window_seconds`, `retry_attempts` and `bisect` are
    the stream mapping's settings of nearly the same names (`retry_attempts` -1: for ever). `probe`: whether the stack
    takes probes of conformance.
    """

    shards: int = 1
    schedule_seconds: float | None = 5.0
    scrub_seconds: float | None = None
    poll_seconds: float = 0.25
    batch_window_seconds: float = 0.3
    batch_size: int = 1000
    retry_attempts: int = -1
    retry_backoff_seconds: float = 0.5
    bisect: bool = True
    min_commit_interval_seconds: int = 0
    max_receipts_per_round: int = 250
    keep_snapshots: int = 10
    expire_grace_seconds: int = 3600
    expired_for_seconds: int = 3600
    plans_kept_seconds: int = 3600
    fold_least: int | None = None
    fold_most: int | None = None
    fold_share: float | None = None
    fold_segments: int | None = None
    merge_workers: int = 3
    function_timeout_seconds: float = 300.0
    init_timeout_seconds: float = 60.0
    probe: bool = True
    environment: Mapping[str, str] = field(default_factory=dict)


def lasting(shards: int) -> StackSettings:
    """For a stack that is up for days: S3 is in its memory, so that what nobody needs goes after minutes. Twice the
    longest function is time enough for a late writer on one machine."""
    return StackSettings(shards=shards, expire_grace_seconds=600, expired_for_seconds=600)
