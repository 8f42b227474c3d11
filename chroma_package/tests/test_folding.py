"""When a shard is folded, and when a fold is too old to be committed: pure rules."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from receipt_chroma.fold import fold_attempt, is_late
from receipt_chroma.folding import FoldBound, plan_fold
from receipt_chroma.snapshot.manifest import Manifest, ManifestSegment, ManifestShard
from receipt_dynamo_stream.control.head import Pointer, parse_snapshot_id
from receipt_dynamo_stream.round.report import ReceiptContent

NOW = datetime(2026, 7, 28, 12, tzinfo=UTC)


def shard(number: int, *fresh: int, base: int = 0) -> ManifestShard:
    """A shard with segments of so many records each."""
    segments = tuple(
        ManifestSegment(f"segments/{number}/{place}", 1, "ab" * 32, (ReceiptContent("r", records, "0" * 64),))
        for place, records in enumerate(fresh)
    )
    return replace(ManifestShard(number), base_records=base, segments=segments)


def manifest(*shards: ManifestShard) -> Manifest:
    return Manifest(
        collection="words",
        version=1,
        snapshot_id="0000000001-0000000001-0",
        parent=None,
        dimension=8,
        space="l2",
        chromadb_version="1.5.9",
        shard_count=len(shards),
        records=0,
        digest="0" * 64,
        shards=shards,
        plan_key="",
        execution="",
        trigger="",
        created_at="",
    )


def test_a_fold_takes_the_shards_past_the_bound_and_by_hand_every_one_with_a_segment() -> None:
    bound = FoldBound(least=10, most=100, share=0.5, segments=2)
    given = manifest(
        shard(0), shard(1, 10), shard(2, 11), shard(3, 50, base=100), shard(4, 51, base=100), shard(5, 1, 1, 1)
    )
    assert plan_fold(given, bound, all=False) == (2, 4, 5)
    assert plan_fold(given, bound, all=True) == (1, 2, 3, 4, 5)


def test_a_fold_that_rebuilds_takes_every_shard_that_has_anything() -> None:
    given = manifest(shard(0), shard(1, 10), replace(shard(2, base=100), path="shards/2"))
    assert plan_fold(given, FoldBound(), all=True) == (1,)
    assert plan_fold(given, FoldBound(), all=True, rebuild=True) == (1, 2)


@pytest.mark.parametrize(("minutes", "late"), [(0, False), (53, False), (54, True), (600, True)])
def test_a_fold_is_late_before_expiry_may_take_what_it_staged(minutes: int, late: bool) -> None:
    planned_at = (NOW - timedelta(minutes=minutes)).isoformat()
    assert is_late(planned_at, timedelta(hours=1), NOW) is late


def test_without_a_grace_every_fold_is_late() -> None:
    assert is_late(NOW.isoformat(), timedelta(0), NOW)


def test_what_a_fold_writes_is_named_as_nothing_that_a_lease_ever_wrote() -> None:
    base = Pointer(7, "0000000007-0000000009-0", "key", "ab" * 32)
    attempt = fold_attempt(base, 3, "request-1", collection="words", execution="e")
    assert attempt.version == "0000000008-0000000000-0-request-1"
    assert parse_snapshot_id(attempt.snapshot_id).fence == 0
    assert attempt.staging == "staging/e/0/0003/request-1"
