"""How OCR sees a printed receipt: numbered lines and words with boxes, and which lines share a visual row."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from local.demo.samples.model import Box, Line, Row, Word
from local.demo.samples.printing import Cell, PrintedRow

_MARGIN = 0.06
_RIGHT_COLUMN = 0.70
_CHARACTER = 0.018
_NOISE = 0.02


@dataclass(frozen=True)
class Page:
    """The OCR result of one receipt. `tags` has the printed label of every word that a person would label."""

    rows: tuple[Row, ...]
    lines: tuple[Line, ...]
    tags: dict[tuple[int, int], str]


def lay_out(rng: random.Random, printed: Sequence[PrintedRow]) -> Page:
    """Number the lines of a printed receipt and place them.

    OCR engines number lines in one of three orders, so a row's leftmost line need not have its smallest id: across
    each row, the left column first, or the right column first.
    """
    order = _numbering(rng.choice(("rows", "rows", "left column", "right column")), printed)
    height = 0.9 / len(printed)
    rows: list[Row] = []
    lines: list[Line] = []
    tags: dict[tuple[int, int], str] = {}
    for index, row in enumerate(printed):
        ids = tuple(order[index, column] for column in range(len(row.cells)))
        rows.append(Row(row.section, ids))
        for column, cell in enumerate(row.cells):
            left = _MARGIN if column == 0 else _RIGHT_COLUMN
            lines.append(_line(rng, ids[column], cell, left, 0.95 - (index + 1) * height, height * 0.8))
            for word_id, (_, label) in enumerate(cell.words, start=1):
                if label is not None:
                    tags[ids[column], word_id] = label
    return Page(tuple(rows), tuple(sorted(lines, key=lambda line: line.line_id)), tags)


def _numbering(order: str, printed: Sequence[PrintedRow]) -> dict[tuple[int, int], int]:
    cells = [(index, column) for index, row in enumerate(printed) for column in range(len(row.cells))]
    if order == "left column":
        cells.sort(key=lambda cell: (cell[1], cell[0]))
    elif order == "right column":
        cells.sort(key=lambda cell: (-cell[1], cell[0]))
    return {cell: line_id for line_id, cell in enumerate(cells, start=1)}


def _line(rng: random.Random, line_id: int, cell: Cell, left: float, bottom: float, height: float) -> Line:
    words: list[Word] = []
    x = left
    for word_id, (text, _) in enumerate(cell.words, start=1):
        width = len(text) * _CHARACTER
        box = Box(round(x, 5), round(bottom, 5), round(width, 5), round(height, 5))
        noise = rng.random() < _NOISE
        words.append(Word(line_id, word_id, text, box, round(rng.uniform(0.3, 1.0), 3), noise))
        x += width + _CHARACTER
    return Line(line_id, tuple(words), Box(round(left, 5), round(bottom, 5), round(x - left, 5), round(height, 5)))
