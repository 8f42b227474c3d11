"""Who reads snapshots from the bucket: a laptop, a notebook, a function without VPC and file system."""

from __future__ import annotations

from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from .storage import SNAPSHOTS


class SnapshotReaders(Construct):
    """`policy`: what `SnapshotReader("s3://…")` asks for, to be attached to whatever role reads; it has none by itself.

    Snapshots alone: neither deltas nor plans. Without ListBucket S3 answers 403 for a key that is missing.
    """

    def __init__(self, scope: Construct, id: str, *, bucket: s3.IBucket) -> None:
        super().__init__(scope, id)
        self.policy = iam.ManagedPolicy(
            self,
            "Policy",
            description="Read snapshots from the bucket",
            statements=[
                iam.PolicyStatement(actions=["s3:GetObject"], resources=[bucket.arn_for_objects(f"{SNAPSHOTS}*")]),
                iam.PolicyStatement(
                    actions=["s3:ListBucket"],
                    resources=[bucket.bucket_arn],
                    conditions={"StringLike": {"s3:prefix": [f"{SNAPSHOTS}*"]}},
                ),
            ],
        )
