"""Receipts with a few words each: their facts, deltas and publications, and damage of what was published."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from receipt_chroma.records import Record
from receipt_dynamo_stream.facts import ReceiptFacts
from receipt_dynamo_stream.round.report import ShardReport

from .samples import facts, receipt, run, word
from .world import World


def words_of(number: int, count: int = 4, *, seed: int = 0, **metadata: Any) -> list[Record]:
    of = receipt(number)
    return [word(1, w, seed * 1000 + number * 50 + w, of=of, **metadata) for w in range(1, count + 1)]


def receipt_facts(number: int, count: int = 4, *, runs: Iterable[int] = (1,), **more: Any) -> ReceiptFacts:
    """A receipt whose runs lie under its own prefixes."""
    own = [replace(run(n), delta_prefix=f"delta/{number}/{n}/", run_id=f"{number}-run-{n}") for n in runs]
    return facts([(1, w) for w in range(1, count + 1)], of=receipt(number), runs=own, **more)


def upload(world: World, of: ReceiptFacts, records: list[Record], which: int = 0) -> None:
    world.upload(of.runs[which], records)


def publish_receipts(world: World, numbers: Iterable[int], count: int = 4) -> list[ReceiptFacts]:
    known = [receipt_facts(number, count) for number in numbers]
    for number, of in zip(numbers, known, strict=True):
        upload(world, of, words_of(number, count))
    world.publish(*known)
    return known


def notes_of(report: ShardReport) -> list[tuple[str, str]]:
    return [(one.run_id, one.note) for one in report.notes]


def damage_truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def damage_flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
