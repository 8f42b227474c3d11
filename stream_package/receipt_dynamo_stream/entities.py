"""The table's entities as frozen dataclasses, read from a stream record's image.

Ids come from the keys. An optional field is None when it is absent, NULL, empty, or a well-formed attribute of
another type: the same reading as the facts have, so that a change here is a change there. An attribute that is not
well-formed cannot come from DynamoDB and raises AttributeProblem. Other attributes are not looked at.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeAlias

from receipt_dynamo_stream import names
from receipt_dynamo_stream.attributes import AttributeProblem, decode
from receipt_dynamo_stream.grain import COLLECTIONS
from receipt_dynamo_stream.keys import ItemKey, ReceiptId
from receipt_dynamo_stream.runs import CompactionRun, run_of_key

Image: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Receipt:
    """RECEIPT."""

    receipt: ReceiptId
    timestamp_added: str | None = None


@dataclass(frozen=True, slots=True)
class ReceiptLine:
    """RECEIPT_LINE."""

    receipt: ReceiptId
    line_id: int
    text: str | None = None


@dataclass(frozen=True, slots=True)
class ReceiptWord:
    """RECEIPT_WORD."""

    receipt: ReceiptId
    line_id: int
    word_id: int
    text: str | None = None


@dataclass(frozen=True, slots=True)
class WordLabel:
    """RECEIPT_WORD_LABEL; a relabel is a REMOVE and an INSERT, because the label is in the key."""

    receipt: ReceiptId
    line_id: int
    word_id: int
    label: str
    reasoning: str | None = None
    validation_status: str | None = None
    label_proposed_by: str | None = None
    label_consolidated_from: str | tuple[str, ...] | None = None
    timestamp_added: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """RECEIPT_PLACE."""

    receipt: ReceiptId
    merchant_name: str | None = None
    merchant_category: str | None = None
    formatted_address: str | None = None
    phone_number: str | None = None
    place_id: str | None = None


@dataclass(frozen=True, slots=True)
class PlaceMetadata:
    """RECEIPT_METADATA, the older name of the place."""

    receipt: ReceiptId
    merchant_name: str | None = None
    merchant_category: str | None = None
    address: str | None = None
    phone_number: str | None = None
    place_id: str | None = None
    canonical_merchant_name: str | None = None
    canonical_merchant_category: str | None = None
    canonical_address: str | None = None
    canonical_phone_number: str | None = None
    canonical_place_id: str | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """RECEIPT_SECTION; line_ids are a set, given sorted."""

    receipt: ReceiptId
    section_type: str
    line_ids: tuple[int, ...] = ()
    confidence: int | Decimal | None = None
    validation_status: str | None = None


Entity: TypeAlias = Receipt | ReceiptLine | ReceiptWord | WordLabel | Place | PlaceMetadata | Section | CompactionRun


def parse_entity(key: ItemKey, image: Image) -> Entity:
    """The entity that an image of this key is. Raises AttributeProblem; ValueError for a key that is none of ours."""
    parser = _PARSERS.get(key.entity_type or "")
    if parser is None:
        raise ValueError("the key is of no known entity")
    return parser(key, image)


def _text(image: Image, name: str) -> str | None:
    value = image.get(name)
    if value is None:
        return None
    try:
        text = value["S"]
    except (KeyError, TypeError, IndexError):
        _well_formed(name, value)
        return None
    if not isinstance(text, str) or len(value) != 1:
        raise AttributeProblem(f"attribute {name} is no typed attribute")
    return text or None


def _text_or_texts(image: Image, name: str) -> str | tuple[str, ...] | None:
    value = image.get(name)
    if value is None:
        return None
    found = _well_formed(name, value)
    if isinstance(found, (list, frozenset)) and all(isinstance(one, str) for one in found):
        return tuple(sorted(set(found))) or None
    return found if isinstance(found, str) and found else None


def _number(image: Image, name: str) -> int | Decimal | None:
    value = image.get(name)
    found = None if value is None else _well_formed(name, value)
    return found if isinstance(found, (int, Decimal)) and not isinstance(found, bool) else None


def _whole_numbers(image: Image, name: str) -> tuple[int, ...]:
    value = image.get(name)
    found = None if value is None else _well_formed(name, value)
    if not isinstance(found, (list, frozenset)):
        return ()
    return tuple(sorted({one for one in found if isinstance(one, int) and not isinstance(one, bool)}))


def _well_formed(name: str, value: object) -> Any:
    try:
        return decode(value)
    except AttributeProblem as problem:
        raise AttributeProblem(f"attribute {name}: {problem}") from None


def _receipt(key: ItemKey, image: Image) -> Receipt:
    return Receipt(key.receipt, _text(image, "timestamp_added"))


def _line(key: ItemKey, image: Image) -> ReceiptLine:
    return ReceiptLine(key.receipt, key.line_id or 0, _text(image, "text"))


def _word(key: ItemKey, image: Image) -> ReceiptWord:
    return ReceiptWord(key.receipt, key.line_id or 0, key.word_id or 0, _text(image, "text"))


def _label(key: ItemKey, image: Image) -> WordLabel:
    return WordLabel(
        key.receipt,
        key.line_id or 0,
        key.word_id or 0,
        key.label or "",
        reasoning=_text(image, "reasoning"),
        validation_status=_text(image, "validation_status"),
        label_proposed_by=_text(image, "label_proposed_by"),
        label_consolidated_from=_text_or_texts(image, "label_consolidated_from"),
        timestamp_added=_text(image, "timestamp_added"),
    )


def _place(key: ItemKey, image: Image) -> Place:
    return Place(key.receipt, *(_text(image, name) for name in Place.__slots__[1:]))


def _metadata(key: ItemKey, image: Image) -> PlaceMetadata:
    return PlaceMetadata(key.receipt, *(_text(image, name) for name in PlaceMetadata.__slots__[1:]))


def _section(key: ItemKey, image: Image) -> Section:
    return Section(
        key.receipt,
        key.section_type or "",
        line_ids=_whole_numbers(image, "line_ids"),
        confidence=_number(image, "confidence"),
        validation_status=_text(image, "validation_status"),
    )


def _run(key: ItemKey, image: Image) -> CompactionRun:
    of_collections = (f"{one}_{name}" for one in COLLECTIONS for name in ("delta_prefix", "state"))
    for name in (*of_collections, "created_at"):
        _text(image, name)  # well-formed, or no image at all
    return run_of_key(key, image)


_PARSERS: dict[str, Callable[[ItemKey, Image], Entity]] = {
    names.RECEIPT: _receipt,
    names.RECEIPT_LINE: _line,
    names.RECEIPT_WORD: _word,
    names.RECEIPT_WORD_LABEL: _label,
    names.RECEIPT_PLACE: _place,
    names.RECEIPT_METADATA: _metadata,
    names.RECEIPT_SECTION: _section,
    names.COMPACTION_RUN: _run,
}
