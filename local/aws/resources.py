"""The stack's own tables, bucket, queue and state machine: what a deployment makes, in moto."""

from typing import TYPE_CHECKING

from local import names
from local.application import Application
from local.definition import substitute
from local.names import function_arn

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_stepfunctions import SFNClient

_ROLE = f"arn:aws:iam::{names.ACCOUNT}:role/local"


def create_tables(dynamodb: "DynamoDBClient") -> None:
    """The receipts table, whose stream begins with `enable_stream`, and the control table. Both have string keys PK
    and SK."""
    for table in (names.RECEIPTS_TABLE, names.CONTROL_TABLE):
        dynamodb.create_table(
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in ("PK", "SK")],
            KeySchema=[{"AttributeName": "PK", "KeyType": "HASH"}, {"AttributeName": "SK", "KeyType": "RANGE"}],
        )


def enable_stream(dynamodb: "DynamoDBClient") -> None:
    """From now on the receipts table's stream has what is written: not what is there already."""
    dynamodb.update_table(
        TableName=names.RECEIPTS_TABLE,
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )


def stream_arn(dynamodb: "DynamoDBClient") -> str:
    """The ARN of the receipts table's stream."""
    arn: str = dynamodb.describe_table(TableName=names.RECEIPTS_TABLE)["Table"]["LatestStreamArn"]
    return arn


def create_bucket(s3: "S3Client") -> None:
    """The one bucket, for deltas, plans, reports and snapshots."""
    s3.create_bucket(Bucket=names.BUCKET)


def create_failure_queue(sqs: "SQSClient") -> str:
    """The queue for what the stream could not deliver; its URL."""
    url: str = sqs.create_queue(QueueName=names.FAILURE_QUEUE)["QueueUrl"]
    return url


def definition(application: Application, shards: int) -> str:
    """The state machine with this stack's functions, control table and number of shards filled in."""
    values = {f"{function.name}Arn": function_arn(function.name) for function in application.steps}
    values |= {"ControlTable": names.CONTROL_TABLE, "DefaultShards": str(shards)}
    return substitute(application.definition.read_text(encoding="utf-8"), values)


def create_state_machine(stepfunctions: "SFNClient", text: str) -> None:
    """The state machine, with logging off: moto would otherwise write each event to a mocked log group."""
    stepfunctions.create_state_machine(
        name=names.STATE_MACHINE, definition=text, roleArn=_ROLE, loggingConfiguration={"level": "OFF"}
    )
