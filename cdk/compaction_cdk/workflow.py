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


class CompactionWorkflow(Construct):
    """`state_machine`, from a definition with `${NameArn}` for each function, `${ControlTable}` and `${DefaultShards}`.

    `functions` maps the names of the definition to functions; more functions than it asks for, or fewer, raise
    SubstitutionMismatch at synth. The name is fixed, because InspectHolder, which the machine invokes, must be allowed
    to describe the machine's executions: CloudFormation could not order the two otherwise.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        name: str,
        definition: str,
        functions: Mapping[str, lambda_.IFunction],
        control_table: dynamodb.ITable,
        default_shards: int,
        log_retention: logs.RetentionDays,
    ) -> None:
        super().__init__(scope, id)
        values = {f"{function}Arn": functions[function].function_arn for function in functions}
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
                resources=[function.function_arn for _name, function in sorted(functions.items())],
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

    @staticmethod
    def arn_of(scope: Construct, name: str) -> str:
        """The machine's ARN from its name, for what must exist before it."""
        return Stack.of(scope).format_arn(
            service="states", resource="stateMachine", resource_name=name, arn_format=ArnFormat.COLON_RESOURCE_NAME
        )

    @staticmethod
    def executions_of(scope: Construct, name: str) -> str:
        """The ARN pattern of all its executions."""
        return Stack.of(scope).format_arn(
            service="states", resource="execution", resource_name=f"{name}:*", arn_format=ArnFormat.COLON_RESOURCE_NAME
        )
