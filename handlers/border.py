"""What crosses the border between the state machine and a function: `{State}Input` comes in, `{State}Output` goes out.

The ASL passes and reads these keys by name. A test walks its Parameters, selectors and paths against this module.
"""

# No `from __future__ import annotations` here: it would hide NotRequired from who looks at these types.

from collections.abc import Mapping
from typing import Any, NotRequired, TypedDict

from receipt_dynamo_stream.control.head import PointerFields


class ExecutionInput(TypedDict):
    """What an execution is started with; the machine checks it itself."""

    collection: str
    mode: NotRequired[str]
    trigger: NotRequired[str]
    snapshot_id: NotRequired[str]
    apply: NotRequired[bool]
    before: NotRequired[int]
    all: NotRequired[bool]
    rebuild: NotRequired[bool]
    generation: NotRequired[str]
    when_complete: NotRequired[bool]
    shards: NotRequired[int]


class InspectHolderInput(TypedDict):
    """waits: how often the execution has found the lease held."""

    collection: str
    waits: NotRequired[int]


class InspectHolderOutput(TypedDict):
    """holder is "" where the lease is not held. wait_seconds: until whoever waits looks again."""

    held: bool
    holder: str
    fence: int
    running: bool
    wait_seconds: int


class PlanCompactionInput(TypedDict):
    """execution is an ARN. mode plan writes nothing but the plan. acquired_at: since when the lease is held."""

    collection: str
    mode: str
    trigger: str
    execution: str
    execution_name: str
    round: int
    fence: int
    acquired_at: NotRequired[str]


class PlannedShard(TypedDict):
    """One of the shards that a plan touches."""

    shard: int


class PlanCompactionOutput(TypedDict):
    """Without receipts there is nothing to merge: plan_key is "" then, or another round has the work. last: the lease
    has been held for long, and no round follows this one, whatever is left."""

    plan_key: str
    receipts: int
    more: bool
    last: bool
    wait_seconds: int
    base_version: int
    version: int
    snapshot_id: str
    shards: list[PlannedShard]


class DownloadSnapshotInput(TypedDict):
    collection: str
    plan_key: str


class DownloadSnapshotOutput(TypedDict):
    """What was fetched from S3; both 0 when EFS already had everything, or for version 0."""

    files: int
    bytes: int


class MergeDeltasInput(TypedDict):
    collection: str
    plan_key: str
    shard: int


class MergeDeltasOutput(TypedDict):
    """records are those of a new base; added to unchanged count what happened to records, refused counts runs."""

    shard: int
    report_key: str
    plan_key: str
    changed: bool
    records: int
    refused: int
    added: int
    removed: int
    replaced: int
    updated: int
    unchanged: int


class ValidateShardInput(TypedDict):
    collection: str
    plan_key: str
    report_key: str


class ValidateShardOutput(TypedDict):
    """checks: the names of those that held."""

    records: int
    checks: list[str]


class WriteManifestInput(TypedDict):
    collection: str
    plan_key: str
    report_keys: list[str]


class WriteManifestOutput(PointerFields):
    """What may be committed, and over which version. fold_due: how many of its shards are past the fold bound; shards:
    how many it has."""

    base_version: int
    records: int
    fold_due: int
    shards: int


class PrepareRollbackInput(TypedDict):
    """snapshot_id is that of the version to roll back to; acquired_at is when the lease was."""

    collection: str
    snapshot_id: str
    trigger: str
    execution: str
    execution_name: str
    fence: int
    acquired_at: str


class PrepareRollbackOutput(PointerFields):
    """What may be committed; `rollback` is the snapshot id that is published again."""

    records: int
    fold_due: int
    shards: int
    rollback: str


class SwapPointerInput(TypedDict):
    """What is projected is what HEAD names. mode: what an execution that has done nothing yet was started for."""

    collection: str
    execution: str
    fence: int
    trigger: str
    mode: NotRequired[str]


class SwapPointerOutput(TypedDict):
    """The lease as it is now, and what was done: found says what was wrong with what readers saw, "" when nothing was;
    moved, that CURRENT was written; files and bytes were fetched from S3 first."""

    head: Mapping[str, Any]
    fence: int
    version: int
    projected_version: int
    found: str
    moved: bool
    files: int
    bytes: int


class Unchanged(TypedDict):
    """In place of a pointer: the round needed no new version."""

    unchanged: bool


class SettleChangesInput(TypedDict):
    """failed, in place of the manifest: the merge of the round failed, with the error of this name."""

    collection: str
    plan_key: str
    report_keys: list[str]
    manifest: NotRequired[WriteManifestOutput | Unchanged]
    failed: NotRequired[str]


class SettleChangesOutput(TypedDict):
    """Receipts, then runs."""

    settled: int
    kept: int
    completed_runs: int
    failed_runs: int


class ExpireSnapshotsInput(TypedDict):
    """Unless `apply` is false, what need not be kept is deleted: after a commit expiry is part of the round.

    before: versions with a smaller number are not kept for being among the newest; 0 for none."""

    collection: str
    fence: int
    apply: NotRequired[bool]
    before: NotRequired[int]


