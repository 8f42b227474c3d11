"""Published segments and bases that are damaged: fetched again, or read past."""

from collections.abc import Callable
from pathlib import Path

import pytest
from receipt_chroma.errors import SegmentInvalid, SnapshotDamaged
from receipt_dynamo_stream.round.report import MergeCounts

from ..samples import receipt, vector
from ..uploads import damage_flip, damage_truncate
from ..world import World
from .labelled import files, labelled


@pytest.mark.parametrize("damage", [damage_truncate, damage_flip, Path.unlink])
def test_a_damaged_segment_is_fetched_from_s3_and_put_right_on_efs(
    world: World, damage: Callable[[Path], None]
) -> None:
    world.publish(labelled(1, "TOTAL"))
    path = world.folder / world.manifest.shards[0].segments[0].path
    good = path.read_bytes()
    damage(path)
    report = world.merge(world.plan(labelled(1, "DATE")))
    assert report.counts == MergeCounts(updated=1, unchanged=3)
    assert path.read_bytes() == good
    damage(path)
    with pytest.raises((SegmentInvalid, SnapshotDamaged)):
        world.verify()
    world.fold()
    assert path.read_bytes() == good
    assert world.verify().records == 12


def test_validation_proves_against_the_bucket_what_is_damaged_on_efs_and_leaves_efs_to_the_next_merge(
    world: World,
) -> None:
    world.publish(labelled(1, "TOTAL"))
    path = world.folder / world.manifest.shards[0].segments[0].path
    plan = world.plan(labelled(1, "TAX"))
    report = world.merge(plan)
    damage_flip(path)
    before = files(world)
    assert world.validate(plan, report).full
    assert files(world) == before
    assert list(world.work.iterdir()) == []


def test_the_vector_of_a_changed_receipt_that_is_damaged_in_the_base_is_fetched_again(world: World) -> None:
    (path,) = (world.folder / "shards").rglob("data_level0.bin")
    good = path.read_bytes()
    spot = good.index(vector(1 * 50 + 1).tobytes())
    path.write_bytes(good[:spot] + bytes([good[spot] ^ 1]) + good[spot + 1 :])
    report = world.merge(world.plan(labelled(1, "TOTAL")))
    assert report.counts == MergeCounts(updated=1, unchanged=3)
    assert path.read_bytes() == good


def test_a_segment_that_is_wrong_on_s3_too_stops_what_needs_it(world: World) -> None:
    world.publish(labelled(1, "TOTAL"))
    segment = world.manifest.shards[0].segments[0]
    damage_flip(world.folder / segment.path)
    world.store.put(f"snapshots/words/{segment.path}", b"also wrong")
    with pytest.raises(SnapshotDamaged):
        world.merge(world.plan(labelled(1, "DATE")))
    with pytest.raises(SnapshotDamaged):
        world.fold()
    assert world.merge(world.plan(labelled(2, "DATE"))).counts == MergeCounts(updated=1, unchanged=3)


def without_line(content: bytes, key: str) -> bytes:
    lines = [line.removesuffix(b",") for line in content.split(b"\n")[1:-2] if key.encode() not in line]
    return b"[\n" + b",\n".join(lines) + b"\n]\n"


def other_count(content: bytes, key: str) -> bytes:
    return content.replace(f'"{key}", 0, 4'.encode(), f'"{key}", 0, 3'.encode())


def other_place(content: bytes, key: str) -> bytes:
    return content.replace(f'"{key}", 0, 4'.encode(), f'"{key}", 4, 4'.encode())


@pytest.mark.parametrize("damage", [without_line, other_count, other_place])
def test_a_wrong_line_of_a_base_s_index_is_put_right_by_a_merge_and_read_past_by_validation(
    world: World, damage: Callable[[bytes, str], bytes]
) -> None:
    key = receipt(1).key
    (path,) = (world.folder / "shards").rglob("receipts.json")
    good = path.read_bytes()
    wrong = damage(good, key)
    assert wrong != good
    path.write_bytes(wrong)
    plan = world.plan(labelled(1, "TOTAL"))
    report = world.merge(plan)
    assert (report.counts, path.read_bytes()) == (MergeCounts(updated=1, unchanged=3), good)
    path.write_bytes(wrong)
    world.validate(plan, report)
    assert path.read_bytes() == wrong, "validation may not write to EFS"
