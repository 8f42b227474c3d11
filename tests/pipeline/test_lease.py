"""The lease without a clock: coalescing, take-over, pause, and a commit that was never projected."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from receipt_dynamo_stream.keys import ReceiptId

from .faults import after, at_update
from .world import World, word_ids

A, B = ReceiptId("aaaa", 1), ReceiptId("bbbb", 1)
WAIT = {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 600, "End": True}}}


@pytest.fixture
def other(world: World) -> Iterator[str]:
    """An execution that holds the lease of `words` and runs: it only waits."""
    machine = world.sfn.create_state_machine(
        name="other", definition=json.dumps(WAIT), roleArn="arn:aws:iam::123456789012:role/other"
    )["stateMachineArn"]
    arn = str(world.sfn.start_execution(stateMachineArn=machine, name="holder")["executionArn"])
    world.run()  # HEAD exists
    world.change_head(
        "SET holder = :h, acquired_at = :t ADD fence :one",
        {":h": {"S": arn}, ":t": {"S": "2026-01-01T00:00:00+00:00"}, ":one": {"N": "1"}},
    )
    yield arn
    world.sfn.stop_execution(executionArn=arn)
    world.sfn.delete_state_machine(stateMachineArn=machine)


def test_a_second_execution_asks_the_running_holder_for_another_round_and_ends(world: World, other: str) -> None:
    assert world.run().outcome == "coalesced"
    assert world.head().rerun is not None
    assert world.head().holder == other


@pytest.mark.slow
def test_the_holder_makes_the_round_it_was_asked_for(world: World) -> None:
    world.published(A)
    world.stack.poller.pause()
    try:
        world.put_receipt(B)
        world.announce(B)
        with world.frozen("MergeDeltas", start=lambda: (world.mark(A), world.mark(B))) as first:
            assert world.run().outcome == "coalesced"
        assert world.end_of(first).status == "SUCCEEDED"
        assert world.states_of(first).count("PlanCompaction") == 2
        assert world.head().rerun is None
        assert world.head().holder is None
    finally:
        world.stack.poller.resume()


def test_a_stopped_holders_lease_is_taken_over_and_its_changes_are_published(world: World) -> None:
    world.stack.poller.pause()
    try:
        world.put_receipt(A)
        world.announce(A)
        with world.frozen("MergeDeltas", start=lambda: world.mark(A)) as first:
            world.sfn.stop_execution(executionArn=first)
            assert world.end_of(first).status == "ABORTED"
            second = world.start()
            assert world.end_of(second).outcome == "published"
            assert "TakeOverLease" in world.states_of(second)
            before = world.head()
            assert world.ids() == word_ids(A)
        world.until(lambda: not world.stack.workers.in_flight("MergeDeltas"), "the late worker to end")
        assert world.head() == before
        assert world.ids() == word_ids(A)
    finally:
        world.stack.poller.resume()


def test_a_holder_that_step_functions_does_not_know_counts_as_running_for_five_minutes(world: World) -> None:
    world.run()
    gone = "arn:aws:states:us-east-1:123456789012:execution:compaction:never-started"
    values = {":h": {"S": gone}, ":t": {"S": datetime.now(UTC).isoformat()}}
    world.change_head("SET holder = :h, acquired_at = :t", values)
    assert world.run().outcome == "coalesced"
    world.change_head("SET acquired_at = :t", {":t": {"S": "2026-01-01T00:00:00+00:00"}})
    assert world.run().outcome == "nothing_pending"
    assert world.head().holder is None


def test_a_paused_collection_publishes_nothing_and_keeps_its_changes(world: World) -> None:
    """PausedPublishesNothing."""
    world.published(A)
    before = world.head()
    world.change_head("SET paused = :why", {":why": {"S": "a test"}})
    world.put_receipt(B)
    world.announce(B)
    world.until(lambda: world.pending(), "the mark")
    assert world.run().outcome == "paused"
    assert world.head().pointer == before.pointer
    world.until(lambda: world.head().holder is None, "the lease of whoever the mark woke up")
    world.change_head("REMOVE paused")
    world.run()
    world.settle_down()
    assert word_ids(B) <= world.ids()


def test_a_commit_that_was_never_projected_is_projected_first_even_when_paused(world: World) -> None:
    world.published(A)
    (world.efs / "words/CURRENT").unlink()  # the execution ended between its commit and the swap
    world.change_head("SET projected_version = :zero, paused = :why", {":zero": {"N": "0"}, ":why": {"S": "a test"}})
    assert world.run().outcome == "paused"
    assert world.ids() == word_ids(A)
    assert world.head().projected_version == world.head().version


@pytest.mark.slow
def test_versions_of_a_head_without_pointer_are_an_error_and_nothing_is_overwritten(world: World) -> None:
    world.published(A)
    current = (world.efs / "words/CURRENT").read_bytes()
    world.change_head("SET version = :zero REMOVE snapshot_id, manifest_key, manifest_sha256", {":zero": {"N": "0"}})
    world.mark(A)
    assert world.run().error == "PointerMissing"
    assert (world.efs / "words/CURRENT").read_bytes() == current
    assert world.head().version == 0


def test_a_collection_resumed_just_before_its_release_goes_on_at_once(world: World) -> None:
    world.published(A)
    world.change_head("SET paused = :why", {":why": {"S": "a test"}})
    world.mark(A)
    with at_update("REMOVE holder, rerun", after(lambda: world.change_head("REMOVE paused"))) as resumed:
        assert world.run().outcome == "unchanged"
    assert resumed
    assert world.pending() == []
