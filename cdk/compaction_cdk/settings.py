"""What differs between stages, and between one deployment and another."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal


class UnknownStage(ValueError):
    """No stage has this name: pass one of STAGES with `-c stage=NAME`."""


class OtherTablesStream(ValueError):
    """The stream's ARN is that of another table than the one that is named."""


class HalfAnImport(ValueError):
    """An existing receipts table needs both its name and the ARN of its stream."""


class NoBucketName(ValueError):
    """`-c bucket=` takes the bucket's name alone, without `s3://`, a prefix or an ARN around it."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A stage's sizes and limits. Memory and disk in MB; every other unit is in the name.

    `shards` counts for collections that have no snapshot yet. A Lambda's disk holds a shard, its copy while VACUUM
    runs, and the deltas: three times the shard. New accounts allow 3,008 MB of memory until a quota is raised.
    `fold_…` are parts of the fold bound, how much may lie in a shard's segments: at least `least` and at most `most`
    records, `share` of the base in between, and so many `segments`. None leaves a part to the functions' own default.
    `efs_dollars_a_month`: above it the projected spend of what EFS stores, reads and writes rings an alarm.
    """

    name: str
    shards: int
    container_architecture: Literal["x86_64", "arm64"] = "x86_64"  # Chroma's index has no NEON kernels
    merge_memory: int
    merge_disk: int
    schedule_minutes: int = 5
    min_commit_interval_seconds: int = 15
    max_receipts_per_round: int = 250
    keep_snapshots: int = 10
    expire_grace_seconds: int = 3600
    plan_days: int
    log_days: int
    availability_zones: int = 2
    batch_size: int = 500
    batch_window_seconds: int = 2
    record_age_hours: int = 23
    stale_after_minutes: int
    fold_least: int | None = None
    fold_most: int | None = None
    fold_share: float | None = None
    fold_segments: int | None = None
    scrub_days: int = 7
    efs_dollars_a_month: int


STAGES = {
    stage.name: stage
    for stage in (
        Stage(
            name="dev",
            shards=1,
            merge_memory=3008,
            merge_disk=2048,
            plan_days=30,
            log_days=30,
            stale_after_minutes=60,
            efs_dollars_a_month=10,
        ),
        Stage(
            name="prod",
            shards=4,
            merge_memory=8192,
            merge_disk=10240,
            plan_days=365,
            log_days=90,
            stale_after_minutes=30,
            efs_dollars_a_month=60,
        ),
    )
}


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """One deployment: its stage, and what a person may say about it on the command line (`-c name=value`).

    Without `receipts_table` a receipts table is created, without `bucket` a bucket. An existing bucket keeps its own
    rules, and is never deleted; it is for one stack. `delete_data` makes `cdk destroy` delete what it otherwise
    keeps. `delta_buckets` are other buckets that runs may name as `s3://bucket/key`. `messages` adds a queue that gets
    a StreamMessage for each relevant change, for other services. `probe` lets `compaction conform` probe the stack.
    """

    stage: Stage
    receipts_table: str | None = None
    receipts_stream_arn: str | None = None
    bucket: str | None = None
    delta_buckets: tuple[str, ...] = ()
    alarm_email: str | None = None
    messages: bool = False
    probe: bool = False
    delete_data: bool = False

    def __post_init__(self) -> None:
        if (self.receipts_table is None) != (self.receipts_stream_arn is None):
            raise HalfAnImport("pass both -c receipts_table=NAME and -c receipts_stream_arn=ARN, or neither")
        if self.receipts_stream_arn is not None:
            named = re.fullmatch(
                r"arn:[\w-]+:dynamodb:[\w-]+:\d{12}:table/([\w.-]+)/stream/.+", self.receipts_stream_arn
            )
            if named is None or named[1] != self.receipts_table:
                raise OtherTablesStream(
                    f"{self.receipts_stream_arn!r} is no stream of the table {self.receipts_table!r}:"
                    f" `aws dynamodb describe-table --table-name {self.receipts_table} --query Table.LatestStreamArn`"
                    " says its own"
                )

        if self.bucket is not None and not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", self.bucket):
            raise NoBucketName(f"{self.bucket!r} is no bucket's name: pass -c bucket=NAME, without s3:// or an ARN")
        if self.bucket is not None and self.bucket in self.delta_buckets:
            raise NoBucketName(f"{self.bucket} is the stack's bucket: leave it out of -c delta_buckets")

    @property
    def stack_name(self) -> str:
        """The CloudFormation stack; also the pipeline's name in metrics, and the prefix of the state machine's."""
        return f"receipt-compaction-{self.stage.name}"


def stage_named(name: str) -> Stage:
    """The stage of this name, or UnknownStage."""
    if name not in STAGES:
        raise UnknownStage(f"no stage {name!r}: pass -c stage=NAME with one of {', '.join(sorted(STAGES))}")
    return STAGES[name]
