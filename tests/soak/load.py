"""A seeded load: receipts come, are edited, go, and come again under their ids, a few with a bad delta."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from datetime import timedelta

from local.demo.samples.catalog import MERCHANTS
from local.demo.samples.delta_files import CORRUPT_KINDS
from local.demo.samples.model import Receipt
from local.demo.samples.printing import Sizes
from local.demo.samples.producer import Producer, Upload, utc_now
from local.demo.samples.receipts import draw_uuid, sample_receipt, sample_receipts

SIZES = Sizes(rows=17, lines=25)
_BEFORE = timedelta(minutes=10)
_KINDS = {"relabel": 30, "merchant": 35, "create": 12, "delete": 9, "recreate": 7, "announce": 6, "corrupt": 1}
"""How often each is drawn, in a hundred."""


class Load:
    """`receipts`: those that the table holds now. `done`: how many changes of each kind were written. `corrupt`: the
    runs whose deltas are bad."""

    def __init__(self, producer: Producer, seed: int, *, about: int) -> None:
        self.rng = random.Random(seed)
        self.producer, self.about = producer, about
        self.later: Producer | None = None
        self.receipts: list[Receipt] = []
        self.done: Counter[str] = Counter()
        self.corrupt: set[str] = set()

    def begin(self) -> None:
        """The first receipts."""
        first = sample_receipts(self.rng, self.about, utc_now() - _BEFORE, SIZES)
        self.producer.put_receipts(self.producer.plan_uploads(first))
        self.receipts = list(first)
        self.done["create"] += len(first)

    def renew(self, later: Producer) -> None:
        """Every receipt gets a run of another model's producer too, those that are to come with their own."""
        self.later = later
        for one in self.receipts:
            later.announce(one)

    def change(self, kind: str | None = None) -> None:
        """Write one change, of this kind or of any."""
        kind = kind or self._drawn()
        place = self.rng.randrange(len(self.receipts))
        one = self.receipts[place]
        match kind:
            case "create":
                self.receipts.append(self._new())
                self.producer.put_receipt(Upload(self.receipts[-1], draw_uuid(self.rng), self.rng.choice(_FORMATS)))
                self._announce_later(self.receipts[-1])
            case "delete":
                self.producer.delete_receipt(self.receipts.pop(place), keep_runs=self.rng.random() < 0.3)
            case "recreate":
                again = self.producer.recreate(one, self._new()).receipt
                self.receipts[place] = again
                self._announce_later(again)
            case "announce":
                self.producer.announce(one)
                self._announce_later(one)
            case "corrupt":
                self.corrupt.add(str(self.producer.announce(one, self.rng.choice(CORRUPT_KINDS)).run_id))
            case "relabel" if one.labels:
                name = f"L{self.done['relabel']:05d}"
                self.receipts[place] = self.producer.relabel(one, self.rng.choice(one.labels), name).receipt
            case _:
                shop = replace(self.rng.choice(MERCHANTS), name=f"shop {self.done['merchant']}")
                self.receipts[place] = self.producer.change_merchant(one, shop).receipt
        self.done[kind] += 1

    def _announce_later(self, one: Receipt) -> None:
        if self.later is not None:
            self.later.announce(one)

    def _drawn(self) -> str:
        few, many = len(self.receipts) < self.about * 0.7, len(self.receipts) > self.about * 1.3
        kinds = _KINDS | ({"delete": 0} if few else {}) | ({"create": 0} if many else {})
        return self.rng.choices([*kinds], [*kinds.values()])[0]

    def _new(self) -> Receipt:
        index = self.rng.randrange(8)
        return sample_receipt(self.rng, draw_uuid(self.rng), 1, utc_now() - _BEFORE, SIZES, index)


_FORMATS = ("arrow", "arrow", "arrow", "tar", "loose")
