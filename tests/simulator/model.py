"""What should be published, by what producers and people did: written from the rules, with nothing of the packages.

A record is (vector, document, metadata) by its id, of the collection `words`.
"""

from __future__ import annotations

import random
import struct
from dataclasses import dataclass, field
from typing import Any

DIMENSION = 4
Record = tuple[tuple[float, ...], str, dict[str, Any]]
Content = dict[str, Record]


def vector_of(text: str) -> tuple[float, ...]:
    """Float32 values that depend on the text alone."""
    chance = random.Random(text)
    return struct.unpack(
        f"<{DIMENSION}f", struct.pack(f"<{DIMENSION}f", *(chance.gauss(0, 1) for _ in range(DIMENSION)))
    )


@dataclass
class Run:
    """One announcement: a text for each word."""

    created_at: str
    run_id: str
    texts: dict[int, str]


@dataclass
class Receipt:
    """What the table says of one receipt; None of `words` where it was deleted."""

    image: str
    number: int = 1
    exists: bool = True
    words: set[int] = field(default_factory=set)
    runs: list[Run] = field(default_factory=list)
    labels: dict[int, dict[str, str]] = field(default_factory=dict)
    merchant: str | None = None

    @property
    def key(self) -> str:
        return f"IMAGE#{self.image}#RECEIPT#{self.number:05d}"

    def content(self) -> Content:
        """Its records."""
        if not self.exists:
            return {}
        texts: dict[int, str] = {}
        for run in sorted(self.runs, key=lambda one: (one.created_at, one.run_id)):
            texts.update(run.texts)
        return {
            f"{self.key}#LINE#00001#WORD#{word:05d}": (vector_of(text), text, self._metadata(word, text))
            for word, text in texts.items()
            if word in self.words
        }

    def _metadata(self, word: int, text: str) -> dict[str, Any]:
        labels = self.labels.get(word, {})
        found: dict[str, Any] = {"said": text, "label_status": "unvalidated"}
        if valid := sorted(name for name, status in labels.items() if status == "VALID"):
            found |= {"valid_labels_array": valid, "label_status": "validated", "label_validated_at": ADDED}
        if invalid := sorted(name for name, status in labels.items() if status == "INVALID"):
            found["invalid_labels_array"] = invalid
        if self.merchant:
            found["merchant_name"] = self.merchant
        return found


ADDED = "2026-01-01T00:00:00+00:00"


def expected(receipts: dict[str, Receipt]) -> Content:
    """Everything."""
    return {name: record for receipt in receipts.values() for name, record in receipt.content().items()}
