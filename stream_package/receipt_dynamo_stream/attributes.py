"""DynamoDB's typed attributes: small encoders, tolerant getters, and one full decoder.

Items come from two places with one difference: boto3 gives bytes for B, a Lambda event gives base64 text.
"""

from base64 import b64decode
from collections.abc import Mapping
from decimal import Decimal, DecimalException
from typing import Any

Item = Mapping[str, Mapping[str, Any]]

MAX_DEPTH = 40
"""DynamoDB itself allows 32 levels; deeper input is no item and must not exhaust the stack."""


class AttributeProblem(ValueError):
    """An attribute that DynamoDB cannot have written, or of another type than its meaning."""


def string(value: str) -> dict[str, Any]:
    """Encode text."""
    return {"S": value}


def number(value: int | float) -> dict[str, Any]:
    """Encode a number; floats by their shortest exact text."""
    return {"N": repr(value)}


def null_or_string(value: str | None) -> dict[str, Any]:
    """Encode optional text; None is written as NULL, as the table's producers do."""
    return {"NULL": True} if value is None else {"S": value}


def text_of(item: Item, name: str) -> str | None:
    """The text of a string attribute; None when it is absent, NULL, empty or of another type."""
    value = item.get(name)
    found = value.get("S") if isinstance(value, Mapping) else None
    return found if isinstance(found, str) and found else None


def int_of(item: Item, name: str, default: int = 0) -> int:
    """The value of a number attribute that counts something; default when absent, NULL or no whole number."""
    value = item.get(name)
    found = value.get("N") if isinstance(value, Mapping) else None
    if not isinstance(found, str):
        return default
    try:
        return int(parse_number(found))
    except AttributeProblem:
        return default


def float_of(item: Item, name: str, default: float = 0.0) -> float:
    """The value of a number attribute that measures something; default when absent, NULL or no number."""
    value = item.get(name)
    found = value.get("N") if isinstance(value, Mapping) else None
    if not isinstance(found, str):
        return default
    try:
        return float(parse_number(found))
    except AttributeProblem:
        return default


def parse_number(text: object) -> int | Decimal:
    """The number that DynamoDB wrote as text: int when it is whole (`1.0` too), else Decimal.

    Raises AttributeProblem for anything else, NaN and infinity included.
    """
    if not isinstance(text, str) or len(text) > 200 or not text.isascii():
        raise AttributeProblem(f"{_short(text)} is no number")
    try:
        value = Decimal(text)
    except DecimalException as error:
        raise AttributeProblem(f"{_short(text)} is no number") from error
    # DynamoDB's range; it also keeps int() from making a number with a billion digits out of 1E+999999999.
    if not value.is_finite() or not -140 <= value.adjusted() <= 130:
        if value.is_finite() and value == 0:
            return 0
        raise AttributeProblem(f"{_short(text)} is out of DynamoDB's range of numbers")
    return int(value) if value == value.to_integral_value() else value


def decode(value: object, depth: int = 0) -> Any:
    """Decode one typed attribute into plain Python; sets become frozensets. Raises AttributeProblem."""
    if depth > MAX_DEPTH:
        raise AttributeProblem("nested deeper than DynamoDB allows")
    if not isinstance(value, Mapping) or len(value) != 1:
        raise AttributeProblem(f"{_short(value)} is no typed attribute")
    ((kind, content),) = value.items()
    if kind == "S" and isinstance(content, str):
        return content
    if kind == "N":
        return parse_number(content)
    if kind == "BOOL" and isinstance(content, bool):
        return content
    if kind == "NULL" and isinstance(content, bool):
        return None
    if kind == "M" and isinstance(content, Mapping):
        return {str(name): decode(inner, depth + 1) for name, inner in content.items()}
    if kind == "B":
        return _decode_bytes(content)
    if isinstance(content, (list, tuple, set, frozenset)):
        if kind == "L":
            return [decode(inner, depth + 1) for inner in content]
        if kind == "SS" and all(isinstance(inner, str) for inner in content):
            return frozenset(content)
        if kind == "NS":
            return frozenset(parse_number(inner) for inner in content)
        if kind == "BS":
            return frozenset(_decode_bytes(inner) for inner in content)
    raise AttributeProblem(f"{_short(value)} is no typed attribute")


def decode_item(item: Mapping[str, Any]) -> dict[str, Any]:
    """Decode every attribute of an item. Raises AttributeProblem."""
    decoded = {}
    for name, value in item.items():
        try:
            decoded[name] = decode(value)
        except AttributeProblem as problem:
            raise AttributeProblem(f"attribute {name}: {problem}") from None
    return decoded


def _decode_bytes(content: object) -> bytes:
    if isinstance(content, (bytes, bytearray)):
        return bytes(content)
    if isinstance(content, str):
        try:
            return b64decode(content, validate=True)
        except ValueError as error:  # binascii.Error is one, and so is text outside ASCII
            raise AttributeProblem(f"{_short(content)} is no base64 text") from error
    raise AttributeProblem(f"{_short(content)} is no binary value")


def _short(value: object) -> str:
    if isinstance(value, str):
        return repr(value[:60])
    return f"a {type(value).__name__}"
