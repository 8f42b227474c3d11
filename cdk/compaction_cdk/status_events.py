"""Executions that start and end: rows of history in the control table, and a message to people when one fails."""

from __future__ import annotations

from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_stepfunctions as stepfunctions
from constructs import Construct

FAILURES = ["FAILED", "TIMED_OUT"]
"""What people are told of. ABORTED is not among them: a person stopped it."""


def failure_pattern() -> dict[str, Any]:
    """The event's `detail` of a failure that people should see. `Fenced` is none: another execution publishes.

    A failure without an error name counts as one, whether the field is null or missing.
    """
    match = events.Match
    return {
        "status": FAILURES,
        "error": match.any_of(match.anything_but("Fenced"), match.does_not_exist(), match.null_value()),
    }


class StatusEvents(Construct):
    """Rules on the machine's execution status events: every one to `recorder`, failures to `topic`."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        state_machine: stepfunctions.IStateMachine,
        recorder: lambda_.IFunction,
        topic: sns.ITopic,
    ) -> None:
        super().__init__(scope, id)
        self._machine = state_machine
        self._rule(
            "Every",
            {},
            targets.LambdaFunction(recorder, retry_attempts=5, max_event_age=Duration.hours(1)),
        )
        detail = events.EventField.from_path
        message = events.RuleTargetInput.from_text(
            f"Execution {detail('$.detail.name')} ended as {detail('$.detail.status')}.\n"
            f"Error: {detail('$.detail.error')}\nCause: {detail('$.detail.cause')}\n"
            f"{detail('$.detail.executionArn')}\n"
            "Nothing has to be cleaned up: the next execution plans the same changes again."
            " See docs/deploy.md, ExecutionsFailed."
        )
        self._rule("Failures", failure_pattern(), targets.SnsTopic(topic, message=message))

    def _rule(self, id: str, detail: dict[str, Any], target: events.IRuleTarget) -> None:
        events.Rule(
            self,
            id,
            targets=[target],
            event_pattern=events.EventPattern(
                source=["aws.states"],
                detail_type=["Step Functions Execution Status Change"],
                detail={"stateMachineArn": [self._machine.state_machine_arn], **detail},
            ),
        )
