"""The compaction workflow as a construct of its own: the fenced, clock-free lease around anybody's functions."""

from __future__ import annotations

import json
from collections.abc import Mapping

from aws_cdk import ArnFormat, RemovalPolicy, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as stepfunctions
from constructs import Construct

from .definition import check_substitutions, dynamodb_actions, placeholders
from .trust import only_of

LIVE = "live"
"""The alias that every starter names: the version of the last deployment."""


class CompactionWorkflow(Construct):
    """`state_machine`, from a definition with `${NameArn}` for each function, `${ControlTable}` and `${DefaultShards}`.

    `functions` maps the names of the definition to functions; more functions than it asks for, or fewer, raise
    SubstitutionMismatch at synth. The name is fixed, because InspectHolder, which the machine invokes, must be allowed
    to describe the machine's executions: CloudFormation could not order the two otherwise.

    Each deployment publishes a version of every function that changed, and one of the machine that names exactly these;
    `live`, an alias, leads to it. Older ones stay, so that an execution that runs, or is redriven, meets the code that
    it began with.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        name: str,
        definition: str,
        functions: Mapping[str, lambda_.Function],
        control_table: dynamodb.ITable,
        default_shards: int,
        log_retention: logs.RetentionDays,
    ) -> None:
        super().__init__(scope, id)
        values = {f"{name}Arn": _kept_version(function).function_arn for name, function in functions.items()}
        values |= {"ControlTable": control_table.table_name, "DefaultShards": str(default_shards)}
        check_substitutions(definition, values)
        self.role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("states.amazonaws.com", conditions=only_of(self, self.arn_of(self, name))),
        )
        self.role.add_to_policy(
            iam.PolicyStatement(
                sid="InvokeSteps",
                actions=["lambda:InvokeFunction"],
                resources=[f"{function.function_arn}:*" for _name, function in sorted(functions.items())],
            )
        )
        self.role.add_to_policy(
            iam.PolicyStatement(
                sid="Lease",
                actions=dynamodb_actions(definition),
                resources=[control_table.table_arn],
                conditions={"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["COLLECTION#*"]}},
            )
        )
        self.state_machine = stepfunctions.StateMachine(
            self,
            "StateMachine",
            state_machine_name=name,
            state_machine_type=stepfunctions.StateMachineType.STANDARD,
            definition_body=stepfunctions.DefinitionBody.from_string(json.dumps(json.loads(definition))),
            definition_substitutions={key: values[key] for key in sorted(placeholders(definition))},
            role=self.role,
            tracing_enabled=True,
            logs=stepfunctions.LogOptions(
                level=stepfunctions.LogLevel.ALL,
                include_execution_data=False,
                destination=logs.LogGroup(
                    self,
                    "Logs",
                    log_group_name=f"/aws/vendedlogs/states/{name}",
                    retention=log_retention,
                    removal_policy=RemovalPolicy.DESTROY,
                ),
            ),
        )

        version = stepfunctions.CfnStateMachineVersion(
            self,
            "Version",
            state_machine_arn=self.state_machine.state_machine_arn,
            state_machine_revision_id=self.state_machine.state_machine_revision_id,  # another one: another version
        )
        version.apply_removal_policy(RemovalPolicy.RETAIN)
        self.live = stepfunctions.CfnStateMachineAlias(
            self,
            "Live",
            name=LIVE,
            routing_configuration=[
                stepfunctions.CfnStateMachineAlias.RoutingConfigurationVersionProperty(
                    state_machine_version_arn=version.attr_arn, weight=100
                )
            ],
        )

    @staticmethod
    def arn_of(scope: Construct, name: str) -> str:
        """The machine's ARN from its name, for what must exist before it."""
        return Stack.of(scope).format_arn(
            service="states", resource="stateMachine", resource_name=name, arn_format=ArnFormat.COLON_RESOURCE_NAME
        )

    @classmethod
    def live_arn_of(cls, scope: Construct, name: str) -> str:
        """The ARN that starters name, from the machine's name."""
        return f"{cls.arn_of(scope, name)}:{LIVE}"

    @staticmethod
    def executions_of(scope: Construct, name: str) -> str:
        """The ARN pattern of all its executions."""
        return Stack.of(scope).format_arn(
            service="states", resource="execution", resource_name=f"{name}:*", arn_format=ArnFormat.COLON_RESOURCE_NAME
        )


def _kept_version(function: lambda_.Function) -> lambda_.Version:
    """The version of this deployment; those before it stay, and go with the function."""
    version = function.current_version
    version.apply_removal_policy(RemovalPolicy.RETAIN)
    return version
