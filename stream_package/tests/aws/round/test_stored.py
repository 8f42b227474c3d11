from typing import Any

import pytest
from receipt_dynamo_stream import TransientServiceError
from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.errors import PlanMissing, ReportMissing
from receipt_dynamo_stream.round.plan import load_plan, save_plan
from receipt_dynamo_stream.round.report import load_report, save_report

from ...round.test_plan_and_report import PLAN, REPORT


def test_a_plan_and_a_report_are_read_back_from_their_bucket(aws: dict[str, Any], bucket: str) -> None:
    save_plan(Bucket(aws["s3"], bucket), PLAN.plan_key("a"), PLAN)
    assert load_plan(Bucket(aws["s3"], bucket), PLAN.plan_key("a")) == PLAN
    key = save_report(Bucket(aws["s3"], bucket), REPORT)
    assert key == REPORT.report_key
    assert load_report(Bucket(aws["s3"], bucket), key) == REPORT


def test_an_object_that_is_not_there_is_named(aws: dict[str, Any], bucket: str) -> None:
    with pytest.raises(PlanMissing, match=rf"s3://{bucket}/plans/x is not there"):
        load_plan(Bucket(aws["s3"], bucket), "plans/x")
    with pytest.raises(ReportMissing) as caught:
        load_report(Bucket(aws["s3"], bucket), "reports/x")
    assert (caught.value.bucket, caught.value.key) == (bucket, "reports/x")


def test_a_bucket_that_is_not_there_is_no_missing_plan(aws: dict[str, Any]) -> None:
    with pytest.raises(aws["s3"].exceptions.NoSuchBucket):
        load_plan(Bucket(aws["s3"], "no-such-bucket"), "plans/x")


def test_a_body_that_breaks_off_is_transient() -> None:
    class Body:
        def read(self) -> bytes:
            from botocore.exceptions import ReadTimeoutError

            raise ReadTimeoutError(endpoint_url="https://s3")

    class Broken:
        def get_object(self, **_: str) -> dict[str, Body]:
            return {"Body": Body()}

    with pytest.raises(TransientServiceError):
        load_plan(Bucket(Broken(), "bucket"), "plans/x")
