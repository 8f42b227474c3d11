"""A new embedding model: a generation beside the serving one, edits in both, a switch at one moment and back."""

import os
import signal

import pytest
from receipt_chroma.snapshot.serving import Serving, read_serving, read_stored_serving
from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.control.generations import GenerationsOf
from receipt_dynamo_stream.keys import ReceiptId

from operate.stack import Stack
from tests.pipeline.faults import after, at_update, lose_the_answer

from .world import MODEL, TWICE, GenerationWorld, should_be

A, B, C = (ReceiptId(letter * 4, 1) for letter in "abc")


def serving(world: GenerationWorld) -> tuple[Serving, Serving]:
    """What readers on EFS see, and those of the bucket."""
    return read_serving(world.efs, "words"), read_stored_serving(Bucket(world.s3, world.names.bucket), "words")


@pytest.mark.slow
def test_runs_of_the_new_model_go_into_the_new_generation_and_into_no_other(world: GenerationWorld) -> None:
    world.published(A, B)
    world.begin()
    world.renewed(A, B, seed=5)
    assert world.content("words") == should_be([A, B])
    assert world.content("words-2") == should_be([A, B], seed=5, times=2)
    manifest = world.manifest("words-2")
    assert (manifest.dimension, manifest.collection) == (TWICE, "words-2")
    assert serving(world) == (Serving("words", 0), Serving("words", 0))


@pytest.mark.slow
def test_what_was_announced_before_the_campaign_is_merged_by_it(world: GenerationWorld) -> None:
    world.published(A)
    world.renewed(A)
    assert world.content("words") == should_be([A])
    world.begin()
    assert world.run("words-2").outcome == "published"
    assert world.content("words-2") == should_be([A], times=2)


@pytest.mark.slow
def test_an_edit_during_the_campaign_reaches_both(world: GenerationWorld) -> None:
    """NoChangeLost, RowsConserved."""
    world.published(A, B)
    world.begin()
    world.renewed(A, B)
    world.dynamodb.delete_item(TableName=world.names.receipts_table, Key={"PK": {"S": A.pk}, "SK": {"S": A.sk}})
    world.settle_down()
    assert (world.content("words"), world.content("words-2")) == (should_be([B]), should_be([B], times=2))
    label = {"SK": {"S": f"{B.sk}#LINE#00001#WORD#00001#LABEL#TOTAL"}, "validation_status": {"S": "VALID"}}
    world.put_items({"PK": {"S": B.pk}, "TYPE": {"S": "RECEIPT_WORD_LABEL"}, "label": {"S": "TOTAL"}, **label})
    world.settle_down()
    for generation in ("words", "words-2"):
        assert world.manifest(generation).shards[0].segments[-1].receipts[0].key == B.key


@pytest.mark.slow
def test_a_vector_of_another_dimension_than_was_said_is_quarantined_and_stops_nobody(world: GenerationWorld) -> None:
    world.published(A, B)
    world.begin()
    wrong = world.announce(A, words_model=MODEL)
    world.renewed(B)
    assert world.content("words-2") == should_be([B], times=2)
    assert world.run_item(A, wrong)["words_error"]["S"].startswith("WrongDimension")
    assert [one.run_id for one in world.control.quarantine("words-2").list()] == [wrong]


@pytest.mark.slow
def test_a_run_says_in_which_generation_it_was_merged(world: GenerationWorld) -> None:
    world.published(A)
    world.begin()
    run = world.announce(A, dimension=TWICE, words_model=MODEL)
    world.settle_down()
    item = world.run_item(A, run)
    assert (item["words_state"]["S"], item["words_generation"]["S"]) == ("COMPLETED", "words-2")
    assert item["words_version"] == {"N": str(world.head("words-2").version)}
    assert "lines_generation" not in item


