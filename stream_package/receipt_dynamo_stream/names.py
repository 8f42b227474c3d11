"""The fixed names of the system: collections, entity types, event names, run states."""

from typing import Final

COLLECTIONS: Final = ("lines", "words")

RECEIPT: Final = "RECEIPT"
RECEIPT_LINE: Final = "RECEIPT_LINE"
RECEIPT_WORD: Final = "RECEIPT_WORD"
RECEIPT_WORD_LABEL: Final = "RECEIPT_WORD_LABEL"
RECEIPT_PLACE: Final = "RECEIPT_PLACE"
RECEIPT_METADATA: Final = "RECEIPT_METADATA"
RECEIPT_SECTION: Final = "RECEIPT_SECTION"
COMPACTION_RUN: Final = "COMPACTION_RUN"
UNKNOWN: Final = "UNKNOWN"
"""Entity type of an item that is none of ours: ignored and counted."""

ENTITY_TYPES: Final = (
    RECEIPT,
    RECEIPT_LINE,
    RECEIPT_WORD,
    RECEIPT_WORD_LABEL,
    RECEIPT_PLACE,
    RECEIPT_METADATA,
    RECEIPT_SECTION,
    COMPACTION_RUN,
)

INSERT: Final = "INSERT"
MODIFY: Final = "MODIFY"
REMOVE: Final = "REMOVE"
EVENT_NAMES: Final = (INSERT, MODIFY, REMOVE)

PENDING: Final = "PENDING"
PROCESSING: Final = "PROCESSING"
COMPLETED: Final = "COMPLETED"
FAILED: Final = "FAILED"
RUN_STATES: Final = (PENDING, PROCESSING, COMPLETED, FAILED)
