"""One look answers whether a collection is healthy, and says why not."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from operate.health import BAD, GOOD, WATCH, health, unhealed_failure
from operate.models import CollectionStatus, Execution, heals

NOW = datetime(2026, 7, 28, 12, 0, tzinfo=UTC)

WELL = CollectionStatus(
    collection="words",
    state="current",
    version=41,
    projected_version=41,
    snapshot_id="it",
    records=10,
    dimension=8,
    shards=1,
    committed_at=NOW,
    pending=0,
    behind_seconds=0,
    holder=None,
    holder_since=None,
    fence=3,
    paused=None,
    rerun=None,
    quarantined=0,
    last_execution=None,
    problem=None,
)


def execution(
    minutes_ago: float, status: str = "succeeded", outcome: str | None = "published", **more: str
) -> Execution:
    started = NOW - timedelta(minutes=minutes_ago)
    return Execution(
        arn="arn",
        name=f"words-stream-{minutes_ago}",
        status=status,
        started_at=started,
        ended_at=started + timedelta(seconds=5),
        collection="words",
        trigger="stream",
        mode=more.pop("mode", "compact"),
        outcome=outcome if status == "succeeded" else None,
        **more,  # type: ignore[arg-type]
    )


def test_a_collection_without_anything_to_do_is_good() -> None:
    said = health(WELL, [execution(1)], NOW)
    assert (said.level, said.sentences) == (GOOD, ("Every change is in version 41.",))


def test_a_collection_that_nobody_used_yet_is_good() -> None:
    said = health(replace(WELL, version=0, projected_version=0), [], NOW)
    assert said.sentences == ("Nothing is published yet, and nothing waits.",)


def test_changes_that_wait_a_little_are_good_and_those_that_wait_long_are_bad() -> None:
    assert health(replace(WELL, pending=2, behind_seconds=30), [], NOW).level == GOOD
    late = health(replace(WELL, pending=2, behind_seconds=1200), [], NOW)
    assert (late.level, late.sentences) == (BAD, ("The oldest change has waited for 20 min.",))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"paused": "2026-07-28 looking"}, "2026-07-28 looking"),
        ({"projected_version": 40}, "Readers still see version 40; version 41 is committed."),
        ({"quarantined": 1}, "1 run waits in quarantine for a person."),
        ({"quarantined": 2}, "2 runs wait in quarantine for a person."),
    ],
)
def test_what_somebody_should_know_is_watched(change: dict[str, object], says: str) -> None:
    said = health(replace(WELL, **change), [], NOW)  # type: ignore[arg-type]
    assert said.level == WATCH
    assert says in said.sentences[0]


def test_a_paused_collection_is_not_bad_for_being_late() -> None:
    assert health(replace(WELL, paused="why", behind_seconds=99_999), [], NOW).level == WATCH


def test_a_missing_manifest_is_bad() -> None:
    assert health(replace(WELL, problem="it is gone"), [], NOW).level == BAD


def test_a_failure_is_bad_until_a_later_execution_has_made_it_good() -> None:
    failed = execution(10, "failed", error="ShardInvalid")
    bad = health(WELL, [failed], NOW)
    assert bad.level == BAD
    assert "failed" in bad.sentences[0]
    assert health(WELL, [execution(5), failed], NOW).level == GOOD


def test_fenced_and_coalesced_executions_neither_fail_nor_heal() -> None:
    failed = execution(10, "timed_out")
    fenced, coalesced = execution(8, "failed", error="Fenced"), execution(7, outcome="coalesced")
    assert unhealed_failure([coalesced, fenced]) is None
    assert unhealed_failure([coalesced, fenced, failed]) == failed
    assert unhealed_failure([execution(6, outcome="nothing_pending"), coalesced, fenced, failed]) is None


def test_a_failed_verify_is_healed_by_a_verify_of_the_same_snapshot_only() -> None:
    failed = execution(10, "failed", mode="verify", snapshot_id="a")
    other = execution(5, outcome="verified", mode="verify", snapshot_id="b")
    same = execution(4, outcome="verified", mode="verify", snapshot_id="a")
    assert unhealed_failure([other, execution(6), failed]) == failed
    assert unhealed_failure([same, other, failed]) is None


def test_only_what_started_later_heals() -> None:
    failed = execution(10, "failed", error="ShardInvalid")
    assert heals(execution(5), failed)
    assert not heals(execution(10), failed)
    assert not heals(execution(15), failed)


def test_readers_that_see_nothing_are_for_somebody_to_act_on() -> None:
    said = health(replace(WELL, unseen="readers see nothing, found today: CURRENT is gone"), [execution(1)], NOW)
    assert (said.level, said.sentences) == (BAD, ("Readers see nothing, found today: CURRENT is gone.",))


def test_a_head_that_went_back_asks_for_what_it_forgot() -> None:
    said = health(replace(WELL, went_back="today CURRENT named version 44"), [execution(1)], NOW)
    assert said.level == BAD
    assert "`compaction reconcile words`" in said.sentences[0]
