"""What a re-shard is said to take, from a manifest alone."""

import math

import pytest
from receipt_chroma.snapshot.manifest import Manifest, ManifestSegment, ManifestShard
from receipt_dynamo_stream.keys import ReceiptId
from receipt_dynamo_stream.round.report import FileEntry
from receipt_dynamo_stream.sharding import home_of

from operate.errors import UsageError
from operate.resharding import ReshardPlan, number_of_shards, plan_reshard

from ..toy_stack.toy import toy_manifest


def manifest(*records: int, fresh_bytes: int = 0) -> Manifest:
    """Shards with so many records in bases of 10,000 bytes a record."""
    segments = (ManifestSegment("segments/0", fresh_bytes, "0", ()),) if fresh_bytes else ()
    shards = [
        ManifestShard(number, f"shards/{number}", (FileEntry("data", 10_000 * count, "0"),), count, base_records=count)
        for number, count in enumerate(records)
    ]
    shards[0] = ManifestShard(**{**vars_of(shards[0]), "segments": segments})
    return toy_manifest("words", "0000000007-0000000007-0", *shards)


def vars_of(shard: ManifestShard) -> dict[str, object]:
    return {name: getattr(shard, name) for name in shard.__dataclass_fields__}


def test_every_new_shard_reads_each_old_one_that_may_have_its_receipts_and_all_is_written_once_and_proved() -> None:
    into_four = plan_reshard(manifest(8_000, fresh_bytes=500), 4)
    assert into_four.written_bytes == 80_000_000
    assert into_four.read_bytes == 4 * (80_000_000 + 500) + 80_000_000
    back = plan_reshard(manifest(2_000, 2_000, 2_000, 2_000), 1)
    assert back.read_bytes == 2 * 80_000_000
    doubled = plan_reshard(manifest(4_000, 4_000), 4)
    assert doubled.read_bytes == 2 * 80_000_000 + 80_000_000, "a shard of two is read by the two that it falls into"


def test_shards_that_are_put_together_are_counted_and_those_that_are_taken_apart_are_reckoned_with_care() -> None:
    assert plan_reshard(manifest(100, 200, 300, 400), 2).largest == 600
    assert plan_reshard(manifest(100, 200, 300, 400), 1).largest == 1_000
    records, receipts = 805 * 87, [ReceiptId(f"image-{number}", 1) for number in range(805)]
    homes = [home_of(receipt.key, 4) for receipt in receipts]
    real = 87 * max(homes.count(shard) for shard in range(4))
    assert records / 4 < real <= plan_reshard(manifest(records), 4).largest < records / 2


def test_memory_follows_the_largest_shard_and_time_how_many_are_written_at_once() -> None:
    one, four, eight = (plan_reshard(manifest(70_000, 0), into) for into in (1, 4, 8))
    assert one.memory_bytes > four.memory_bytes > eight.memory_bytes
    assert four.seconds < one.seconds
    assert math.isclose(eight.seconds - 10, 2 * (eight.largest / four.largest) * (four.seconds - 10))


def test_seventy_thousand_records_take_minutes_and_cents() -> None:
    for plan in (plan_reshard(manifest(70_035), 4), plan_reshard(manifest(18_000, 17_000, 17_035, 18_000), 1)):
        assert 30 < plan.seconds < 600
        assert 0.01 < plan.dollars < 1
        assert plan.warnings == ()


def warned(plan: ReshardPlan) -> str:
    return " ".join(plan.warnings)


def test_what_does_not_fit_its_functions_is_said_before() -> None:
    assert "stage dev" in warned(plan_reshard(manifest(250_000, 250_000), 1))
    assert "does not fit one Lambda function" in warned(plan_reshard(manifest(2_000_000, 0), 1))
    assert "expire_grace_seconds" in warned(plan_reshard(manifest(40_000_000), 200))
    assert "expire_grace_seconds" not in warned(plan_reshard(manifest(200_000), 4))


def test_an_empty_version_is_planned_too() -> None:
    plan = plan_reshard(toy_manifest("words", "0000000001-0000000001-0", ManifestShard(0)), 4)
    assert (plan.records, plan.largest, plan.written_bytes, plan.read_bytes) == (0, 0, 0, 0)


@pytest.mark.parametrize("given", [0, -1, 257])
def test_what_is_no_number_of_shards_is_an_argument_that_makes_no_sense(given: int) -> None:
    with pytest.raises(UsageError, match="from 1 to 256"):
        number_of_shards(given)
