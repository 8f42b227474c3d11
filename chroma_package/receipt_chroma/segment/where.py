"""`where` and `where_document` as chromadb 1.5.9 (local, Rust) means them, for records that are not in Chroma.

Found by experiment; a property test beside a real collection holds it.

| Filter | Selects |
|---|---|
| {k: v}, $eq | scalars of v's kind that equal it; integers and floats are one kind, bool is another than both |
| $gt $gte $lt $lte | numbers only; operands must be numbers |
| a float operand, an integer value | the operand is *cut off towards zero* before: 1 "equals" 1.5, and is not < 1.5 |
| an integer operand, a float value | compared with the operand as a float |
| $in | like $eq with one of the operands, which are all of one kind |
| $ne, $nin | all others: also records without the key, with another kind of value, with a list |
| $contains | lists that hold the operand, of exactly its kind (1 is not 1.0); never a scalar |
| $not_contains | all others |
| a list-valued key, any other operator | as if the key were not there |
| $and, $or | lists of at least two filters; at most 127 dicts and lists in each other |
| where_document $contains | documents that hold the text, in its case; `%` and `_` are themselves |
| where_document $not_contains, $not_regex | all others: also records without a document |
| where_document $regex | see document_regex |
| NUL in document or text of $contains | both end there, and if the text had one, the document must end with it |
| key `chroma:document` | the document, as a text under that key |
| key `#document` | $contains and $not_contains ask the document; texts are else refused, numbers find nothing |
| key beginning with `$` | refused |

Only what SQLite cannot digest is not refused here: a text of $contains beyond 50,000 bytes, more than some 900 filters
in one $or, 32,000 operands in one $in. A base refuses them.

chromadb is not imported. Metadata is in normal form (records.normal_metadata).
"""

import operator
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from receipt_chroma.records import Metadata, Record
from receipt_chroma.segment.document_regex import document_regex
from receipt_chroma.segment.operands import Operand, as_integer, operand_of, operands_of, text_of

Predicate = Callable[[str | None, Metadata], bool]

_DOCUMENT: Final = "chroma:document"
_DOCUMENT_SEARCH: Final = "#document"
_DEEPEST: Final = 127
"""Levels of dicts and lists in a filter: serde_json reads no more."""
_COMPARISONS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "$gt": operator.gt,
    "$gte": operator.ge,
    "$lt": operator.lt,
    "$lte": operator.le,
}
_NEGATED: Final = {"$ne": "$eq", "$nin": "$in", "$not_contains": "$contains", "$not_regex": "$regex"}


def compile_where(where: Mapping[str, Any] | None = None, where_document: Mapping[str, Any] | None = None) -> Predicate:
    """A function of document and metadata that is true for the records that both filters select (None: all).

    Raises ValueError for what chromadb refuses, RegexUnsupported.
    """
    parts = []
    try:
        if where is not None:
            _check_depth(where, _DEEPEST)
            parts.append(_where(where))
        if where_document is not None:
            _check_depth(where_document, _DEEPEST)
            parts.append(_where_document(where_document))
    except RecursionError as error:
        raise ValueError("the filter is nested too deep") from error
    return parts[0] if len(parts) == 1 else _all(parts)


def matching(records: Sequence[Record], predicate: Predicate, ids: Collection[str] | None = None) -> NDArray[np.bool_]:
    """For each record whether it is selected, (records,): by the filter, and by its id where `ids` are given."""
    wanted = None if ids is None else frozenset(ids)
    chosen = (
        (wanted is None or record.id in wanted) and predicate(record.document, record.metadata) for record in records
    )
    return np.fromiter(chosen, np.bool_, len(records))


def _where(where: object) -> Predicate:
    key, value = _only_item(where, "where")
    if key in ("$and", "$or"):
        return _composite(key, value, _where)
    if key.startswith("$"):
        raise ValueError(f"where: {key} is no metadata key, and only $and and $or stand in the place of one")
    text_of(key)
    if not isinstance(value, dict):
        return _equal(key, operand_of(value))
    comparison, operand = _only_item(value, f"where {key}")
    positive = _NEGATED.get(comparison, comparison)
    found = _metadata(key, positive, operand)
    return found if positive == comparison else _negation(found)


def _where_document(where_document: object) -> Predicate:
    comparison, operand = _only_item(where_document, "where_document")
    if comparison in ("$and", "$or"):
        return _composite(comparison, operand, _where_document)
    if not isinstance(operand, str) or not operand:
        raise ValueError(f"where_document: {comparison} takes a text that is not empty, not {operand!r}")
    positive = _NEGATED.get(comparison, comparison)
    if positive == "$contains":
        found = _document_contains(operand)
    elif positive == "$regex":
        found = _document_matches(operand)
    else:
        raise ValueError(f"where_document: there is no operator {comparison}")
    return found if positive == comparison else _negation(found)


