"""Where moto's interpreter is known to do otherwise than Step Functions, and by which document it is wrong."""

from operate.asl.function_cases import FAILURE
from operate.asl.state_cases import RUNTIME, Came, StateCase
from operate.conform.level_0 import Difference

_CHOICE = "https://docs.aws.amazon.com/step-functions/latest/dg/state-choice.html"
_ERRORS = "https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html"


def _missing_is_false(case: StateCase, seen: Came) -> bool:
    return case.definition["Type"] == "Choice" and case.expected.error == RUNTIME and seen.error is None


def _compares_types(case: StateCase, seen: Came) -> bool:
    of_a_path = "of another type" in case.what and case.expected.error is None
    return case.definition["Type"] == "Choice" and of_a_path and seen.error == RUNTIME


def _all_catches_runtime(case: StateCase, seen: Came) -> bool:
    catchers = [catch["Next"] for catch in case.definition.get("Catch", ()) if catch["ErrorEquals"] == ["States.ALL"]]
    return case.expected.error == RUNTIME and seen.goes_to in catchers


def _functions_fail_unnamed(case: StateCase, seen: Came) -> bool:
    return case.expected.error == FAILURE and seen.error == RUNTIME


def _dynamodb_alone(case: StateCase, seen: Came) -> bool:
    native = "dynamodb" in case.definition.get("Resource", "")
    return native and case.expected.error == RUNTIME and (seen.error or "").startswith("DynamoDB.")


MOTO_DIFFERENCES = (
    Difference(
        "a variable that is not there compares as false; on AWS the execution fails", _CHOICE, _missing_is_false
    ),
    Difference("values of two types cannot be compared; on AWS they are unequal", _CHOICE, _compares_types),
    Difference("States.ALL catches States.Runtime; on AWS it does not", _ERRORS, _all_catches_runtime),
    Difference("a path that leads nowhere is an error of DynamoDB; on AWS of the state", _ERRORS, _dynamodb_alone),
    Difference("a function that fails is States.Runtime; on AWS it has a name", _ERRORS, _functions_fail_unnamed),
)
