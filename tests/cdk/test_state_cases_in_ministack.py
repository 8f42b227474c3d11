"""ministack's TestState, over the wire: the same cases by the same code as AWS's, and where it is known to differ.

It takes no Map, and of errors it looks at catchers before retriers and calls every retrier the first: these are not
asked. https://docs.aws.amazon.com/step-functions/latest/apireference/API_TestState.html has Maps and `retryIndex`.
"""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from operate.asl.answers import came_of_test_state
from operate.asl.function_cases import FAILURE, function_cases
from operate.asl.state_cases import RUNTIME, Came, StateCase, state_cases
from operate.conform.level_0 import Difference, known_difference
from tests.cdk import emulator

pytestmark = pytest.mark.template
MACHINE = json.loads((emulator.ROOT / "state_machines/compaction.asl.json").read_text())
CASES = [one for one in [*state_cases(MACHINE), *function_cases()] if one.definition["Type"] != "Map"]
BROKE_OFF = "InternalError"


def is_null(case: StateCase, seen: Came) -> bool:
    return case.expected.error in (RUNTIME, FAILURE) and seen.error in (None, BROKE_OFF)


DIFFERENCES = (
    Difference(
        "a path that leads nowhere is null, with which the state goes on or breaks off; on AWS the state fails",
        "https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html",
        is_null,
    ),
)


@pytest.fixture(scope="module")
def stepfunctions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with emulator.running(tmp_path_factory.mktemp("ministack")) as running:
        yield boto3.client(
            "stepfunctions",
            region_name=emulator.REGION,
            endpoint_url=running.endpoint,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(inject_host_prefix=False, retries={"max_attempts": 0}),  # TestState has a host of its own
        )


def seen_of(client: Any, case: StateCase) -> Came:
    try:
        return came_of_test_state(client, case)
    except ClientError as error:
        return Came(None, error=error.response["Error"]["Code"])


def test_every_state_but_a_map_comes_to_the_same_or_the_difference_is_known_and_still_there(stepfunctions: Any) -> None:
    differ = [(one, seen) for one in CASES if (seen := seen_of(stepfunctions, one)) != one.expected]
    known = [known_difference(one, seen, DIFFERENCES) for one, seen in differ]
    assert [(one.label, seen) for (one, seen), why in zip(differ, known, strict=True) if why is None] == []
    assert set(known) == set(DIFFERENCES)
    assert len(differ) < len(CASES) / 2
