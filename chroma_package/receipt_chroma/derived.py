"""Metadata that belongs to the facts: what DynamoDB says of a receipt, written on its records.

| Key | On | From |
|---|---|---|
| merchant_name, merchant_category, phone_number, place_id, address | all | PLACE, else METADATA (canonical first) |
| valid_labels_array, invalid_labels_array, label_status | lines, words | the word's labels; on lines all of the row |
| label_proposed_by, label_validated_at | words | the latest PENDING, the latest VALID label |
| row_line_ids | lines | the delta's members that still exist |
| section_label | lines | plurality of the members' sections |

An absent or empty value means that the key is absent: nothing here ever gives an empty string or list. The one value
that is always there is label_status.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from receipt_dynamo_stream import names
from receipt_dynamo_stream.facts import LabelFact, ReceiptFacts, SectionFact
from receipt_dynamo_stream.grain import grain_of
from receipt_dynamo_stream.keys import RecordId
from receipt_dynamo_stream.times import instant

from receipt_chroma.errors import DeltaMetadataInvalid
from receipt_chroma.records import Metadata

ROW_LINE_IDS: Final = "row_line_ids"

_OF_PLACE: Final = frozenset({"merchant_name", "merchant_category", "phone_number", "place_id", "address"})
_OF_LABELS: Final = frozenset({"valid_labels_array", "invalid_labels_array", "label_status"})
_EARLIEST = datetime.min.replace(tzinfo=UTC)


class DerivedMetadata:
    """The derived metadata of one receipt's records; made once per receipt."""

    def __init__(self, facts: ReceiptFacts, collection: str) -> None:
        self._grain, self._rule = grain_of(collection), _rule_of(collection)
        self._facts = facts
        self._parts = facts.parts(self._grain) if facts.exists else frozenset()
        self._place = place_metadata(facts)
        self._word_labels: dict[tuple[int, int], list[LabelFact]] = defaultdict(list)
        self._line_labels: dict[int, list[LabelFact]] = defaultdict(list)
        for label in facts.labels:
            word = (label.line_id, label.word_id)
            if word in facts.words:  # a label may outlive its word for a while
                self._word_labels[word].append(label)
                self._line_labels[label.line_id].append(label)
        self._line_sections = line_sections(facts.sections)

    def exists(self, record_id: RecordId) -> bool:
        """True when the receipt and the record's item (its word, its primary line) are in the table."""
        ours = record_id.receipt == self._facts.receipt and record_id.grain == self._grain
        return ours and record_id.part in self._parts

    def apply(self, record_id: RecordId, metadata: Metadata) -> Metadata:
        """The metadata with every derived key replaced by what the facts say.

        `metadata` is in normal form; of its derived keys only row_line_ids is looked at. Raises DeltaMetadataInvalid.
        """
        kept = {key: value for key, value in metadata.items() if key not in self._rule.keys}
        return kept | self._place | self._rule.own(self, record_id, metadata)

    def _of_word(self, record_id: RecordId, _metadata: Metadata) -> Metadata:
        labels = self._word_labels.get((record_id.line_id or 0, record_id.word_id or 0), [])
        derived = label_metadata(labels, labels)
        pending, valid = _latest(labels, "PENDING"), _latest(labels, "VALID")
        if pending is not None and pending.proposed_by:
            derived["label_proposed_by"] = pending.proposed_by
        if valid is not None and valid.timestamp_added:
            derived["label_validated_at"] = valid.timestamp_added
        return derived

    def _of_row(self, record_id: RecordId, metadata: Metadata) -> Metadata:
        members = sorted(row_members(metadata.get(ROW_LINE_IDS), record_id) & self._facts.lines)
        labels = [label for line in members for label in self._line_labels.get(line, [])]
        valid_somewhere = {label.label for label in labels if label.status == "VALID"}
        derived = label_metadata(labels, [label for label in labels if label.label not in valid_somewhere])
        derived[ROW_LINE_IDS] = json.dumps(members, separators=(",", ":"))
        votes = Counter(self._line_sections[line] for line in members if line in self._line_sections)
        winner = _only_best(votes)
        if winner:
            derived["section_label"] = winner
        return derived


@dataclass(frozen=True, slots=True)
class _Rule:
    """The keys that only the facts decide, and what they say of one record beside its place; of the record's own
    metadata it looks at row_line_ids alone."""

    keys: frozenset[str]
    own: Callable[[DerivedMetadata, RecordId, Metadata], Metadata]


