"""The intrinsic functions that the states use, each alone: what it makes of which values, as its document says.

https://docs.aws.amazon.com/step-functions/latest/dg/intrinsic-functions.html
"""

from collections.abc import Iterator
from typing import Any, Final

from operate.asl.inputs import CONTEXT
from operate.asl.state_cases import Came, StateCase

PART: Final = "Intrinsic functions"
FAILURE: Final = "States.IntrinsicFailure"
VALUES: Final[tuple[tuple[str, Any, Any], ...]] = (
    ("States.Format('COLLECTION#{}', $.a)", {"a": "words"}, "COLLECTION#words"),
    ("States.Format('{}', $.a)", {"a": 12}, "12"),
    ("States.Format('{} to {} by {}', $.a, $.b, $.c)", {"a": "x", "b": "{}", "c": 3}, "x to {} by 3"),
    ("States.StringToJson($.a)", {"a": "41"}, 41),
    ("States.StringToJson($.a)", {"a": '{"b": [true, null]}'}, {"b": [True, None]}),
    ("States.MathAdd($.a, 1)", {"a": 41}, 42),
    ("States.MathAdd($.a, States.ArrayLength($.b))", {"a": 1, "b": ["x", "y"]}, 3),
    ("States.ArrayLength($.a)", {"a": []}, 0),
    ("States.ArrayContains($.a, true)", {"a": [False, True]}, True),
    ("States.ArrayContains($.a, true)", {"a": [False, False]}, False),
    ("States.ArrayContains($[*].a, true)", [{"a": False}, {"a": True}], True),
    ("States.JsonMerge($.a, $.b, false)", {"a": {"x": 1, "y": {"z": 1}}, "b": {"y": 2}}, {"x": 1, "y": 2}),
    ("States.JsonMerge($.a, $, false)", {"a": {"x": 1}, "x": 2}, {"x": 2, "a": {"x": 1}}),
)
"""(a call, the input, what it comes to)."""
REFUSED: Final[tuple[tuple[str, Any], ...]] = (
    ("States.StringToJson($.a)", {"a": "not JSON"}),
    ("States.MathAdd($.a, 1)", {"a": "1"}),
    ("States.ArrayLength($.a)", {"a": "text"}),
)
"""(a call, an input of which it can make nothing)."""


def function_cases() -> Iterator[StateCase]:
    """A Pass state for each."""
    for call, data, value in VALUES:
        yield _case(call, data, Came(None, {"value": value}))
    for call, data in REFUSED:
        yield _case(call, data, Came(None, error=FAILURE))


def _case(call: str, data: Any, expected: Came) -> StateCase:
    state = {"Type": "Pass", "Parameters": {"value.$": call}, "End": True}
    return StateCase(PART, "", f"{call} of {data}", state, data, CONTEXT, None, expected)
