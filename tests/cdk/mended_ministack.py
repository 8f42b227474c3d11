"""ministack, run by its own Python, with `begins_with` as DynamoDB has it.

An attribute that is neither text nor bytes begins with nothing. ministack 1.5.33 refuses the request, as DynamoDB does
only where the *value* is of such a type.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html
"""

import runpy
from typing import Any

from ministack.services import dynamodb  # type: ignore[import-not-found]

_begins_with = dynamodb._ExprEval._fn_begins_with


def begins_with(expression: Any) -> bool:
    """False where the value is right and the attribute is of another type."""
    try:
        return bool(_begins_with(expression))
    except ValueError as error:
        if str(error).endswith(("operand type: S", "operand type: B")):
            return False
        raise


dynamodb._ExprEval._fn_begins_with = begins_with
runpy.run_module("ministack", run_name="__main__", alter_sys=True)
