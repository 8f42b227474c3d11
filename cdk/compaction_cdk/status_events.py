"""Executions that start and end: rows of history in the control table, and a mail to people when one fails."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as stepfunctions
from constructs import Construct


class StatusEvents(Construct):
    """`rule`: every status event of the machine's executions goes to `recorder`, which also mails failures: the event
    itself does not say why one failed. `lost`: the queue of events that EventBridge could not deliver, or that the
    recorder failed on every time."""

    def __init__(
        self, scope: Construct, id: str, *, state_machine: stepfunctions.IStateMachine, recorder: lambda_.Function
    ) -> None:
        super().__init__(scope, id)
        self.lost = sqs.Queue(
            self,
            "Lost",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=Duration.days(14),
        )
        recorder.configure_async_invoke(
            on_failure=destinations.SqsDestination(self.lost), max_event_age=Duration.hours(1), retry_attempts=2
        )
        self.rule = events.Rule(
            self,
            "Every",
            targets=[
                targets.LambdaFunction(
                    recorder, retry_attempts=5, max_event_age=Duration.hours(1), dead_letter_queue=self.lost
                )
            ],
            event_pattern=events.EventPattern(
                source=["aws.states"],
                detail_type=["Step Functions Execution Status Change"],
                detail={"stateMachineArn": [state_machine.state_machine_arn]},
            ),
        )
