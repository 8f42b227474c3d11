"""Staged segments that are damaged, or are not what their report says."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from receipt_chroma.errors import SegmentInvalid
from receipt_chroma.records import Record
from receipt_chroma.segment.content import Segment
from receipt_chroma.segment.file import encode_segment
from receipt_chroma.storage.files import sha256_of
from receipt_chroma.storage.tree import segment_path
from receipt_dynamo_stream.round.plan import Plan
from receipt_dynamo_stream.round.report import ShardReport

from ..samples import DIMENSION, receipt
from ..uploads import words_of
from ..world import World
from .labelled import labelled, staged

DAMAGE: dict[str, tuple[str, Callable[[bytes], bytes | None]]] = {
    "missing": ("files", lambda _: None),
    "cut off": ("file_sha256", lambda content: content[:-9]),
    "a flipped byte": ("file_sha256", lambda content: content[:99] + bytes([content[99] ^ 1]) + content[100:]),
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_staged_segment_that_is_damaged_is_refused(world: World, how: str) -> None:
    problem, damage = DAMAGE[how]
    plan = world.plan(labelled(1, "TOTAL"))
    report = world.merge(plan)
    path = world.folder / staged(report).path
    content = damage(path.read_bytes())
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(SegmentInvalid, match=problem):
        world.validate(plan, report)


def lying(world: World, **changes: Any) -> tuple[Plan, ShardReport]:
    """A merge whose report says something else than it did."""
    plan = world.plan(labelled(1, "TOTAL"))
    report = world.merge(plan)
    return plan, replace(report, segment=replace(staged(report), **changes))


@pytest.mark.parametrize(
    ("problem", "changes"),
    [
        ("file_sha256", {"sha256": "0" * 64}),
        ("receipts", {"receipts": ()}),
        ("dimension", {"dimension": DIMENSION + 1}),
        ("conservation", {"shard_records": 13}),
        ("conservation", {"shard_digest": "0" * 64}),
    ],
)
def test_a_report_that_says_otherwise_is_refused(world: World, problem: str, changes: dict[str, Any]) -> None:
    plan, report = lying(world, **changes)
    with pytest.raises(SegmentInvalid, match=problem):
        world.validate(plan, report)


def restaged(world: World, receipts: dict[str, list[Record]]) -> tuple[Plan, ShardReport]:
    """A merge whose segment was replaced by another one, in both places and in the report."""
    plan = world.plan(labelled(1, "TOTAL"))
    report = world.merge(plan)
    segment = Segment.of(receipts)
    content = encode_segment(segment)
    (world.folder / staged(report).path).write_bytes(content)
    world.store.put(f"snapshots/words/{segment_path(0, staged(report).segment_version)}", content)
    new = replace(staged(report), sha256=sha256_of(content), size=len(content), receipts=segment.receipts)
    return plan, replace(report, segment=new)


def test_a_segment_that_covers_a_receipt_too_many_or_too_few_is_refused(world: World) -> None:
    for receipts in ({receipt(1).key: words_of(1), receipt(2).key: words_of(2)}, {receipt(2).key: words_of(2)}, {}):
        plan, report = restaged(world, receipts)
        with pytest.raises(SegmentInvalid, match=r"covered|receipts"):
            world.validate(plan, report)


def test_a_segment_with_other_records_than_were_counted_is_refused(world: World) -> None:
    plan, report = restaged(world, {receipt(1).key: words_of(1)[:3]})
    with pytest.raises(SegmentInvalid, match="conservation"):
        world.validate(plan, report)


def test_a_segment_without_its_durable_copy_is_refused(world: World) -> None:
    plan = world.plan(labelled(1, "TOTAL"))
    report = world.merge(plan)
    world.store.delete_all([f"snapshots/words/segments/0000/{staged(report).segment_version}.arrow"])
    with pytest.raises(SegmentInvalid, match="objects"):
        world.validate(plan, report)
