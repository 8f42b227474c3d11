"""Who starts a fold: a publication that passed the bound, and the schedule when one failed; how it gets the lease."""

import pytest
from receipt_dynamo_stream.keys import ReceiptId

from .world import FoldWorld, should_be

pytestmark = pytest.mark.slow  # the simulator and the pipeline tests hold the same laws in less time

A, B, C, D, E = (ReceiptId(letter * 4, 1) for letter in "abcde")


@pytest.mark.slow
def test_a_fold_that_failed_is_tried_again_by_the_schedule_and_by_no_publication(world: FoldWorld) -> None:
    world.published(A)
    world.published(B)
    with world.frozen("FoldShard", mode="fold", all=True) as arn:
        world.change_head("SET fold = :arn", {":arn": {"S": arn}})  # as if a publication had started it
        world.published_beside(C)
        assert world.head().fold_due == 1
        assert len(world.folds()) == 1, "one runs already"
        world.sfn.stop_execution(executionArn=arn)
        world.end_of(arn)
    world.published(D)
    assert len(world.folds()) == 1
    world.end_of(world.stack.schedule.trigger_now("words"))
    world.settle_down()
    assert world.folds()[1:] == ["folded"]
    assert world.content() == should_be([A, B, C, D])
    assert world.shard().segments == ()


def test_the_schedule_starts_no_fold_where_none_is_due(world: FoldWorld) -> None:
    world.published(A)
    world.end_of(world.stack.schedule.trigger_now("words"))
    world.settle_down()
    assert world.folds() == []


def test_a_start_that_never_happened_is_made_up_for(world: FoldWorld) -> None:
    for receipt in (A, B):
        world.published(receipt)
    gone = "arn:aws:states:us-east-1:123456789012:execution:compaction:words-stream-never"
    world.change_head("SET fold = :arn", {":arn": {"S": gone}})
    world.published(C)
    assert world.folds() == ["folded"]
    assert world.head().fold not in (None, gone)


@pytest.mark.slow
def test_no_fold_is_started_of_a_paused_collection(world: FoldWorld) -> None:
    for receipt in (A, B):
        world.published(receipt)
    old = world.manifest().snapshot_id
    world.change_head("SET fold_due = :one", {":one": {"N": "1"}})
    world.run(mode="rollback", snapshot_id=old)
    world.settle_down()
    assert world.folds() == []


@pytest.mark.slow
def test_a_fold_gets_the_lease_between_two_rounds_and_makes_the_round_that_was_asked_for(world: FoldWorld) -> None:
    """A holder that is asked for another round all the time never gives its lease back by itself."""
    world.published(A)
    world.stack.poller.pause()
    try:
        world.put_receipt(B)
        world.announce(B)
        with world.frozen("MergeDeltas", start=lambda: world.mark(B)) as holder:
            fold = world.start(mode="fold", all=True)
            world.until(lambda: world.head().waiting == fold, "the fold to ask for its turn")
            world.put_receipt(C)
            world.announce(C)
            world.mark(C)
            assert world.run().outcome == "coalesced"
        assert world.end_of(holder).outcome == "published"
        assert world.states_of(holder).count("PlanCompaction") == 1
        assert "HandOverLease" in world.states_of(holder)
        assert world.end_of(fold).outcome == "folded", "what was asked for by hand, whatever round came after it"
        assert world.states_of(fold).index("Folded") < world.states_of(fold).index("SettleChanges")
        assert (world.head().holder, world.head().waiting, world.head().rerun) == (None, None, None)
        assert world.content() == should_be([A, B, C])
        assert len(world.shard().segments) == 2
    finally:
        world.stack.poller.resume()
