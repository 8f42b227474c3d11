"""Receipts, facts and records in a few words."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from receipt_chroma.records import Record, Vector
from receipt_dynamo_stream.facts import LabelFact, ReceiptFacts, RunFact, SectionFact
from receipt_dynamo_stream.keys import ReceiptId, line_record_id, word_record_id

DIMENSION = 8
ADDED = "2026-01-01T00:00:00+00:00"
RECEIPT = ReceiptId("3f52804b-2fad-4e00-92c8-b593da3a8ed3", 1)


def receipt(number: int) -> ReceiptId:
    """One of many receipts."""
    return ReceiptId(f"image-{number:03d}", 1)


def vector(seed: int, dimension: int = DIMENSION) -> Vector:
    """A unit vector that depends on the seed alone."""
    values = np.random.default_rng(seed).standard_normal(dimension)
    return (values / np.linalg.norm(values)).astype(np.float32)


def run(
    number: int = 1, *, state: str = "PENDING", prefix: str | None = None, created_at: str | None = None
) -> RunFact:
    """The run `run-{number}`, announced at day `number + 1` of January."""
    name = f"run-{number:02d}"
    at = created_at if created_at is not None else f"2026-01-{number + 1:02d}T00:00:00+00:00"
    return RunFact(at, name, f"delta/{name}/" if prefix is None else prefix, state)


def word(
    line: int,
    word_id: int,
    seed: int | None = None,
    *,
    of: ReceiptId = RECEIPT,
    document: str | None = "MILK",
    dimension: int = DIMENSION,
    **metadata: Any,
) -> Record:
    """A word's record as a delta has it."""
    embedding = vector(line * 100 + word_id if seed is None else seed, dimension)
    return Record(word_record_id(of, line, word_id), embedding, document, {"text": "MILK", **metadata})


def row(
    line: int, seed: int | None = None, *, of: ReceiptId = RECEIPT, members: str | None = None, **metadata: Any
) -> Record:
    """A visual row's record as a delta has it."""
    own = metadata if members is None else {**metadata, "row_line_ids": members}
    return Record(
        line_record_id(of, line), vector(line if seed is None else seed), "MILK 1.99", {"text": "MILK", **own}
    )


def label(
    line: int, word_id: int, name: str, status: str = "VALID", *, at: str = ADDED, by: str | None = None
) -> LabelFact:
    """One label of one word."""
    return LabelFact(line, word_id, name, status, by, at)


def section(kind: str, lines: Iterable[int], status: str = "VALID", confidence: float = 0.5) -> SectionFact:
    """One section."""
    return SectionFact(kind, tuple(lines), status, confidence)


def facts(
    words: Iterable[tuple[int, int]] = ((1, 1), (1, 2), (2, 1)),
    *,
    of: ReceiptId = RECEIPT,
    runs: Iterable[RunFact] = (),
    exists: bool = True,
    lines: Iterable[int] | None = None,
    labels: Iterable[LabelFact] = (),
    sections: Iterable[SectionFact] = (),
    place: Mapping[str, str] | None = None,
    metadata: Mapping[str, str] | None = None,
    added: str | None = ADDED,
) -> ReceiptFacts:
    """Facts of a receipt; its lines are those of its words unless they are given."""
    words = frozenset(words)
    return ReceiptFacts(
        receipt=of,
        exists=exists,
        timestamp_added=added,
        lines=frozenset(line for line, _ in words) if lines is None else frozenset(lines),
        words=words,
        place=place,
        metadata=metadata,
        labels=tuple(labels),
        sections=tuple(sections),
        runs=tuple(runs),
    )
