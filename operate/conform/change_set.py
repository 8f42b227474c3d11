"""The synthesised template as a change set that nobody executes: CloudFormation reads it whole, and makes nothing."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, Final

from botocore.exceptions import ClientError

from operate.conform.rows import Outcome, Row, Whose

PART: Final = "Template"
_SOURCE: Final = "https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateChangeSet.html"
_BUCKET: Final = "cdk-hnb659fds-assets-{account}-{region}"
"""Where `cdk bootstrap` lets a deployment put what it needs; a template of this size must be in a bucket."""
RIGHTS: Final = (
    "cloudformation:CreateChangeSet, cloudformation:DescribeChangeSet, cloudformation:DeleteChangeSet, "
    "cloudformation:DeleteStack, s3:PutObject and s3:DeleteObject below conform/ of the bootstrap bucket"
)
_ENDED: Final = ("CREATE_COMPLETE", "FAILED")
_NOTHING: Final = ("didn't contain changes", "No updates are to be performed")
_LOOK_SECONDS: Final = 3.0
_LOOKS: Final = 200


def change_set_rows(
    client: Callable[[str], Any],
    template: str,
    *,
    region: str,
    stack_name: str | None,
    unique: str,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Row]:
    """One row. The change set is of the stack, or where none is named of a new one of a name of its own; it is deleted,
    with that stack and the template's object, whatever happens."""
    cloudformation, s3 = client("cloudformation"), client("s3")
    name = stack_name or f"conform-{unique[:12]}"
    bucket = _BUCKET.format(account=client("sts").get_caller_identity()["Account"], region=region)
    key = f"conform/{unique}.json"
    with ExitStack() as made:
        made.callback(s3.delete_object, Bucket=bucket, Key=key)
        s3.put_object(Bucket=bucket, Key=key, Body=template.encode())
        if stack_name is None:
            made.callback(cloudformation.delete_stack, StackName=name)
        made.callback(_delete, cloudformation, name, f"conform-{unique[:12]}")
        arn = cloudformation.create_change_set(
            StackName=name,
            ChangeSetName=f"conform-{unique[:12]}",
            ChangeSetType="CREATE" if stack_name is None else "UPDATE",
            TemplateURL=f"https://{bucket}.s3.{region}.amazonaws.com/{key}",
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
        )["Id"]
        for _ in range(_LOOKS):
            told = cloudformation.describe_change_set(ChangeSetName=arn)
            if told["Status"] in _ENDED:
                break
            sleep(_LOOK_SECONDS)
    reason = told.get("StatusReason", "")
    same = any(one in reason for one in _NOTHING)
    seen = "no change" if same else f"{told['Status']}{f': {reason}' if reason else ''}"
    outcome = Outcome.HELD if same or told["Status"] == "CREATE_COMPLETE" else Outcome.BROKEN
    yield Row(
        PART, f"a change set of {name}", "CREATE_COMPLETE, or no change", seen, Whose.AWS, outcome, source=_SOURCE
    )


def _delete(cloudformation: Any, stack_name: str, name: str) -> None:
    """A change set that was not made has no stack either, and that is no failure."""
    try:
        cloudformation.delete_change_set(StackName=stack_name, ChangeSetName=name)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("ChangeSetNotFound", "ValidationError"):
            raise
