"""The sample receipt as values: what OCR saw of it, and what people and programs say about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Box:
    """A rectangle on the image, as fractions of its width and height; the origin is at the bottom left."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Word:
    """One OCR word. `word_id` counts from 1 within its line. `noise`: a smudge that OCR took for a word."""

    line_id: int
    word_id: int
    text: str
    box: Box
    confidence: float
    noise: bool = False


@dataclass(frozen=True)
class Line:
    """One OCR line: words that stand close together. `line_id` counts from 1 within its receipt."""

    line_id: int
    words: tuple[Word, ...]
    box: Box

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)


@dataclass(frozen=True)
class Row:
    """One visual row: the ids of the OCR lines in it, from left to right. Its record is keyed by the first."""

    section: str
    line_ids: tuple[int, ...]


@dataclass(frozen=True)
class Label:
    """What one proposer says one word is. A word may have several labels."""

    line_id: int
    word_id: int
    label: str
    status: str
    proposed_by: str
    reasoning: str
    timestamp_added: datetime


@dataclass(frozen=True)
class Section:
    """A named part of the receipt and its lines."""

    section_type: str
    line_ids: tuple[int, ...]
    status: str
    confidence: float


@dataclass(frozen=True)
class Receipt:
    """One receipt. `place` and `metadata` hold the string attributes of those two items, None where it has none."""

    image_id: str
    receipt_id: int
    added_at: datetime
    rows: tuple[Row, ...]
    lines: tuple[Line, ...]
    labels: tuple[Label, ...]
    sections: tuple[Section, ...]
    place: dict[str, str] | None
    metadata: dict[str, str] | None

    @property
    def pk(self) -> str:
        return f"IMAGE#{self.image_id}"

    @property
    def sk(self) -> str:
        return f"RECEIPT#{self.receipt_id:05d}"

    @property
    def key(self) -> str:
        """The receipt's name in logs and record ids."""
        return f"{self.pk}#{self.sk}"

    @property
    def words(self) -> list[Word]:
        """All words, in the order of their lines."""
        return [word for line in self.lines for word in line.words]

    def records(self, collection: str) -> int:
        """How many records it has: one per visual row in `lines`, one per word that is no noise in `words`."""
        return len(self.rows) if collection == "lines" else sum(not word.noise for word in self.words)

    def word(self, line_id: int, word_id: int) -> Word:
        """The word of these ids; KeyError where there is none."""
        for word in self.line(line_id).words:
            if word.word_id == word_id:
                return word
        raise KeyError((line_id, word_id))

    def line(self, line_id: int) -> Line:
        """The line of that id; KeyError where there is none."""
        for line in self.lines:
            if line.line_id == line_id:
                return line
        raise KeyError(line_id)
