"""What outlives a stack: the receipts table, the control table, and the bucket."""

from __future__ import annotations

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_s3 as s3
from constructs import Construct

SNAPSHOTS, PLANS, REPORTS, POISON = "snapshots/", "plans/", "reports/", "poison/"

POISON_DAYS = 30
"""Longer than the failure queue keeps the message that names the object."""


class Storage(Construct):
    """`receipts` (created, or imported by name and stream ARN), `control`, and `bucket` (created, or imported by name).

    The lifecycle of a bucket that is created expires plans, reports and poison only. A delta is never expired: its
    run's item may still name it. An existing bucket keeps the rules that it has.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        receipts_table: str | None,
        receipts_stream_arn: str | None,
        bucket: str | None,
        plan_days: int,
        delete_data: bool,
    ) -> None:
        super().__init__(scope, id)
        self._removal = RemovalPolicy.DESTROY if delete_data else RemovalPolicy.RETAIN
        self._protected = not delete_data
        self.receipts: dynamodb.ITable = (
            self._table("Receipts", stream=dynamodb.StreamViewType.NEW_AND_OLD_IMAGES)
            if receipts_stream_arn is None
            else dynamodb.Table.from_table_attributes(
                self,
                "Receipts",
                table_arn=receipts_stream_arn.split("/stream/")[0],
                table_stream_arn=receipts_stream_arn,
            )
        )
        self.receipts_name = receipts_table or self.receipts.table_name
        self.control: dynamodb.ITable = self._table("Control", stream=None)
        self.bucket: s3.IBucket = (
            self._bucket(plan_days) if bucket is None else s3.Bucket.from_bucket_name(self, "Bucket", bucket)
        )

    @property
    def stream_arn(self) -> str:
        """The receipts table's stream."""
        arn = self.receipts.table_stream_arn
        assert arn is not None  # both ways of making the table give it one
        return arn

    def _table(self, id: str, *, stream: dynamodb.StreamViewType | None) -> dynamodb.Table:
        return dynamodb.Table(
            self,
            id,
            partition_key=dynamodb.Attribute(name="PK", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="SK", type=dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            stream=stream,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            deletion_protection=self._protected,
            removal_policy=self._removal,
        )

    def _bucket(self, plan_days: int) -> s3.Bucket:
        return s3.Bucket(
            self,
            "Bucket",
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            removal_policy=self._removal,
            lifecycle_rules=[
                s3.LifecycleRule(id="plans", prefix=PLANS, expiration=Duration.days(plan_days)),
                s3.LifecycleRule(id="reports", prefix=REPORTS, expiration=Duration.days(plan_days)),
                s3.LifecycleRule(id="poison", prefix=POISON, expiration=Duration.days(POISON_DAYS)),
                s3.LifecycleRule(id="incomplete-uploads", abort_incomplete_multipart_upload_after=Duration.days(2)),
            ],
        )
