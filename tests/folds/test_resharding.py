"""Another number of shards, while publications go on: under lease and commit, and garbage only where it ends early."""

import os
import signal

import pytest
from receipt_chroma.reader import SnapshotReader
from receipt_dynamo_stream.keys import ReceiptId

from .world import FoldWorld, should_be

A, B, C, D = (ReceiptId(letter * 4, 1) for letter in "abcd")
RESHARD = {"mode": "reshard", "shards": 3}


@pytest.mark.slow
def test_a_collection_has_the_same_records_in_as_many_shards_as_are_asked_for_and_goes_on(world: FoldWorld) -> None:
    world.published(A, B, C)
    before = world.manifest()
    assert world.run(**RESHARD).outcome == "resharded"
    now = world.manifest()
    assert (now.version, now.shard_count, world.head().shards) == (before.version + 1, 3, 3)
    assert (now.kind, now.digest, now.records) == ("reshard", before.digest, before.records)
    assert world.run(mode="verify").outcome == "verified"
    world.published(D)
    assert world.manifest().shard_count == 3
    assert world.content() == should_be([A, B, C, D])
    assert world.run(mode="reshard", shards=1).outcome == "resharded"
    assert world.head().shards == 1
    assert world.content() == should_be([A, B, C, D])


@pytest.mark.slow
def test_what_is_published_while_it_stages_is_laid_over_the_new_bases(world: FoldWorld) -> None:
    world.published(A)
    with world.frozen("FoldShard", **RESHARD) as arn:
        world.published_beside(C)
        assert world.head().version == 2, "a publication does not wait for the re-shard"
        key = {"PK": {"S": A.pk}, "SK": {"S": A.sk}}
        world.dynamodb.delete_item(TableName=world.names.receipts_table, Key=key)
        world.stack.poller.wait_caught_up(timeout=60)
        world.until(lambda: world.head().version == 3, "the deletion to be published")
    assert world.end_of(arn).outcome == "resharded"
    assert world.content() == should_be([C])
    assert sum(len(shard.segments) for shard in world.manifest().shards) > 0
    assert world.run(mode="verify").outcome == "verified"


@pytest.mark.slow
def test_a_round_that_is_asked_for_while_it_holds_the_lease_leaves_its_outcome(world: FoldWorld) -> None:
    """NoChangeLost, and who asked for the re-shard hears of it."""
    world.published(A)
    with world.frozen("WriteFold", **RESHARD) as arn:
        world.put_receipt(B)
        world.announce(B)
        world.stack.poller.wait_caught_up(timeout=60)
        world.until(lambda: world.stack.executions.running == {arn}, "all others to coalesce")
        assert world.head().rerun
    ended = world.end_of(arn)
    assert (ended.outcome, ended.output["result"]["version"]) == ("resharded", 2)
    assert (world.head().version, world.head().shards) == (3, 3)
    assert world.content() == should_be([A, B])


@pytest.mark.slow
def test_as_many_as_there_are_is_nothing_to_do(world: FoldWorld) -> None:
    world.published(A)
    assert world.run(mode="reshard", shards=1).outcome == "nothing_to_reshard"
    assert world.head().version == 1


@pytest.mark.slow
@pytest.mark.parametrize("shards", [257, "4"])
def test_what_is_no_number_of_shards_is_refused_by_the_machine(world: FoldWorld, shards: object) -> None:
    assert world.run(mode="reshard", shards=shards).error == "InvalidInput"


@pytest.mark.slow
def test_half_a_shard_is_refused_by_name(world: FoldWorld) -> None:
    world.published(A)
    assert world.run(mode="reshard", shards=2.5).error == "ReshardRefused"


@pytest.mark.slow
def test_a_version_with_another_number_of_shards_is_rolled_back_to_and_goes_on(world: FoldWorld) -> None:
    world.published(A)
    old = world.manifest().snapshot_id
    assert world.run(**RESHARD).outcome == "resharded"
    world.published(B)
    assert world.run(mode="rollback", snapshot_id=old).outcome == "rolled_back"
    assert (world.head().shards, world.content()) == (1, should_be([A]))
    world.change_head("REMOVE paused")
    world.mark(B)
    assert world.run().outcome == "published"
    assert (world.head().shards, world.content()) == (1, should_be([A, B]))


@pytest.mark.slow
@pytest.mark.parametrize("function", [pytest.param("FoldShard", marks=pytest.mark.slow), "WriteFold"])
def test_an_execution_that_is_stopped_in_it_leaves_garbage_only(world: FoldWorld, function: str) -> None:
    """CrashLeavesGarbageOnly."""
    world.published(A)
    before = world.head().pointer
    with world.frozen(function, **RESHARD) as arn:
        world.sfn.stop_execution(executionArn=arn)
        world.end_of(arn)
    world.until(lambda: not world.stack.workers.in_flight(function), "the late worker to end")
    assert (world.head().pointer, world.head().shards) == (before, 1)
    world.published(B)
    assert world.content() == should_be([A, B])
    assert world.run(**RESHARD).outcome == "resharded"
    assert world.content() == should_be([A, B])


@pytest.mark.slow
@pytest.mark.parametrize("function", ["FoldShard", pytest.param("WriteFold", marks=pytest.mark.slow)])
def test_a_worker_that_is_killed_in_it_is_retried(world: FoldWorld, function: str) -> None:
    world.published(A, B)
    with world.frozen(function, **RESHARD) as arn:
        for worker in world.stack.workers.in_flight(function):
            os.kill(worker.pid, signal.SIGKILL)
    assert world.end_of(arn).outcome == "resharded"
    assert world.content() == should_be([A, B])


@pytest.mark.slow
def test_a_late_commit_whose_lease_was_taken_over_is_fenced(world: FoldWorld) -> None:
    """FencedNeverPublishes."""
    world.published(A)
    with world.frozen("WriteFold", **RESHARD) as arn:
        world.change_head("REMOVE holder")
        world.published_beside(B)
        before = world.head()
    assert world.end_of(arn).error == "Fenced"
    assert world.head() == before
    assert world.content() == should_be([A, B])


@pytest.mark.slow
def test_a_paused_collection_is_not_resharded(world: FoldWorld) -> None:
    world.published(A)
    world.change_head("SET paused = :why", {":why": {"S": "a test"}})
    assert world.run(**RESHARD).outcome == "paused"
    assert world.head().shards == 1


@pytest.mark.slow
def test_a_reader_goes_on_and_sees_the_new_shards_with_its_refresh(world: FoldWorld) -> None:
    """ReadersNeverMix."""
    world.published(A, B)
    with SnapshotReader(world.efs, "words") as reader:
        before = {record.id for record in reader.records()}
        assert world.run(**RESHARD).outcome == "resharded"
        assert {record.id for record in reader.records()} == before
        world.published(C)
        reader.refresh()
        assert reader.version == 3
        assert {record.id for record in reader.records()} == set(should_be([A, B, C]))
