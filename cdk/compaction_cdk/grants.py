"""What each function may do, and with what. A test compares this with the calls that the handlers make."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from aws_cdk import aws_iam as iam

from .storage import PLANS, POISON, REPORTS, SNAPSHOTS

Target = Literal[
    "control", "receipts", "stream", "bucket", "objects", "failures", "machine", "executions", "alerts", "anything"
]


@dataclass(frozen=True, kw_only=True)
class Grant:
    """Actions on one target. `keys` narrows objects to key patterns, and table items to partition key patterns."""

    on: Target
    actions: tuple[str, ...]
    keys: tuple[str, ...] = ()


def _control(*actions: str, keys: tuple[str, ...] = ()) -> Grant:
    return Grant(on="control", actions=tuple(f"dynamodb:{action}" for action in actions), keys=keys)


def _receipts(*actions: str) -> Grant:
    return Grant(on="receipts", actions=tuple(f"dynamodb:{action}" for action in actions))


def _read(*keys: str) -> Grant:
    return Grant(on="objects", actions=("s3:GetObject",), keys=tuple(f"{key}*" for key in keys))


def _write(*keys: str) -> Grant:
    return Grant(on="objects", actions=("s3:PutObject",), keys=tuple(f"{key}*" for key in keys))


# Without it S3 answers 403 for a key that is missing, and a vanished object cannot be told from a forbidden one.
_LIST = Grant(on="bucket", actions=("s3:ListBucket",))
# A run names its delta's prefix itself: any key of the bucket.
_READ_DELTAS = _read("")
# A receipt that is tried alone may be what ends the process, which could then say nothing any more.
_EVIDENCE = _control("UpdateItem", keys=("PENDING#*",))

# Rows of versions, those that expired long ago too.
_VERSIONS = ("COLLECTION#*", "VERSIONS_EXPIRED#*")

GRANTS: Mapping[str, tuple[Grant, ...]] = {
    "StreamHandler": (
        _control("GetItem", "UpdateItem", keys=("COLLECTION#*", "PENDING#*")),
        Grant(on="stream", actions=("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator")),
        Grant(on="anything", actions=("dynamodb:ListStreams",)),
        Grant(on="machine", actions=("states:StartExecution",)),
        Grant(on="failures", actions=("sqs:SendMessage",)),
        _write(POISON),
    ),
    "InspectHolder": (
        _control("GetItem", keys=("COLLECTION#*",)),
        Grant(on="executions", actions=("states:DescribeExecution",)),
    ),
    "PlanCompaction": (
        _control("GetItem", "Query", "UpdateItem"),
        _receipts("GetItem", "Query", "UpdateItem"),
        _write(PLANS),
    ),
    "SettleChanges": (
        _control("GetItem", "BatchGetItem", "Query", "UpdateItem", "DeleteItem"),
        _receipts("UpdateItem"),
        _read(PLANS, REPORTS),
        _LIST,
    ),
    "RecordExecution": (
        _control("GetItem", "Query", "UpdateItem", "DeleteItem", keys=("EXECUTIONS#*", "EXECUTIONS_IDLE#*")),
        Grant(on="executions", actions=("states:DescribeExecution",)),
        Grant(on="alerts", actions=("sns:Publish",)),
    ),
    "DownloadSnapshot": (_read(PLANS, SNAPSHOTS), _LIST),
    "MergeDeltas": (_EVIDENCE, _READ_DELTAS, _write(SNAPSHOTS, REPORTS), _LIST),
    "ValidateShard": (_EVIDENCE, _read(PLANS, REPORTS, SNAPSHOTS), _LIST),
    "WriteManifest": (
        _control("PutItem", keys=("COLLECTION#*",)),
        _read(PLANS, REPORTS, SNAPSHOTS),
        _write(SNAPSHOTS),
        _LIST,
    ),
    "SwapPointer": (
        _control("GetItem", "UpdateItem", "PutItem", keys=("COLLECTION#*",)),
        _read(SNAPSHOTS),
        _write(SNAPSHOTS),
        _LIST,
    ),
    "VerifySnapshot": (_control("GetItem", keys=_VERSIONS), _read(SNAPSHOTS), _LIST),
    "PrepareRollback": (
        _control("GetItem", "Query", "PutItem", keys=_VERSIONS),
        _read(SNAPSHOTS),
        _write(SNAPSHOTS),
        _LIST,
    ),
    "PlanFold": (_control("GetItem", keys=("COLLECTION#*",)), _read(SNAPSHOTS), _LIST),
    "FoldShard": (_read(SNAPSHOTS), _write(SNAPSHOTS, REPORTS), _LIST),
    "ValidateFold": (_read(REPORTS, SNAPSHOTS), _LIST),
    "WriteFold": (
        _control("GetItem", "PutItem", keys=("COLLECTION#*",)),
        _read(REPORTS, SNAPSHOTS),
        _write(SNAPSHOTS),
        _LIST,
    ),
    "ValidateReshard": (_read(SNAPSHOTS), _LIST),
    "StartFold": (
        _control("GetItem", "UpdateItem", keys=("COLLECTION#*",)),
        Grant(on="machine", actions=("states:StartExecution",)),
        Grant(on="executions", actions=("states:DescribeExecution",)),
    ),
    "StartGenerations": (
        _control("GetItem", keys=("COLLECTION#*",)),
        Grant(on="machine", actions=("states:StartExecution",)),
    ),
    "PrepareSwitch": (_control("GetItem", keys=("COLLECTION#*",)), _read(SNAPSHOTS), _LIST),
    "Probe": (),  # the file system alone
    "ExpireSnapshots": (
        _control("GetItem", "Query", "UpdateItem", "ConditionCheckItem", "PutItem", "DeleteItem", keys=_VERSIONS),
        _read(SNAPSHOTS),
        Grant(on="objects", actions=("s3:DeleteObject",), keys=(f"{SNAPSHOTS}*",)),
        _LIST,
    ),
}


def statements(grants: Iterable[Grant], arns: Mapping[Target, str]) -> list[iam.PolicyStatement]:
    """The grants as IAM statements; `arns` are the targets' ARNs, that of objects without a key."""
    made = []
    for grant in grants:
        resources = ["*"] if grant.on == "anything" else [arns[grant.on]]
        conditions = {}
        if grant.on == "objects":
            resources = [f"{arns['objects']}/{key}" for key in grant.keys]
        elif grant.keys:
            conditions = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": list(grant.keys)}}
        made.append(
            iam.PolicyStatement(actions=list(grant.actions), resources=resources, conditions=conditions or None)
        )
    return made
