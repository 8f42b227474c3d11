"""The app: what the command line says, a stack, and its checks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aws_cdk
from aws_cdk.cx_api import CloudAssembly, SynthesisMessageLevel

from .nag import check
from .paths import STREAM_ZIP
from .settings import Deployment, stage_named
from .stack import CompactionStack

FLAGS = {
    # Set here and not in cdk.json, so that synth without the CDK command makes the same template.
    "@aws-cdk/aws-iam:minimizePolicies": True,
    "@aws-cdk/core:checkSecretUsage": True,
    "@aws-cdk/core:target-partitions": ["aws"],
    "@aws-cdk/aws-lambda:recognizeLayerVersion": True,
    "@aws-cdk/aws-lambda:recognizeVersionProps": True,  # a tag is no new version, which Lambda would refuse to publish
    "@aws-cdk/aws-s3:createDefaultLoggingPolicy": True,
    "@aws-cdk/aws-efs:denyAnonymousAccess": False,  # network.py writes its own, narrower policy
    "@aws-cdk/aws-efs:mountTargetOrderInsensitiveLogicalId": True,
    "@aws-cdk/aws-lambda:useCdkManagedLogGroup": False,  # every function names its own
    "aws:cdk:disable-asset-staging": False,
}


class CheckFailed(Exception):
    """cdk-nag, or the CDK itself, has errors about the stack: the message lists them."""


def deployment_of(node: Any) -> Deployment:
    """What `-c name=value` says; the names are Deployment's fields."""

    def text(name: str) -> str | None:
        value = node.try_get_context(name)
        return str(value) if value else None

    return Deployment(
        stage=stage_named(text("stage") or "dev"),
        receipts_table=text("receipts_table"),
        receipts_stream_arn=text("receipts_stream_arn"),
        bucket=text("bucket"),
        delta_buckets=tuple((text("delta_buckets") or "").split(",")) if text("delta_buckets") else (),
        alarm_email=text("alarm_email"),
        messages=text("messages") in ("true", "True"),
        probe=text("probe") == "on",
        delete_data=text("delete_data") in ("true", "True"),
    )


def synthesise(outdir: Path, context: dict[str, Any] | None = None, zip_file: Path = STREAM_ZIP) -> CloudAssembly:
    """Write the template and its assets to `outdir`. Raises CheckFailed with every finding that is not suppressed."""
    app = aws_cdk.App(outdir=str(outdir), context={**FLAGS, **(context or {})}, analytics_reporting=False)
    check(CompactionStack(app, deployment=deployment_of(app.node), zip_file=zip_file))
    assembly = app.synth()
    errors = [
        f"{message.id}: {message.entry.data}"
        for stack in assembly.stacks
        for message in stack.messages
        if message.level is SynthesisMessageLevel.ERROR
    ]
    if errors:
        raise CheckFailed("\n".join(errors))
    return assembly