class ExpireSnapshotsOutput(TypedDict):
    """How many were marked, archived and deleted, or would be. fenced: it stopped, another execution holds the lease.
    unremovable: how many could not be deleted; the first of them are named, each with the reason. more: it stopped at
    its bound of rows, the next one goes on."""

    dry_run: bool
    fenced: bool
    expired: int
    archived: int
    manifests: int
    shards: int
    segments: int
    staging: int
    bytes: int
    unremovable: int
    named: list[str]
    more: bool


class VerifySnapshotInput(TypedDict):
    """snapshot_id "" is the current version's."""

    collection: str
    snapshot_id: str


class VerifySnapshotOutput(TypedDict):
    """checks: the names of those that held: invariants, then the checks of every shard."""

    version: int
    snapshot_id: str
    records: int
    shards: int
    checks: list[str]


class PlanFoldInput(TypedDict):
    """all: every shard that has a segment; rebuild: every shard that has anything. into: of a re-shard, how many shards
    there will be; 0 of a fold."""

    collection: str
    all: bool
    rebuild: bool
    into: int
    execution_name: str


class PlanFoldOutput(TypedDict):
    """base is the version whose shards are folded; None before the first one, and of a paused collection. into as it
    was asked for; then the shards are the new ones."""

    paused: bool
    planned_at: str
    base: PointerFields | None
    shards: list[PlannedShard]
    into: int


class FoldShardInput(TypedDict):
    """rebuild: the new base is filled from the live records; nothing of the old one is copied."""

    collection: str
    base: PointerFields
    shard: int
    into: int
    rebuild: bool
    execution_name: str


class FoldShardOutput(TypedDict):
    shard: int
    report_key: str
    records: int


class ValidateFoldInput(TypedDict):
    collection: str
    report_key: str
    execution_name: str


class ValidateFoldOutput(TypedDict):
    """checks: the names of those that held."""

    records: int
    checks: list[str]


class WriteFoldInput(TypedDict):
    """planned_at is when the plan was made, acquired_at when the lease was."""

    collection: str
    report_keys: list[str]
    planned_at: str
    trigger: str
    execution: str
    execution_name: str
    fence: int
    acquired_at: str


class WriteFoldOutput(WriteManifestOutput):
    """fits is false when it has lost: a fold to other bases of all its shards, a re-shard to too many changes, either
    to time; the rest is then of the current version. folded: how many shards have a new base."""

    fits: bool
    folded: int


class ValidateReshardInput(PointerFields):
    """The version that WriteFold wrote."""

    collection: str
    execution_name: str


class ValidateReshardOutput(TypedDict):
    """records: those that were laid over the new bases. checks: the names of those that held."""

    records: int
    checks: list[str]


class PrepareSwitchInput(TypedDict):
    """generation: the one that will serve. when_complete: only if it has every receipt of the one that does."""

    collection: str
    generation: str
    when_complete: bool
    execution_name: str


class PrepareSwitchOutput(TypedDict):
    """outcome: `switched`, or why not. receipts: of the generation that serves; missing: how many of them the other one
    lacks, or has with another number of records. active: the generations that are kept up, as HEAD has them."""

    ready: bool
    outcome: str
    generation: str
    order: int
    active: str
    receipts: int
    missing: int


class StartGenerationsInput(TypedDict):
    collection: str
    execution_name: str


class StartGenerationsOutput(TypedDict):
    """Names of executions."""

    started: list[str]


class StartFoldInput(TypedDict):
    """execution is the ARN of the one that asks."""

    collection: str
    trigger: str
    execution: str
    execution_name: str


class StartFoldOutput(TypedDict):
    started: bool


class StreamHandlerInput(TypedDict):
    """A DynamoDB stream event."""

    Records: list[dict[str, Any]]


class FailedItem(TypedDict):
    """A sequence number."""

    itemIdentifier: str


class StreamHandlerOutput(TypedDict):
    """The records to deliver again."""

    batchItemFailures: list[FailedItem]


class RecordExecutionInput(TypedDict):
    """An event "Step Functions Execution Status Change"."""

    detail: Mapping[str, Any]


class RecordExecutionOutput(TypedDict):
    """Whether a row was written."""

    recorded: bool


class ProbeInput(TypedDict):
    """What `compaction conform` asks of one instance of the probe function; the rest depends on the command.

    folder: of this report alone, below `.probe` on the file system. A name is relative to it.
    """

    command: str
    folder: str
    name: NotRequired[str]
    also: NotRequired[str]
    text: NotRequired[str]
    seconds: NotRequired[float]
    count: NotRequired[int]
    act: NotRequired[str]
    die: NotRequired[bool]
    versions: NotRequired[int]


class ProbeOutput(TypedDict):
    """instance: which process answered; it is another one after a cold start. seen: by the command."""

    instance: str
    seen: dict[str, Any]
