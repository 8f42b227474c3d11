"""Why a rule of cdk-nag's AwsSolutions is not followed where it is not. Each suppression names its place."""

from __future__ import annotations

import re
from collections.abc import Sequence

from aws_cdk import Aspects
from cdk_nag import AwsSolutionsChecks, NagPackSuppression, NagSuppressions, RegexAppliesTo

from .stack import CompactionStack

KEYS = "Keys below a prefix are named by snapshots, plans and runs: the prefix is the narrowest that can be said."
NO_RESOURCE = (
    "X-Ray, ListStreams, and the network interfaces that Lambda makes for a function have no resource to name."
)
VERSIONS = "A machine's version names versions of the functions; those of older deployments are invoked by redrives."
EXECUTIONS = "It asks about whatever execution holds the lease, folds, or failed; all are this state machine's."


def suppressed(stack: CompactionStack) -> None:
    """Add the stack's suppressions."""
    storage = r"<StorageBucket\w+\.Arn>"
    if stack.deployment.bucket:
        storage = rf"arn:<AWS::Partition>:s3:::{re.escape(stack.deployment.bucket)}"
    objects = RegexAppliesTo(regex=rf"/^Resource::{storage}\/.*\*$/g")
    for name, function in stack.functions.items():
        assert function.role is not None
        others = [f"Resource::arn:<AWS::Partition>:s3:::{other}/*" for other in stack.deployment.delta_buckets]
        _suppress(function.role, "AwsSolutions-IAM5", KEYS, [objects, *others])
        _suppress(function.role, "AwsSolutions-IAM5", NO_RESOURCE, ["Resource::*"])
        if name in ("InspectHolder", "RecordExecution", "StartFold"):
            executions = RegexAppliesTo(regex=r"/^Resource::arn:.*:execution:.*:\*$/g")
            _suppress(function.role, "AwsSolutions-IAM5", EXECUTIONS, [executions])
    _suppress(stack.readers, "AwsSolutions-IAM5", KEYS, [objects])
    _suppress(
        stack.workflow,
        "AwsSolutions-IAM5",
        "Log delivery and X-Ray have no resource to name: Step Functions asks for them as they are.",
        ["Resource::*"],
    )
    versions = RegexAppliesTo(regex=r"/^Resource::<(Light|Heavy)\w+\.Arn>:\*$/g")
    _suppress(stack.workflow, "AwsSolutions-IAM5", VERSIONS, [versions])
    if not stack.deployment.bucket:
        _suppress(
            stack.storage.bucket,
            "AwsSolutions-S1",
            "Who read an object is CloudTrail's data events, where an account wants them; access logs would cost"
            " another bucket for objects that only these functions touch.",
        )
    if stack.messages:
        _suppress(
            stack.messages,
            "AwsSolutions-SQS3",
            "What cannot be consumed is for the consumer to decide; the pipeline itself never reads this queue.",
        )
    for queue in (stack.failure_queue, stack.status_events.lost):
        _suppress(
            queue,
            "AwsSolutions-SQS3",
            "This is a queue where what failed ends up; it has an alarm, and nothing consumes it.",
        )


def check(stack: CompactionStack) -> None:
    """Let synth report what AwsSolutions has against the stack."""
    suppressed(stack)
    Aspects.of(stack).add(AwsSolutionsChecks(verbose=True))


def _suppress(
    construct: object, rule: str, reason: str, applies_to: Sequence[str | RegexAppliesTo] | None = None
) -> None:
    suppression = NagPackSuppression(id=rule, reason=reason, applies_to=applies_to)
    NagSuppressions.add_resource_suppressions(construct, [suppression], apply_to_children=True)  # type: ignore[arg-type]
