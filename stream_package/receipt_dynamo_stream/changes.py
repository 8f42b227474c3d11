"""Does a stream record matter to the vector store, and to which collections."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from receipt_dynamo_stream import names
from receipt_dynamo_stream.facts import METADATA_FIELDS, PLACE_FIELDS
from receipt_dynamo_stream.grain import COLLECTIONS, grain_of
from receipt_dynamo_stream.keys import ReceiptId
from receipt_dynamo_stream.stream_record import StreamRecord

COLLECTIONS_OF: Final[Mapping[str, frozenset[str]]] = {
    entity_type: frozenset(one for one in COLLECTIONS if entity_type in grain_of(one).touched_by)
    for entity_type in names.ENTITY_TYPES
}
"""The collections whose records depend on an entity."""

RELEVANT_FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    names.RECEIPT: (),
    names.RECEIPT_LINE: (),
    names.RECEIPT_WORD: (),
    names.RECEIPT_WORD_LABEL: (
        "label",
        "reasoning",
        "validation_status",
        "label_proposed_by",
        "label_consolidated_from",
    ),
    names.RECEIPT_PLACE: PLACE_FIELDS,
    names.RECEIPT_METADATA: METADATA_FIELDS,
    names.RECEIPT_SECTION: ("section_type", "line_ids", "confidence", "validation_status"),
    names.COMPACTION_RUN: (),
}
"""The fields whose MODIFY is a change. None for a run: its own state writes must never trigger work."""


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field before and after; None stands for absent, NULL and empty alike."""

    old: Any
    new: Any


@dataclass(frozen=True, slots=True)
class Change:
    """What one stream record means: this receipt's records in these collections may have to change.

    fields holds the relevant fields that differ. reason is "EVENT ENTITY", as pending receipts keep it.
    """

    receipt: ReceiptId
    entity_type: str
    event_name: str
    fields: Mapping[str, FieldChange]
    collections: frozenset[str]

    @property
    def reason(self) -> str:
        """For example "INSERT COMPACTION_RUN"."""
        return f"{self.event_name} {self.entity_type}"


def detect_change(record: StreamRecord) -> Change | None:
    """The change that a record means, or None: an unknown entity, or a MODIFY that leaves every relevant field equal.

    INSERT and REMOVE of every known entity are changes. Values are compared by meaning: 1 and 1.0, a set in another
    order, a list where a set is meant, and absent, NULL and "" are equal.
    """
    collections = COLLECTIONS_OF.get(record.entity_type)
    if collections is None:
        return None
    relevant = RELEVANT_FIELDS[record.entity_type]
    if record.event_name == names.MODIFY and not relevant:
        return None
    fields = {}
    for name in relevant:
        old = getattr(record.old, name, None)
        new = getattr(record.new, name, None)
        if old != new:
            fields[name] = FieldChange(old or None, new or None)
    if record.event_name == names.MODIFY and not fields:
        return None
    return Change(record.key.receipt, record.entity_type, record.event_name, fields, collections)
