"""A function may be named in any of the ways Lambda allows."""

import pytest

from local.names import function_arn, function_name


@pytest.mark.parametrize(
    "written",
    [
        "Echo",
        "Echo:$LATEST",
        "123456789012:function:Echo",
        "arn:aws:lambda:us-east-1:123456789012:function:Echo",
        "arn:aws:lambda:us-east-1:123456789012:function:Echo:7",
    ],
)
def test_every_way_of_naming_a_function_leads_to_its_name(written: str) -> None:
    assert function_name(written) == "Echo"


def test_an_arn_and_its_name_are_each_other() -> None:
    assert function_name(function_arn("MergeDeltas")) == "MergeDeltas"