def _only_item(expression: object, what: str) -> tuple[str, Any]:
    if not isinstance(expression, dict) or len(expression) != 1:
        raise ValueError(f"{what}: a dict with one key is expected, not {expression!r}")
    ((key, value),) = expression.items()
    if not isinstance(key, str):
        raise ValueError(f"{what}: {key!r} is not a text")
    return key, value


def _check_depth(expression: object, left: int) -> None:
    if isinstance(expression, (dict, list)):
        if not left:
            raise ValueError("the filter is nested too deep")
        for part in expression.values() if isinstance(expression, dict) else expression:
            _check_depth(part, left - 1)


def _composite(name: str, expressions: object, compile_one: Callable[[object], Predicate]) -> Predicate:
    if not isinstance(expressions, list) or len(expressions) < 2:
        raise ValueError(f"{name} takes a list of at least two filters, not {expressions!r}")
    parts = [compile_one(expression) for expression in expressions]
    return _all(parts) if name == "$and" else _any(parts)


# all() and any() over a generator take three times as long as these loops, for every record.


def _all(parts: list[Predicate]) -> Predicate:
    def every(document: str | None, metadata: Metadata) -> bool:
        for part in parts:  # noqa: SIM110
            if not part(document, metadata):
                return False
        return True

    return every


def _any(parts: list[Predicate]) -> Predicate:
    def some(document: str | None, metadata: Metadata) -> bool:
        for part in parts:  # noqa: SIM110
            if part(document, metadata):
                return True
        return False

    return some


def _negation(predicate: Predicate) -> Predicate:
    return lambda document, metadata: not predicate(document, metadata)


def _metadata(key: str, comparison: str, operand: object) -> Predicate:
    if comparison == "$eq":
        return _equal(key, operand_of(operand))
    if comparison == "$in" and isinstance(operand, list):
        return _one_of(key, operands_of(operand))
    if comparison == "$contains" and key == _DOCUMENT_SEARCH and isinstance(operand, str):
        return _document_contains(operand)
    if comparison == "$contains" and key != _DOCUMENT_SEARCH:
        return _list_contains(key, operand_of(operand))
    if comparison in _COMPARISONS and isinstance(operand, (int, float)) and not isinstance(operand, bool):
        number = operand_of(operand)
        assert not isinstance(number, str)
        return _compared(key, _COMPARISONS[comparison], number)
    raise ValueError(f"where {key}: there is no operator {comparison}, or it does not take {operand!r}")


def _equal(key: str, operand: Operand) -> Predicate:
    if isinstance(operand, bool):
        return lambda _, metadata: metadata.get(key) is operand
    if isinstance(operand, str):
        return _one_of(key, [operand])
    return _compared(key, operator.eq, operand)


def _compared(key: str, compare: Callable[[Any, Any], bool], operand: int | float) -> Predicate:
    integer, floating = as_integer(operand), float(operand)

    def compared(_: str | None, metadata: Metadata) -> bool:
        value = metadata.get(key)
        kind = type(value)
        return compare(value, integer) if kind is int else kind is float and compare(value, floating)

    return compared


def _one_of(key: str, operands: list[Operand]) -> Predicate:
    kind = type(operands[0])
    values = frozenset(operands)
    if kind is str and key == _DOCUMENT_SEARCH:
        raise ValueError(f"where {key}: chromadb has no index of texts under this key")
    if kind is str and key == _DOCUMENT:
        return lambda document, _: document in values
    if kind is str or kind is bool:
        return lambda _, metadata: type(value := metadata.get(key)) is kind and value in values
    numbers = [operand for operand in operands if not isinstance(operand, str)]
    integers, floats = frozenset(as_integer(one) for one in numbers), frozenset(float(one) for one in numbers)

    def number_in(_: str | None, metadata: Metadata) -> bool:
        value = metadata.get(key)
        kind = type(value)
        return value in integers if kind is int else kind is float and value in floats

    return number_in


def _list_contains(key: str, operand: Operand) -> Predicate:
    kind = type(operand)

    def contains(_: str | None, metadata: Metadata) -> bool:
        value = metadata.get(key)
        return type(value) is list and type(value[0]) is kind and operand in value

    return contains


def _document_matches(pattern: str) -> Predicate:
    found = document_regex(text_of(pattern))
    return lambda document, _: document is not None and found(document)


def _document_contains(text: str) -> Predicate:
    found, nul, _ = text_of(text).partition("\0")
    if nul:
        return lambda document, _: document is not None and document.partition("\0")[0].endswith(found)
    return lambda document, _: document is not None and found in document and found in document.partition("\0")[0]
