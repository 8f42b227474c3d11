"""From a stream record to a reader, through the real state machine."""

import pytest
from receipt_dynamo_stream.keys import ReceiptId

from .world import World, word_ids

A, B = ReceiptId("aaaa", 1), ReceiptId("bbbb", 1)


def test_a_receipt_with_a_run_becomes_visible_in_both_collections_by_itself(world: World) -> None:
    world.put_receipt(A)
    run_id = world.announce(A)
    world.settle_down()
    assert world.ids("words") == word_ids(A)
    assert len(world.ids("lines")) == 1
    item = world.run_item(A, run_id)
    assert (item["words_state"], item["words_merged_vectors"]) == ({"S": "COMPLETED"}, {"N": "3"})


@pytest.mark.slow
def test_many_changes_in_one_burst_cost_few_versions(world: World) -> None:
    receipts = [ReceiptId(f"image-{n}", 1) for n in range(5)]
    world.published(*receipts)
    assert world.ids() == set().union(*(word_ids(r) for r in receipts))
    assert world.head().version <= 3


@pytest.mark.slow
def test_a_plan_that_leaves_receipts_over_makes_another_round(world: World) -> None:
    receipts = [ReceiptId(f"image-{n}", 1) for n in range(7)]  # the stack plans 5 a round
    world.published(*receipts)
    for receipt in receipts:
        world.mark(receipt)
    arn = world.start()
    ended = world.end_of(arn)
    assert ended.outcome == "unchanged"
    assert world.states_of(arn).count("PlanCompaction") == 2
    assert (ended.output or {})["count"] == {"round": 1, "commits": 0, "shards": 1, "waits": 0}
    assert world.pending() == []


@pytest.mark.slow
def test_a_deleted_receipt_leaves_the_snapshot(world: World) -> None:
    world.published(A, B)
    items = world.dynamodb.query(
        TableName=world.names.receipts_table,
        KeyConditionExpression="PK = :pk",
        ExpressionAttributeValues={":pk": {"S": A.pk}},
    )["Items"]
    for item in items:
        world.dynamodb.delete_item(TableName=world.names.receipts_table, Key={"PK": item["PK"], "SK": item["SK"]})
    world.settle_down()
    assert world.ids() == word_ids(B)


def test_a_round_that_changes_nothing_makes_no_version_and_settles(world: World) -> None:
    world.published(A)
    before = world.head()
    world.mark(A)
    arn = world.start()
    assert world.end_of(arn).outcome == "unchanged"
    assert "ConfirmLease" in world.states_of(arn)
    assert world.head().pointer == before.pointer
    assert world.pending() == []


def test_with_nothing_pending_an_execution_ends_at_once(world: World) -> None:
    arn = world.start()
    assert world.end_of(arn).outcome == "nothing_pending"
    assert "DownloadSnapshot" not in world.states_of(arn)
    assert world.head().holder is None


def test_mode_plan_shows_the_plan_and_takes_no_lease(world: World) -> None:
    world.put_receipt(A)
    world.mark(A)
    result = (world.run(mode="plan").output or {})["result"]
    assert (result["outcome"], result["receipts"]) == ("planned", 1)
    assert world.pending()[0].attempts == 0


def test_an_input_without_a_known_collection_is_refused_by_name(world: World) -> None:
    assert world.run("receipts").error == "InvalidInput"
    assert world.run("words", mode="compress").error == "InvalidInput"


@pytest.mark.slow
def test_a_lost_wake_up_is_healed_by_the_schedule(world: World) -> None:
    world.published(A)
    world.put_receipt(B)
    world.settle_down()
    world.stack.poller.pause()
    try:
        world.announce(B)
        world.mark(B)  # the mark stood, the start was lost
        world.stack.schedule.trigger_now("words")
        world.until(lambda: word_ids(B) <= world.ids(), "the schedule's execution to publish")
    finally:
        world.stack.poller.resume()
