"""The state machine with its lease, around functions that are not this repository's: a CDK app of its own.

`pip install ./cdk` in a clone, then `npx aws-cdk@2 deploy --app "python app.py"` here.
"""

from __future__ import annotations

import os
from pathlib import Path

import aws_cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from compaction_cdk.definition import functions_asked_for
from compaction_cdk.workflow import CompactionWorkflow

HERE = Path(__file__).parent
DEFINITION = HERE.parents[1] / "state_machines/compaction.asl.json"
NAME = "orders-compaction"


class OrdersStack(aws_cdk.Stack):
    """A control table, a function for every state that asks for one, and the workflow between them."""

    def __init__(self, scope: aws_cdk.App) -> None:
        super().__init__(scope, "Orders")
        definition = DEFINITION.read_text()
        control = dynamodb.Table(
            self,
            "Control",
            partition_key=dynamodb.Attribute(name="PK", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="SK", type=dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
        )
        functions = {
            name: lambda_.Function(
                self,
                name,
                code=lambda_.Code.from_asset(str(HERE / "functions")),
                handler=f"handlers.{name}",
                runtime=lambda_.Runtime.PYTHON_3_13,
                timeout=aws_cdk.Duration.minutes(2),
                environment={"CONTROL_TABLE": control.table_name},
            )
            for name in sorted(functions_asked_for(definition))
        }
        # The machine invokes it, so its permission cannot come from the machine: the name is known before.
        functions["InspectHolder"].add_to_role_policy(
            iam.PolicyStatement(
                actions=["states:DescribeExecution"], resources=[CompactionWorkflow.executions_of(self, NAME)]
            )
        )
        control.grant_read_data(functions["InspectHolder"])
        self.workflow = CompactionWorkflow(
            self,
            "Workflow",
            name=NAME,
            definition=definition,
            functions=functions,
            control_table=control,
            default_shards=1,
            log_retention=logs.RetentionDays.ONE_MONTH,
        )


if __name__ == "__main__":
    app = aws_cdk.App(outdir=os.environ.get("CDK_OUTDIR"))
    OrdersStack(app)
    app.synth()
