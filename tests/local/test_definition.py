"""Filling in the state machine's `${…}`."""

import json

import pytest

from local.application import STEPS, compaction_application, snake_case
from local.aws.resources import definition
from local.definition import substitute
from local.errors import ApplicationMissing, SubstitutionError


def test_every_placeholder_is_replaced_wherever_it_stands() -> None:
    assert substitute('{"a": "${X}", "b": "x-${X}-${Y}"}', {"X": "1", "Y": "2"}) == '{"a": "1", "b": "x-1-2"}'


def test_paths_and_intrinsic_functions_are_left_alone() -> None:
    text = json.dumps({"a.$": "$.x", "b.$": "$$.Execution.Id", "c.$": "States.Format('{}', $.y)"})
    assert substitute(text, {}) == text


def test_a_placeholder_without_value_is_named() -> None:
    with pytest.raises(SubstitutionError, match=r"no value for \$\{Y\}"):
        substitute('{"a": "${X}${Y}"}', {"X": "1"})


def test_a_value_that_nobody_asks_for_is_named() -> None:
    with pytest.raises(SubstitutionError, match=r"does not use \$\{Y\}"):
        substitute('{"a": "${X}"}', {"X": "1", "Y": "2"})


def test_a_value_that_breaks_the_json_is_refused() -> None:
    with pytest.raises(SubstitutionError, match="not JSON"):
        substitute('{"a": "${X}"}', {"X": '"'})


def test_the_real_state_machine_asks_for_exactly_the_values_of_the_real_application() -> None:
    text = definition(compaction_application(), shards=4)
    assert "arn:aws:lambda:us-east-1:123456789012:function:MergeDeltas" in text
    assert "${" not in text


def test_every_handler_of_the_real_application_is_there() -> None:
    application = compaction_application()
    application.check()
    assert [function.name for function in application.steps] == list(STEPS)


def test_a_missing_handler_is_named(tmp_path) -> None:
    with pytest.raises(ApplicationMissing, match="merge_deltas"):
        compaction_application(root=tmp_path).check()


@pytest.mark.parametrize(("name", "snake"), [("MergeDeltas", "merge_deltas"), ("Echo", "echo")])
def test_a_handler_file_is_named_as_its_state(name: str, snake: str) -> None:
    assert snake_case(name) == snake
