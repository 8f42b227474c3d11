"""The operands of a filter as chromadb 1.5.9 takes them: by way of JSON, into its Rust code.

| Operand | Becomes |
|---|---|
| integer of 64 bits | that integer |
| integer of 2^63 … 2^64 − 1 | refused |
| any other integer | the nearest float |
| float | as serde_json reads its shortest decimal form, which is not always the same float (below) |
| NaN, infinity, text with a lone surrogate | refused |
"""

import json
import math
from collections.abc import Sequence
from typing import Final

Operand = str | bool | int | float

_SMALLEST, _BEYOND, _BEYOND_UNSIGNED = -(1 << 63), 1 << 63, 1 << 64
_LARGEST_POWER: Final = 308


class OperandRefused(ValueError):
    """Chroma refuses this operand."""


def operand_of(value: object) -> Operand:
    """The operand that chromadb compares with. Raises OperandRefused."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return text_of(value)
    if isinstance(value, int):
        if _SMALLEST <= value < _BEYOND:
            return int(value)
        if _BEYOND <= value < _BEYOND_UNSIGNED:
            raise OperandRefused(f"{value} does not fit 64 bits")
        return float_of(str(value))
    if isinstance(value, float):
        return float_of(json.dumps(float(value)))
    raise OperandRefused(f"{value!r} is no text, number or bool")


def text_of(value: str) -> str:
    """The text itself. Raises OperandRefused for one that is not valid Unicode."""
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise OperandRefused(f"not valid Unicode text: {error}") from error
    return str(value)


def float_of(decimal: str) -> float:
    """The float that serde_json reads: digits as an integer, rounded, then times or by a power of ten, rounded again.

    Exact up to 2^53 and 10^22, else sometimes a neighbour. Checked against chromadb for 1,800 numbers of 1e-30 to 1e30,
    where 70 of 600 stored ones came back as a neighbour. Raises OperandRefused for what is no finite number.
    """
    mantissa, _, exponent_text = decimal.lower().partition("e")
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    if not (whole + fraction).isdigit():
        raise OperandRefused(f"{decimal} is not a finite number")
    digits, exponent = _leading_digits(whole + fraction)
    exponent += int(exponent_text or 0) - len(fraction)
    value = float(digits)
    while value and abs(exponent) > _LARGEST_POWER:
        if exponent > 0:
            raise OperandRefused(f"{decimal} is out of range")
        value /= 1e308
        exponent += _LARGEST_POWER
    if value:
        value = value * float(f"1e{exponent}") if exponent >= 0 else value / float(f"1e{-exponent}")
    if math.isinf(value):
        raise OperandRefused(f"{decimal} is out of range")
    return -value if decimal.startswith("-") else value


def _leading_digits(digits: str) -> tuple[int, int]:
    """The digits that fit 64 bits, and how many were dropped behind them."""
    kept = int(digits)
    dropped = 0
    while kept >= _BEYOND_UNSIGNED:
        kept //= 10
        dropped += 1
    return kept, dropped


def as_integer(value: int | float) -> int:
    """The integer that a float is compared as with integers: cut off towards zero, and at 64 bits."""
    return max(_SMALLEST, min(_BEYOND - 1, int(value)))


def operands_of(values: Sequence[object]) -> list[Operand]:
    """The operands of $in: all texts, all bools, all integers or all floats. Raises OperandRefused."""
    if not values or not all(isinstance(value, type(values[0])) for value in values):
        raise OperandRefused(f"{values!r} is empty, or its values are not of one kind")
    first = operand_of(values[0])
    if isinstance(first, float):  # the first decides: integers behind one that is too large are floats, too
        return [_as_float(value) for value in values]
    operands = [operand_of(value) for value in values]
    if any(type(operand) is not type(first) for operand in operands):
        raise OperandRefused(f"{values!r}: not all values are of one kind")
    return operands


def _as_float(value: object) -> float:
    if isinstance(value, int) and not isinstance(value, bool) and _SMALLEST <= value < _BEYOND_UNSIGNED:
        return float(value)
    operand = operand_of(value)
    if not isinstance(operand, float):
        raise OperandRefused(f"{value!r} is no number")
    return operand
