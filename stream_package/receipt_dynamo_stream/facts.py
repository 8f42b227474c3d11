"""Facts: what DynamoDB says of one receipt when the plan reads it.

What a receipt's records should be is a pure function of its deltas and these facts, so facts hold everything that
function needs of one collection and nothing that an event carried.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Any

from receipt_dynamo_stream import names
from receipt_dynamo_stream.grain import Grain
from receipt_dynamo_stream.keys import Part, ReceiptId

PLACE_FIELDS = ("merchant_name", "merchant_category", "formatted_address", "phone_number", "place_id")
METADATA_BASE_FIELDS = ("merchant_name", "merchant_category", "address", "phone_number", "place_id")
METADATA_FIELDS = METADATA_BASE_FIELDS + tuple(f"canonical_{name}" for name in METADATA_BASE_FIELDS)


@dataclass(frozen=True, order=True, slots=True)
class LabelFact:
    """One label of one word; status is its `validation_status` as stored, "" when it has none. Times as stored."""

    line_id: int
    word_id: int
    label: str
    status: str = ""
    proposed_by: str | None = None
    timestamp_added: str = ""


@dataclass(frozen=True, order=True, slots=True)
class SectionFact:
    """One section; line_ids sorted, status as stored ("" when it has none), confidence 0.0 when it has none."""

    section_type: str
    line_ids: tuple[int, ...] = ()
    status: str = ""
    confidence: float = 0.0


@dataclass(frozen=True, order=True, slots=True)
class RunFact:
    """One compaction run as one collection sees it; created_at in UTC ("" when absent), so that it compares as text.

    merged is how many vectors its item says were merged; note what is noted on it, "" when nothing is.
    """

    created_at: str
    run_id: str
    delta_prefix: str = ""
    state: str = "PENDING"
    merged: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True)
class ReceiptFacts:
    """One receipt as one collection needs it.

    exists: the RECEIPT item is there. timestamp_added is in UTC (compares with RunFact.created_at as text), None when
    absent. lines: line ids; words: (line_id, word_id). place and metadata: the non-empty text fields of those items,
    None without the item. labels, sections and runs are all there are, sorted; FAILED runs are included.
    """

    receipt: ReceiptId
    exists: bool = False
    timestamp_added: str | None = None
    lines: frozenset[int] = frozenset()
    words: frozenset[tuple[int, int]] = frozenset()
    place: Mapping[str, str] | None = None
    metadata: Mapping[str, str] | None = None
    labels: tuple[LabelFact, ...] = ()
    sections: tuple[SectionFact, ...] = ()
    runs: tuple[RunFact, ...] = ()

    def parts(self, grain: Grain) -> Set[Part]:
        """Those of its items that a record of this grain may stand for."""
        if grain.entity_type == names.RECEIPT_WORD:
            return self.words
        if grain.entity_type == names.RECEIPT_LINE:
            return {(line,) for line in self.lines}
        if grain.entity_type == names.RECEIPT_SECTION:
            return {(section.section_type,) for section in self.sections}
        raise ValueError(f"the facts do not have the ids of {grain.entity_type}")

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, the same for equal facts."""
        return {
            "receipt": self.receipt.key,
            "exists": self.exists,
            "timestamp_added": self.timestamp_added,
            "lines": sorted(self.lines),
            "words": [list(word) for word in sorted(self.words)],
            "place": None if self.place is None else dict(sorted(self.place.items())),
            "metadata": None if self.metadata is None else dict(sorted(self.metadata.items())),
            "labels": [
                [one.line_id, one.word_id, one.label, one.status, one.proposed_by, one.timestamp_added]
                for one in self.labels
            ],
            "sections": [[one.section_type, list(one.line_ids), one.status, one.confidence] for one in self.sections],
            "runs": [
                [one.created_at, one.run_id, one.delta_prefix, one.state, one.merged, one.note] for one in self.runs
            ],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "ReceiptFacts":
        """What to_json gave."""
        return cls(
            receipt=ReceiptId.parse(value["receipt"]),
            exists=value["exists"],
            timestamp_added=value["timestamp_added"],
            lines=frozenset(value["lines"]),
            words=frozenset((line_id, word_id) for line_id, word_id in value["words"]),
            place=value["place"],
            metadata=value["metadata"],
            labels=tuple(LabelFact(*one) for one in value["labels"]),
            sections=tuple(
                SectionFact(kind, tuple(line_ids), status, confidence)
                for kind, line_ids, status, confidence in value["sections"]
            ),
            runs=tuple(RunFact(*one) for one in value["runs"]),
        )
