"""Python values as DynamoDB attribute values, in the way the producers of the receipts table write them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

Item = dict[str, Any]  # attribute name -> attribute value of the low-level API, e.g. {"S": "text"}
Value = str | bool | int | float | datetime | Mapping[str, Any] | Sequence[Any] | None


def attribute(value: Value) -> dict[str, Any]:
    """One attribute value: None as NULL, times as ISO-8601 strings, mappings as M, sequences as L."""
    match value:
        case None:
            return {"NULL": True}
        case str():
            return {"S": value}
        case bool():
            return {"BOOL": value}
        case int() | float():
            return {"N": repr(value)}
        case datetime():
            return {"S": value.isoformat()}
        case Mapping():
            return {"M": item(value)}
        case _:
            return {"L": [attribute(member) for member in value]}


def item(values: Mapping[str, Value]) -> Item:
    """A whole item, or the inside of an M."""
    return {name: attribute(value) for name, value in values.items()}
