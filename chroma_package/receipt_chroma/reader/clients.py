"""The clients of who gives none: boto3's own, with the usual credentials. Importing this loads no boto3."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client


def s3_client() -> "S3Client":
    """For a root in a bucket."""
    import boto3
    from receipt_dynamo_stream.retry import client_config

    return boto3.client("s3", config=client_config())


def dynamodb_client() -> "DynamoDBClient":
    """For runs that are waited for."""
    import boto3
    from receipt_dynamo_stream.retry import client_config

    return boto3.client("dynamodb", config=client_config())
