"""What may come between the parts of a fold: it commits over the same base and oldest segments, or it loses."""

import os
import signal

import pytest
from receipt_dynamo_stream.keys import ReceiptId

from .world import FoldWorld, should_be

pytestmark = pytest.mark.slow  # the simulator has each crash point of a fold in the fast suite

A, B, C, D = (ReceiptId(letter * 4, 1) for letter in "abcd")
FOLD = {"mode": "fold", "all": True}


def test_what_is_published_while_a_fold_works_stays_over_the_new_base(world: FoldWorld) -> None:
    world.published(A)
    with world.frozen("FoldShard", **FOLD) as arn:
        world.published_beside(B)
        assert world.head().version == 2, "a publication does not wait for the fold"
        later = world.shard().segments[1:]
    assert world.end_of(arn).outcome == "folded"
    shard = world.shard()
    assert (shard.base_records, shard.records, shard.segments) == (3, 6, later)
    assert world.content() == should_be([A, B])


def test_a_fold_over_a_base_that_is_no_longer_there_is_lost(world: FoldWorld) -> None:
    world.published(A)
    with world.frozen("FoldShard", **FOLD) as second:
        os.kill(world.stack.workers.in_flight("FoldShard")[0].pid, signal.SIGSTOP)
        assert world.run(**FOLD).outcome == "folded"  # another worker
        before = world.head()
    assert world.end_of(second).outcome == "fold_lost"
    assert world.head().pointer == before.pointer
    assert world.head().holder is None
    assert world.content() == should_be([A])


def test_a_fold_of_segments_that_a_rollback_took_away_is_lost(world: FoldWorld) -> None:
    world.published(A)
    old = world.manifest().snapshot_id
    world.published(B)
    with world.frozen("FoldShard", **FOLD) as arn:
        assert world.run(mode="rollback", snapshot_id=old).outcome == "rolled_back"
        world.change_head("REMOVE paused")
    assert world.end_of(arn).outcome == "fold_lost"
    assert world.content() == should_be([A])
    assert [row.folded for row in world.control.versions("words").list()] == [0, 0, 0]


@pytest.mark.slow
def test_a_fold_of_a_collection_that_was_paused_meanwhile_publishes_nothing(world: FoldWorld) -> None:
    world.published(A)
    before = world.head()
    with world.frozen("FoldShard", **FOLD) as arn:
        world.change_head("SET paused = :why", {":why": {"S": "a test"}})
    assert world.end_of(arn).outcome == "paused"
    assert (world.head().pointer, world.head().holder) == (before.pointer, None)
    paused = world.start(**FOLD)
    assert world.end_of(paused).outcome == "paused"
    assert "FoldShard" not in world.states_of(paused)


@pytest.mark.slow
def test_a_worker_that_is_killed_in_its_fold_is_retried(world: FoldWorld) -> None:
    world.published(A)
    with world.frozen("FoldShard", **FOLD) as arn:
        (worker,) = world.stack.workers.in_flight("FoldShard")
        os.kill(worker.pid, signal.SIGKILL)
    assert world.end_of(arn).outcome == "folded"
    assert world.content() == should_be([A])


@pytest.mark.parametrize(
    "function",
    [
        pytest.param("FoldShard", marks=pytest.mark.slow),
        pytest.param("ValidateFold", marks=pytest.mark.slow),
        "WriteFold",
    ],
)
def test_an_execution_that_is_stopped_in_its_fold_leaves_garbage_only(world: FoldWorld, function: str) -> None:
    world.published(A)
    before = world.head().pointer
    with world.frozen(function, **FOLD) as arn:
        world.sfn.stop_execution(executionArn=arn)
        world.end_of(arn)
    world.until(lambda: not world.stack.workers.in_flight(function), "the late worker to end")
    assert world.head().pointer == before
    world.published(B)
    assert world.run(**FOLD).outcome == "folded"
    assert world.content() == should_be([A, B])
    assert world.shard().segments == ()


@pytest.mark.slow
def test_a_late_write_of_a_fold_whose_lease_was_taken_over_is_fenced(world: FoldWorld) -> None:
    """FencedNeverPublishes."""
    world.published(A)
    with world.frozen("WriteFold", **FOLD) as arn:
        world.change_head("SET holder = :h ADD fence :one", {":h": {"S": "another"}, ":one": {"N": "1"}})
        before = world.head()
    assert world.end_of(arn).error == "Fenced"
    assert world.head() == before
    assert world.content() == should_be([A])


@pytest.mark.slow
def test_a_publication_of_the_next_holder_makes_a_late_fold_fenced_too(world: FoldWorld) -> None:
    world.published(A)
    with world.frozen("WriteFold", **FOLD) as arn:
        world.change_head("REMOVE holder")
        world.published_beside(B)
        before = world.head()
    assert world.end_of(arn).error == "Fenced"
    assert world.head() == before
    assert world.content() == should_be([A, B])


@pytest.mark.slow
def test_a_round_that_was_asked_for_during_the_commit_of_a_fold_follows_it(world: FoldWorld) -> None:
    world.published(A)
    with world.frozen("WriteFold", **FOLD) as arn:
        world.put_receipt(B)
        world.announce(B)
        world.until(lambda: world.head().rerun, "somebody to ask for a round")
    assert world.end_of(arn).outcome == "folded", "what was asked for by hand is what it tells"
    assert world.content() == should_be([A, B])
    assert world.head().version == 3
