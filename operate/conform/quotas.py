"""What the account allows beside what the stack needs."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from botocore.exceptions import ClientError

from operate.conform.rows import Outcome, Row, Whose

PART: Final = "Quotas"


@dataclass(frozen=True)
class Need:
    """needed: as stage dev is deployed, with one shard a collection; what else the account has running comes on top."""

    what: str
    service: str
    code: str
    needed: int
    why: str
    source: str


_LAMBDA: Final = "https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"
# The codes are those that programs of others ask Service Quotas for; we have not asked. An unknown one is left out.
NEEDS: Final = (
    Need(
        *("functions at once", "lambda", "L-B99A9384", 10),
        "two collections of one shard merge, fold and validate; the stream, the recorder and the probe",
        _LAMBDA,
    ),
    Need(
        *("network interfaces of functions in a VPC", "lambda", "L-9FEE3D26", 10),
        "one for each pair of a subnet and a security group, and room while a deployment changes them",
        _LAMBDA,
    ),
    Need(
        *("VPCs in a region", "vpc", "L-F678F1CE", 1),
        "each stage has one of its own",
        "https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html",
    ),
    Need(
        *("tables in a region", "dynamodb", "L-F98FE922", 2),
        "the receipts table and the control table",
        "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html",
    ),
    Need(
        *("stacks in a region", "cloudformation", "L-0485CB21", 2),
        "the stage, and what `cdk bootstrap` made",
        "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html",
    ),
)


def quota_rows(client: Any) -> Iterator[Row]:
    """A row for each need. A quota that the region does not have is left out, and not required."""
    for need in NEEDS:
        expected = f"at least {need.needed:,}: {need.why}"
        try:
            quota = client.get_service_quota(ServiceCode=need.service, QuotaCode=need.code)["Quota"]
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchResourceException":
                raise
            said = f"Service Quotas knows no {need.code} of {need.service} here"
            yield Row(PART, need.what, expected, said, Whose.AWS, Outcome.LEFT_OUT, required=False, source=need.source)
            continue
        outcome = Outcome.HELD if quota["Value"] >= need.needed else Outcome.BROKEN
        yield Row(PART, need.what, expected, f"{quota['Value']:,.0f}", Whose.AWS, outcome, source=need.source)
