"""Whom a service may assume a role for: this account's resources, and of these the named ones only."""

from __future__ import annotations

from aws_cdk import Stack
from constructs import Construct


def only_of(scope: Construct, source_arn: str) -> dict[str, dict[str, str]]:
    """The conditions of a trust policy. `source_arn` is an ARN or a pattern of ARNs."""
    return {"StringEquals": {"aws:SourceAccount": Stack.of(scope).account}, "ArnLike": {"aws:SourceArn": source_arn}}
