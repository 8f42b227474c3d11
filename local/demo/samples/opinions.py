"""What people and programs say about a sample receipt: word labels and sections, right and wrong, with a status."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from local.demo.samples.model import Label, Row, Section

STATUSES = ("VALID", "PENDING", "INVALID", "NEEDS_REVIEW")
_STATUS_WEIGHTS = (70, 14, 8, 8)
_PROPOSERS = ("simple_receipt_analyzer", "label-harmonizer", "agent-v2", "user")
_WRONG = ("MERCHANT_NAME", "PRODUCT_NAME", "LINE_TOTAL", "UNIT_PRICE", "SUBTOTAL", "GRAND_TOTAL", "PLACE_NAME")


def draw_labels(rng: random.Random, tags: Mapping[tuple[int, int], str], started: datetime) -> tuple[Label, ...]:
    """Label about nine in ten of the tagged words; one in twelve has a second, wrong opinion beside the first.

    `started`: the moment labelling began; every label has its own `timestamp_added` after it.
    """
    return tuple(_labels(rng, tags, started))


def _labels(rng: random.Random, tags: Mapping[tuple[int, int], str], started: datetime) -> Iterator[Label]:
    at = started
    for (line_id, word_id), name in sorted(tags.items()):
        if rng.random() < 0.1:
            continue
        at += timedelta(milliseconds=rng.randint(1, 40))
        yield _label(rng, line_id, word_id, name, rng.choices(STATUSES, _STATUS_WEIGHTS)[0], at)
        if rng.random() < 1 / 12:
            at += timedelta(milliseconds=rng.randint(1, 40))
            wrong = rng.choice([other for other in _WRONG if other != name])
            yield _label(rng, line_id, word_id, wrong, rng.choice(("INVALID", "PENDING")), at)


def _label(rng: random.Random, line_id: int, word_id: int, name: str, status: str, at: datetime) -> Label:
    reasoning = f"The word stands where a {name.lower().replace('_', ' ')} is expected."
    return Label(line_id, word_id, name, status, rng.choice(_PROPOSERS), reasoning, at)


def draw_sections(rng: random.Random, rows: Sequence[Row]) -> tuple[Section, ...]:
    """One section of each kind that was printed, and now and then an INVALID or a rival one over some of its lines."""
    members: dict[str, list[int]] = {}
    for row in rows:
        members.setdefault(row.section, []).extend(row.line_ids)
    sections = [
        Section(name, tuple(sorted(ids)), rng.choice(("VALID", "VALID", "PENDING")), round(rng.uniform(0.6, 0.99), 4))
        for name, ids in members.items()
    ]
    items = members["ITEMS"]
    amounts = [row.line_ids[-1] for row in rows if row.section == "ITEMS" and len(row.line_ids) > 1]
    if rng.random() < 0.3:  # rows whose two lines are in different sections
        sections.append(Section("AMOUNTS", tuple(sorted(amounts[::2])), "VALID", 0.9997))
    if rng.random() < 0.5:
        sections.append(Section("COUPONS", tuple(sorted(items[: len(items) // 2])), "INVALID", 0.9999))
    if rng.random() < 0.5:
        sections.append(Section("STORE_INFO", tuple(sorted(members["HEADER"][1:4])), "NEEDS_REVIEW", 0.9998))
    return tuple(sections)