_RULES: Final[Mapping[str, _Rule]] = {
    names.RECEIPT_LINE: _Rule(
        _OF_PLACE | _OF_LABELS | {ROW_LINE_IDS, "section_label"},
        DerivedMetadata._of_row,
    ),
    names.RECEIPT_WORD: _Rule(
        _OF_PLACE | _OF_LABELS | {"label_proposed_by", "label_validated_at"},
        DerivedMetadata._of_word,
    ),
}
"""By the type of the items that a collection's records stand for."""


def derived_keys(collection: str) -> frozenset[str]:
    """The keys that only the facts decide; what a delta says under them is ignored. Raises ValueError."""
    return _rule_of(collection).keys


def _rule_of(collection: str) -> _Rule:
    return _RULES[grain_of(collection).entity_type]


def place_metadata(facts: ReceiptFacts) -> Metadata:
    """Merchant and address: all from the PLACE item when there is one, else all from METADATA."""
    if facts.place is not None:
        place = facts.place
        values = {key: place.get(key) for key in ("merchant_name", "merchant_category", "phone_number", "place_id")}
        values["address"] = place.get("formatted_address")
    else:
        metadata = facts.metadata or {}
        keys = ("merchant_name", "merchant_category", "phone_number", "place_id", "address")
        values = {key: metadata.get(f"canonical_{key}") or metadata.get(key) for key in keys}
    return {key: value for key, value in values.items() if value}


def label_metadata(labels: Iterable[LabelFact], may_be_invalid: Iterable[LabelFact]) -> Metadata:
    """Both label arrays, sorted, and label_status; INVALID labels are taken from `may_be_invalid` only."""
    statuses = {"VALID": set[str](), "PENDING": set[str]()}
    for label in labels:
        if label.status in statuses:
            statuses[label.status].add(label.label)
    derived: Metadata = {"label_status": "unvalidated"}
    if statuses["VALID"]:
        derived |= {"label_status": "validated", "valid_labels_array": sorted(statuses["VALID"])}
    elif statuses["PENDING"]:
        derived["label_status"] = "auto_suggested"
    invalid = {label.label for label in may_be_invalid if label.status == "INVALID"}
    if invalid:
        derived["invalid_labels_array"] = sorted(invalid)
    return derived


def line_sections(sections: Iterable[SectionFact]) -> dict[int, str]:
    """The section of each line: INVALID ones never, VALID before PENDING before others, then the higher confidence.

    A line whose best sections are equal in both has none.
    """
    ranked: dict[int, Counter[str]] = defaultdict(Counter)
    scores = _section_scores(sections)
    for (line, section_type), place in scores.items():
        ranked[line][section_type] = place
    return {line: best for line, types in ranked.items() if (best := _only_best(types))}


def _section_scores(sections: Iterable[SectionFact]) -> dict[tuple[int, str], int]:
    usable = [section for section in sections if section.status != "INVALID"]
    order = sorted({_section_rank(section) for section in usable})
    places = {rank: place for place, rank in enumerate(order, start=1)}
    scores: dict[tuple[int, str], int] = {}
    for section in usable:
        for line in section.line_ids:
            key = (line, section.section_type)
            scores[key] = max(scores.get(key, 0), places[_section_rank(section)])
    return scores


def _section_rank(section: SectionFact) -> tuple[int, float]:
    status = {"VALID": 2, "PENDING": 1}.get(section.status or "", 0)
    return status, -1.0 if section.confidence is None else float(section.confidence)


def _only_best(scores: Counter[str]) -> str | None:
    """The name with the highest score, or None when there is none or two share it."""
    best = scores.most_common(2)
    if not best or (len(best) == 2 and best[0][1] == best[1][1]):
        return None
    return best[0][0]


def _latest(labels: Iterable[LabelFact], status: str) -> LabelFact | None:
    having = [label for label in labels if label.status == status]
    return max(having, key=lambda label: (instant(label.timestamp_added) or _EARLIEST, label.label), default=None)


def row_members(text: object, record_id: RecordId) -> frozenset[int]:
    """The lines of a visual row as its delta says: a JSON list of line ids, and always the primary line, the record's.

    A row is keyed by its leftmost line, so it never comes to have no members. Raises DeltaMetadataInvalid when the
    value is anything else.
    """
    if text is None or text == "":
        text = "[]"
    try:
        members = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        members = None
    if not isinstance(members, list) or any(type(member) is not int for member in members):
        raise DeltaMetadataInvalid(f"{ROW_LINE_IDS} {str(text)[:200]!r} is not a JSON list of line ids such as '[3,4]'")
    return frozenset({record_id.line_id or 0, *members})
