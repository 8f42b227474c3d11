"""Event filtering, as far as the stream mapping uses it.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html. A pattern has the shape of the record; its
leaves are lists of what may stand there: exact values, {"prefix": "…"}, {"exists": true or false}. A record passes if
it matches any of the patterns, or if there are none.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from local.errors import FilterError

Pattern = Mapping[str, Any]

ENTITY_TYPES = (
    "RECEIPT",
    "RECEIPT_LINE",
    "RECEIPT_WORD",
    "RECEIPT_WORD_LABEL",
    "RECEIPT_PLACE",
    "RECEIPT_METADATA",
    "RECEIPT_SECTION",
    "COMPACTION_RUN",
)
"""The `TYPE`s that compaction has to do with."""

RECEIPT_CHANGES: tuple[Pattern, ...] = tuple(
    {"dynamodb": {image: {"TYPE": {"S": list(ENTITY_TYPES)}}}} for image in ("NewImage", "OldImage")
)
"""The mapping's filter criteria: a record of such an item, whatever happened to it."""


def check_pattern(pattern: Pattern) -> None:
    """Raise FilterError for anything that `matches` would not understand."""
    for name, expected in pattern.items():
        if isinstance(expected, Mapping):
            check_pattern(expected)
        elif not isinstance(expected, Sequence) or isinstance(expected, str) or not expected:
            raise FilterError(f"{name}: a list of alternatives is needed, not {expected!r}")
        else:
            for rule in expected:
                _check_rule(name, rule)


def matches(record: Mapping[str, Any], patterns: Sequence[Pattern]) -> bool:
    """Whether the record passes the filter."""
    return not patterns or any(_matches(record, pattern) for pattern in patterns)


def _check_rule(name: str, rule: object) -> None:
    match rule:
        case {"exists": bool(), **more} if not more:
            return
        case {"prefix": str(), **more} if not more:
            return
        case Mapping() | list():
            raise FilterError(f"{name}: the local poller knows exact values, exists and prefix, not {rule!r}")


def _matches(value: object, pattern: Pattern) -> bool:
    content = value if isinstance(value, Mapping) else {}
    return all(
        _matches(content.get(name), expected)
        if isinstance(expected, Mapping)
        else any(_satisfies(content, name, rule) for rule in expected)
        for name, expected in pattern.items()
    )


def _satisfies(content: Mapping[str, Any], name: str, rule: object) -> bool:
    match rule:
        case {"exists": bool(expected)}:
            # As documented, `exists` looks at leaves only.
            return (name in content and not isinstance(content[name], Mapping)) is expected
        case {"prefix": str(prefix)}:
            return isinstance(content.get(name), str) and content[name].startswith(prefix)
        case _:
            return name in content and type(content[name]) is type(rule) and content[name] == rule