@pytest.mark.slow
def test_the_switch_is_one_moment_and_the_way_back_is_another(world: GenerationWorld) -> None:
    world.published(A)
    world.begin()
    world.renewed(A)
    assert world.switch("words-2") == "switched"
    assert serving(world) == (Serving("words-2", 1), Serving("words-2", 1))
    assert (world.generations.serving, world.generations.unseen, world.head().holder) == ("words-2", None, None)
    world.published(B)
    world.renewed(B)
    assert (world.content("words"), world.content("words-2")) == (should_be([A, B]), should_be([A, B], times=2))
    assert world.switch("words-2") == "nothing_to_switch"
    assert world.switch("words") == "switched"
    assert serving(world) == (Serving("words", 2), Serving("words", 2))


@pytest.mark.slow
def test_it_waits_until_the_generation_is_complete_where_that_is_asked_for(world: GenerationWorld) -> None:
    world.published(A, B)
    world.begin()
    world.renewed(A)
    world.control.generations("words").switch_when_complete("words-2", now="now")
    assert world.switch("words-2", when_complete=True) == "not_complete"
    world.tick()
    assert serving(world)[0] == Serving("words", 0)
    world.renewed(B)
    world.tick()
    assert serving(world)[0] == Serving("words-2", 1)
    assert world.generations.switching is None


@pytest.mark.slow
def test_what_cannot_serve_is_refused_by_name(world: GenerationWorld) -> None:
    world.published(A)
    assert world.run(mode="switch", generation="words-2").error == "GenerationRefused"
    world.begin()
    assert world.run(mode="switch", generation="words-2").error == "GenerationRefused", "it has no snapshot"
    assert world.run(mode="switch").error == "InvalidInput"
    assert world.run("words-9").error == "GenerationRefused"
    assert world.run("pages-2").error == "InvalidInput"


@pytest.mark.slow
@pytest.mark.parametrize("function", [pytest.param("PrepareSwitch", marks=pytest.mark.slow), "SwapPointer"])
def test_an_execution_that_is_stopped_in_a_switch_is_made_good_by_the_next(
    world: GenerationWorld, function: str
) -> None:
    """CrashLeavesGarbageOnly: before the commit nothing has happened, after it the next execution shows it."""
    world.published(A)
    world.begin()
    world.renewed(A)
    with world.frozen(function, mode="switch", generation="words-2") as arn:
        world.sfn.stop_execution(executionArn=arn)
        world.end_of(arn)
        for worker in world.stack.workers.in_flight(function):
            os.kill(worker.pid, signal.SIGKILL)
    world.until(lambda: not world.stack.workers.in_flight(function), "the late worker to end")
    is_committed = function == "SwapPointer"
    assert world.generations.serving == ("words-2" if is_committed else "words")
    assert world.run().outcome in ("nothing_pending", "unchanged")
    assert serving(world)[0] == (Serving("words-2", 1) if is_committed else Serving("words", 0))
    assert world.generations.unseen is None
    assert world.switch("words-2") == ("nothing_to_switch" if is_committed else "switched")


@pytest.mark.slow
def test_a_late_switch_whose_lease_was_taken_over_is_fenced(world: GenerationWorld) -> None:
    """FencedNeverPublishes."""
    world.published(A)
    world.begin()
    world.renewed(A)
    with world.frozen("PrepareSwitch", mode="switch", generation="words-2") as arn:
        world.change_head("SET holder = :h ADD fence :one", {":h": {"S": "another"}, ":one": {"N": "1"}})
    assert world.end_of(arn).error == "Fenced"
    assert serving(world)[0] == Serving("words", 0)


@pytest.mark.slow
def test_a_generation_that_is_left_just_before_the_switch_to_it_commits_does_not_serve(world: GenerationWorld) -> None:
    """It would get no change any more: the commit proves that both are still kept up."""
    world.published(A)
    world.begin()
    world.renewed(A)

    def leave_it() -> None:
        GenerationsOf(world.inside, world.names.control_table, "words").finish("words")

    with at_update("REMOVE switching", after(leave_it)) as seen:
        assert world.run(mode="switch", generation="words-2").error == "Fenced"
    assert len(seen) == 1
    assert (world.generations.serving, world.generations.active) == ("words", ("words",))
    assert serving(world)[0] == Serving("words", 0)


