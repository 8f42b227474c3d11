"""An outage of a service, as long as fifty schedules and while receipts arrive, heals by itself and harms nobody."""

from contextlib import ExitStack, suppress

import pytest
from botocore.exceptions import ClientError
from receipt_chroma.reader import SnapshotReader
from receipt_dynamo_stream.grain import COLLECTIONS
from receipt_dynamo_stream.keys import ReceiptId, line_record_id, word_record_id

from local.errors import StillRunning
from tests.pipeline.world import World, word_ids

from .outage import OUTAGES

SCHEDULES = 50
UNTIL_PUBLISHED = 4
"""Schedules after the outage: one that takes a lease over, one that publishes, and two for what came meanwhile."""
HOLD_THE_STREAM = ("DynamoDB", "Lambda")
"""While these are out no receipt can be marked: its record waits. While others are, marks collect."""

KEPT, EDITED, DELETED, CAUGHT = (ReceiptId(name, 1) for name in ("kept", "edited", "deleted", "caught"))


def a_schedule(world: World) -> None:
    """Start what the schedule starts, as it does, and see all that runs end."""
    for collection in COLLECTIONS:
        with suppress(ClientError):
            world.stack.schedule.trigger_now(collection)
    world.stack.executions.wait_until_quiet(timeout=120)


def bring(world: World, receipt: ReceiptId) -> tuple[ReceiptId, str]:
    world.put_receipt(receipt)
    return receipt, world.announce(receipt)


def start_with(world: World, receipt: ReceiptId) -> None:
    """A receipt that the next execution merges, and the stream does not tell yet."""
    world.stack.poller.pause()
    bring(world, receipt)
    world.mark(receipt)


def add_label(world: World, receipt: ReceiptId, name: str) -> None:
    key = {"PK": {"S": receipt.pk}, "SK": {"S": f"{receipt.sk}#LINE#00001#WORD#00001#LABEL#{name}"}}
    world.put_items({**key, "TYPE": {"S": "RECEIPT_WORD_LABEL"}, "validation_status": {"S": "VALID"}})


def delete(world: World, receipt: ReceiptId) -> None:
    key = {"PK": {"S": receipt.pk}, "SK": {"S": receipt.sk}}
    world.dynamodb.delete_item(TableName=world.names.receipts_table, Key=key)


def labels(world: World, receipt: ReceiptId) -> object:
    with SnapshotReader(world.efs, "words") as reader:
        found = {record.id: record.metadata for record in reader.records()}
    return found[word_record_id(receipt, 1, 1)].get("valid_labels_array")


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("service", OUTAGES)
def test_an_outage_of_fifty_schedules_while_receipts_arrive_ends_with_everything_published_and_nothing_quarantined(
    world: World, service: str
) -> None:
    world.published(KEPT, EDITED, DELETED)
    versions = {collection: world.head(collection).version for collection in COLLECTIONS}
    arrived = {}
    with ExitStack() as outage:
        with world.frozen("MergeDeltas", start=lambda: start_with(world, CAUGHT)):
            outage.enter_context(OUTAGES[service](world))
        world.stack.poller.resume()
        for number in range(SCHEDULES):
            receipt, run_id = bring(world, ReceiptId(f"arrived-{number:02d}", 1))
            arrived[receipt] = run_id
            if number % 10 == 0:
                add_label(world, EDITED, f"L{number:02d}")
            if number == SCHEDULES // 2:
                delete(world, DELETED)
            a_schedule(world)
        if service in HOLD_THE_STREAM:
            with pytest.raises(StillRunning):
                world.stack.poller.wait_caught_up(timeout=0.5)
        else:
            world.stack.poller.wait_caught_up(timeout=120)
    if service != "Step Functions":  # what runs goes on there
        assert {collection: world.head(collection).version for collection in COLLECTIONS} == versions
    suspects = {one.receipt for name in COLLECTIONS for one in world.pending(name) if one.together or one.attempts}
    assert suspects == set()
    world.stack.poller.wait_caught_up(timeout=120)
    for _ in range(UNTIL_PUBLISHED):
        a_schedule(world)
    everyone = {KEPT, EDITED, CAUGHT, *arrived}
    assert {name: world.pending(name) for name in COLLECTIONS} == {name: [] for name in COLLECTIONS}
    assert world.ids("words") == {one for receipt in everyone for one in word_ids(receipt)}
    assert world.ids("lines") == {line_record_id(receipt, 1) for receipt in everyone}
    assert labels(world, EDITED) == [f"L{number:02d}" for number in range(0, SCHEDULES, 10)]
    assert {name: world.control.quarantine(name).list() for name in COLLECTIONS} == {name: [] for name in COLLECTIONS}
    states = {world.run_item(*one)[f"{name}_state"]["S"] for one in arrived.items() for name in COLLECTIONS}
    assert states == {"COMPLETED"}
    queue = world.stack.client("sqs").receive_message(QueueUrl=world.names.failure_queue_url)
    assert queue.get("Messages", []) == []
