"""A refused or unanswered commit is resolved by reading HEAD: mine, another's, or mine to make again."""

from collections.abc import Iterator

import pytest
from receipt_dynamo_stream.keys import ReceiptId

from .faults import after, at_update, lose_the_answer, refuse
from .world import World, word_ids

A = ReceiptId("aaaa", 1)
COMMIT, CONFIRM = "execution = :me", "SET holder = :me"


@pytest.fixture
def ready(world: World) -> Iterator[World]:
    """A receipt is pending, and only the test starts executions."""
    world.stack.poller.pause()
    world.put_receipt(A)
    world.announce(A)
    world.mark(A)
    yield world
    world.stack.poller.resume()


@pytest.mark.slow
def test_an_unanswered_commit_that_was_mine_goes_on_to_the_swap(ready: World) -> None:
    with at_update(COMMIT, lose_the_answer) as faults:
        arn = ready.start()
        assert ready.end_of(arn).outcome == "published"
    assert faults
    assert "ResolveCommit" in ready.states_of(arn)
    assert ready.states_of(arn).count("CommitSnapshot") == 1
    assert ready.ids() == word_ids(A)
    assert ready.head().version == 1


def test_a_refused_commit_that_is_still_mine_to_make_is_made_again(ready: World) -> None:
    with at_update(COMMIT, refuse) as faults:
        arn = ready.start()
        assert ready.end_of(arn).outcome == "published"
    assert faults
    assert ready.states_of(arn).count("CommitSnapshot") == 2
    assert ready.head().version == 1


def test_a_commit_that_is_refused_again_and_again_ends_by_name_and_the_next_execution_heals_it(ready: World) -> None:
    with at_update(COMMIT, refuse, times=10) as faults:
        assert ready.run().error == "CommitStateUnknown"
    assert len(faults) == 4
    assert ready.pending()
    assert ready.run().outcome == "published"
    assert ready.ids() == word_ids(A)


def test_a_lost_commit_ends_fenced_and_changes_nothing(ready: World) -> None:
    """FencedNeverPublishes."""

    def take_over() -> None:
        ready.change_head("SET holder = :h ADD fence :one", {":h": {"S": "another"}, ":one": {"N": "1"}})

    with at_update(COMMIT, after(take_over)) as faults:
        assert ready.run().error == "Fenced"
    assert faults
    assert ready.head().pointer is None
    assert not (ready.efs / "words/CURRENT").exists()
    assert [p.receipt for p in ready.pending()] == [A]


def test_a_collection_paused_just_before_the_commit_publishes_nothing(ready: World) -> None:
    """PausedPublishesNothing."""

    def pause() -> None:
        ready.change_head("SET paused = :why", {":why": {"S": "a test"}})

    with at_update(COMMIT, after(pause)):
        assert ready.run().outcome == "paused"
    assert ready.head().pointer is None
    assert ready.head().holder is None
    assert ready.pending()


def test_a_round_that_changes_nothing_settles_nothing_after_its_lease_is_lost(ready: World) -> None:
    assert ready.run().outcome == "published"
    ready.mark(A)

    def take_over() -> None:
        ready.change_head("SET holder = :h ADD fence :one", {":h": {"S": "another"}, ":one": {"N": "1"}})

    with at_update(CONFIRM, after(take_over)) as faults:
        assert ready.run().error == "Fenced"
    assert faults
    assert [p.receipt for p in ready.pending()] == [A]


@pytest.mark.slow
def test_a_mark_that_comes_after_the_plan_is_not_settled_by_it(ready: World) -> None:
    """NoChangeLost: the token that was planned is the only one that is settled."""
    with at_update(COMMIT, after(lambda: ready.mark(A))):
        arn = ready.start()
        assert ready.end_of(arn).outcome == "published"
    assert [p.receipt for p in ready.pending()] == [A]
    assert ready.pending()[0].attempts == 0
