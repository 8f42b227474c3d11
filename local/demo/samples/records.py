"""The records a producer embeds: one per word, and one per visual row keyed by its leftmost line.

What a producer knows when it embeds is old by the time it is merged: merchant, label and section metadata here are
on purpose not what the table says, since only the table's word counts for them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from local.demo.samples.embedding import Vector, embed_in_context
from local.demo.samples.model import Line, Receipt


@dataclass(frozen=True)
class Record:
    """One record of a delta. `metadata` values are str, int, float, bool or a list of str."""

    id: str
    embedding: Vector
    document: str
    metadata: dict[str, Any]


def records_of(receipt: Receipt, collection: str, dimension: int) -> list[Record]:
    """The delta of one collection, `lines` or `words`."""
    return line_records(receipt, dimension) if collection == "lines" else word_records(receipt, dimension)


def word_records(receipt: Receipt, dimension: int) -> list[Record]:
    """One record per word that is no noise, embedded with its line as context."""
    return [record for line in receipt.lines for record in _words_of(receipt, line, dimension)]


def _words_of(receipt: Receipt, line: Line, dimension: int) -> list[Record]:
    texts = ["<EDGE>", *(word.text for word in line.words), "<EDGE>"]
    return [
        Record(
            f"{receipt.key}#LINE#{word.line_id:05d}#WORD#{word.word_id:05d}",
            embed_in_context(word.text, line.text, dimension),
            word.text,
            {
                "image_id": receipt.image_id,
                "receipt_id": receipt.receipt_id,
                "line_id": word.line_id,
                "word_id": word.word_id,
                "text": word.text,
                "left": texts[word.word_id - 1],
                "right": texts[word.word_id + 1],
                "x": word.box.x,
                "y": word.box.y,
                "width": word.box.width,
                "height": word.box.height,
                "confidence": word.confidence,
                "is_noise": False,
                "source": "embedding_pipeline",
                "merchant_name": "UNKNOWN",
                "label_status": "unvalidated",
                "label_proposed_by": "embedding_pipeline",
            },
        )
        for word in line.words
        if not word.noise
    ]


def line_records(receipt: Receipt, dimension: int) -> list[Record]:
    """One record per visual row: the text of its lines from left to right, embedded with the rows around it."""
    texts = ["", *(" ".join(receipt.line(line_id).text for line_id in row.line_ids) for row in receipt.rows), ""]
    records = []
    for index, row in enumerate(receipt.rows, start=1):
        leftmost = receipt.line(row.line_ids[0])
        words = [word for line_id in row.line_ids for word in receipt.line(line_id).words]
        metadata = {
            "image_id": receipt.image_id,
            "receipt_id": receipt.receipt_id,
            "line_id": leftmost.line_id,
            "text": texts[index],
            "prev_line": texts[index - 1] or "<EDGE>",
            "next_line": texts[index + 1] or "<EDGE>",
            "x": leftmost.box.x,
            "y": leftmost.box.y,
            "width": leftmost.box.width,
            "height": leftmost.box.height,
            "avg_word_confidence": sum(word.confidence for word in words) / len(words),
            "word_count": len(words),
            "source": "embedding_pipeline",
            "merchant_name": "UNKNOWN",
            "section_label": "UNKNOWN",
            "row_line_ids": json.dumps(list(row.line_ids)),
        }
        vector = embed_in_context(texts[index], f"{texts[index - 1]} {texts[index + 1]}", dimension)
        records.append(Record(f"{receipt.key}#LINE#{leftmost.line_id:05d}", vector, texts[index], metadata))
    return records