@pytest.mark.slow
def test_a_switch_whose_answer_is_lost_is_the_same_switch(world: GenerationWorld) -> None:
    world.published(A)
    world.begin()
    world.renewed(A)
    with at_update("REMOVE switching", lose_the_answer) as seen:
        assert world.switch("words-2") == "switched"
    assert len(seen) == 1
    assert serving(world) == (Serving("words-2", 1), Serving("words-2", 1))


@pytest.mark.slow
def test_serving_that_is_lost_on_either_side_is_written_again_by_the_schedule(world: GenerationWorld) -> None:
    world.published(A)
    world.begin()
    world.renewed(A)
    world.switch("words-2")
    (world.efs / "words" / "SERVING").write_text("nonsense")
    world.s3.delete_object(Bucket=world.names.bucket, Key="snapshots/words/SERVING")
    world.tick()
    assert serving(world) == (Serving("words-2", 1), Serving("words-2", 1))


@pytest.mark.slow
def test_a_head_that_was_restored_to_before_the_switch_is_followed_again(world: GenerationWorld) -> None:
    """VersionsOnlyGrow, of switches."""
    world.published(A)
    world.begin()
    world.renewed(A)
    world.switch("words-2")
    world.change_head("REMOVE serving, serving_order")
    world.tick()
    assert serving(world) == (Serving("words", 2), Serving("words", 2))
    assert world.switch("words-2") == "switched"
    assert serving(world)[0] == Serving("words-2", 3)


@pytest.mark.slow
def test_what_is_left_is_not_kept_up_any_more_and_the_schedule_leaves_it(world: GenerationWorld) -> None:
    world.published(A)
    world.begin()
    world.renewed(A)
    world.switch("words-2")
    world.control.generations("words").finish("words-2")
    before = world.head("words").version
    world.put_receipt(B)
    world.renewed(B)
    assert world.content("words-2") == should_be([A, B], times=2)
    assert (world.head("words").version, world.pending("words")) == (before, [])
    assert world.run(mode="switch", generation="words").error == "GenerationRefused"


@pytest.mark.slow
def test_folds_reshards_and_rollbacks_are_each_generations_own(world: GenerationWorld) -> None:
    world.published(A)
    world.begin()
    world.renewed(A)
    first = world.manifest("words-2").snapshot_id
    assert world.run("words-2", mode="fold", all=True).outcome in ("folded", "nothing_to_fold")
    assert world.run("words-2", mode="reshard", shards=2).outcome == "resharded"
    assert (world.head("words").shards, world.head("words-2").shards) == (1, 2)
    assert world.content("words-2") == should_be([A], times=2)
    assert world.run("words-2", mode="verify").outcome == "verified"
    assert world.run("words-2", mode="rollback", snapshot_id=first).outcome == "rolled_back"
    assert (world.head("words").paused, world.head("words-2").shards) == (None, 1)


@pytest.mark.slow
def test_a_control_table_that_was_lost_learns_from_the_bucket_which_generation_serves(world: GenerationWorld) -> None:
    world.published(A)
    world.begin()
    world.renewed(A)
    world.switch("words-2")
    for generation in ("words", "words-2"):
        key = {"PK": {"S": f"COLLECTION#{generation}"}}
        for sort_key in ("HEAD", *(f"VERSION#{row.snapshot_id}" for row in world.control.versions(generation).list())):
            world.inside.delete_item(TableName=world.names.control_table, Key={**key, "SK": {"S": sort_key}})
    restoring = Stack(world.names).restoring
    for generation in ("words", "words-2"):
        restoring.head_from_bucket(generation, restoring.newest_in_bucket(generation))
    assert (world.generations.serving, world.generations.active) == ("words-2", ("words-2",))
    assert world.head("words-2").model == MODEL
    world.tick()
    world.put_receipt(B)
    world.renewed(B)
    assert world.content("words-2") == should_be([A, B], times=2)
    assert serving(world)[0] == Serving("words-2", 1)
