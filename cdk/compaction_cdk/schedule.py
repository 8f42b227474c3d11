"""The schedule: an execution per collection every few minutes heals every wake-up that was lost. Every few days another
one, the scrub, proves the current version again: what nobody changes, nobody else would find damaged."""

from __future__ import annotations

import json

from aws_cdk import Duration, RemovalPolicy, Stack, TimeZone
from aws_cdk import aws_iam as iam
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_stepfunctions as stepfunctions
from constructs import Construct

from .trust import only_of

EXECUTION_ID = "<aws.scheduler.execution-id>"
START = "arn:aws:scheduler:::aws-sdk:sfn:startExecution"


class CompactionSchedule(Construct):
    """`schedules` and `scrubs`, by collection, in one `group`. The universal target can name each execution freshly;
    the templated one cannot. They start the version of `live`, an alias of the machine.

    A start that fails is not repeated: the next tick is the repetition.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        state_machine: stepfunctions.IStateMachine,
        live: stepfunctions.CfnStateMachineAlias,
        collections: tuple[str, ...],
        every: Duration,
        scrub_every: Duration,
    ) -> None:
        super().__init__(scope, id)
        # It has a fixed name: left behind, it would be in the way of the next deployment.
        group = scheduler.ScheduleGroup(self, "Group", removal_policy=RemovalPolicy.DESTROY)
        role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal(
                "scheduler.amazonaws.com", conditions=only_of(self, group.schedule_group_arn)
            ),
        )
        role.add_to_policy(
            iam.PolicyStatement(
                sid="Start", actions=["states:StartExecution"], resources=[state_machine.state_machine_arn]
            )
        )
        self.group, self._role, self._live = group, role, live
        minutes, days = f"rate({every.to_minutes():g} minutes)", f"rate({scrub_every.to_days():g} days)"
        self.schedules = {c: self._schedule(c.capitalize(), minutes, c, "compact") for c in collections}
        self.scrubs = {c: self._schedule(f"Scrub{c.capitalize()}", days, c, "verify") for c in collections}

    def _schedule(self, id: str, expression: str, collection: str, mode: str) -> scheduler.CfnSchedule:
        schedule = scheduler.CfnSchedule(
            self,
            id,
            group_name=self.group.schedule_group_name,
            state="ENABLED",
            schedule_expression=expression,
            schedule_expression_timezone=TimeZone.ETC_UTC.timezone_name,
            flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
            target=scheduler.CfnSchedule.TargetProperty(
                arn=START,
                role_arn=self._role.role_arn,
                input=self._request(collection, mode),
                retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(
                    maximum_retry_attempts=0, maximum_event_age_in_seconds=60
                ),
            ),
        )
        schedule.node.add_dependency(self._role)
        return schedule

    def _request(self, collection: str, mode: str) -> str:
        """StartExecution's request; the scheduler wants its members in PascalCase."""
        return Stack.of(self).to_json_string(
            {
                "StateMachineArn": self._live.ref,
                "Name": f"{collection}-schedule-{EXECUTION_ID}",
                "Input": json.dumps({"collection": collection, "mode": mode, "trigger": "schedule"}),
            }
        )
