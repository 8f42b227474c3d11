"""Bad deltas, dying workers, and a damaged base: the collection goes on."""

import os
import signal

import pyarrow as pa
import pytest
from receipt_dynamo_stream.keys import ReceiptId

from .faults import after_report
from .world import World, word_ids

A, B = ReceiptId("aaaa", 1), ReceiptId("bbbb", 1)


def quarantined(world: World) -> dict[str, str]:
    rows = world.control.quarantine("words").list()
    return {row.run_id: row.error for row in rows}


@pytest.mark.slow
def test_a_corrupt_run_is_quarantined_by_name_and_the_others_are_published(world: World) -> None:
    world.put_receipt(A)
    bad = world.announce(A, body=b"not an Arrow file")
    world.published(B)
    assert quarantined(world) == {bad: "DeltaCorrupt"}
    assert world.run_item(A, bad)["words_state"] == {"S": "FAILED"}
    assert world.run_item(A, bad)["lines_state"] == {"S": "COMPLETED"}
    assert world.ids() == word_ids(B)


@pytest.mark.slow
def test_a_good_run_of_the_same_receipt_becomes_visible_after_a_bad_one(world: World) -> None:
    world.put_receipt(A)
    bad = world.announce(A, body=b"not an Arrow file")
    world.settle_down()
    good = world.announce(A, created_at="2026-01-01T00:00:09+00:00")
    world.settle_down()
    assert world.ids() == word_ids(A)
    assert set(quarantined(world)) == {bad}
    assert world.run_item(A, good)["words_state"] == {"S": "COMPLETED"}


@pytest.mark.slow
def test_a_run_of_another_dimension_is_quarantined(world: World) -> None:
    world.published(B)
    world.put_receipt(A)
    bad = world.announce(A, dimension=16)
    world.settle_down()
    assert quarantined(world) == {bad: "WrongDimension"}


def test_a_run_whose_delta_is_not_there_is_quarantined(world: World) -> None:
    world.put_receipt(A)
    world.stack.poller.pause()
    run_id = world.announce(A)
    world.s3.delete_object(Bucket=world.names.bucket, Key=f"words/delta/{run_id}/delta.arrow")
    world.stack.poller.resume()
    world.settle_down()
    assert quarantined(world) == {run_id: "DeltaMissing"}


def test_a_worker_that_is_killed_in_its_merge_is_retried_and_leaves_nothing(world: World) -> None:
    world.stack.poller.pause()
    left = world.stack.folder / "tmp/merge-killed"  # by an earlier one
    (left / "merge-0000-x").mkdir(parents=True)
    try:
        world.put_receipt(A)
        world.announce(A)
        with world.frozen("MergeDeltas", start=lambda: world.mark(A)) as arn:
            (worker,) = world.stack.workers.in_flight("MergeDeltas")
            os.kill(worker.pid, signal.SIGKILL)
        assert world.end_of(arn).outcome == "published"
        assert world.ids() == word_ids(A)
        assert list(left.parent.glob("*-*")) == []
    finally:
        world.stack.poller.resume()


@pytest.mark.slow
@pytest.mark.parametrize("how", ["flip", "truncate", "remove"])
def test_a_damaged_base_on_efs_is_fetched_again_from_s3(world: World, how: str) -> None:
    world.published(A)
    (file,) = (world.efs / "words/shards").rglob("chroma.sqlite3")
    data = bytearray(file.read_bytes())
    if how == "remove":
        file.unlink()
    else:
        data[len(data) // 2] ^= 0xFF
        file.chmod(0o600)
        file.write_bytes(data if how == "flip" else data[: len(data) // 2])
    world.published(B)
    assert world.ids() == word_ids(A) | word_ids(B)


def test_a_staged_shard_that_is_not_what_was_merged_is_never_published(world: World) -> None:
    world.stack.poller.pause()
    try:
        world.put_receipt(A)
        world.announce(A)
        world.mark(A)

        def damage() -> None:
            (file,) = (world.efs / "words/staging").rglob("data_level0.bin")
            data = bytearray(file.read_bytes())
            data[len(data) // 2] ^= 0xFF
            file.write_bytes(data)

        with after_report(damage) as staged:
            assert world.run().error == "ShardInvalid"
        assert staged
        assert world.head().pointer is None
        assert world.run().outcome == "published"
        assert world.ids() == word_ids(A)
    finally:
        world.stack.poller.resume()


@pytest.mark.slow
def test_download_snapshot_brings_back_what_efs_lacks_of_the_base(world: World) -> None:
    world.published(A)
    pointer = world.head().pointer
    (file,) = (world.efs / "words/shards").rglob("chroma.sqlite3")
    before = file.read_bytes()
    file.unlink()
    world.mark(A)
    arn = world.start()
    assert world.end_of(arn).outcome == "unchanged"
    downloaded = [
        e for e in world.stack.executions.history(arn) if '"files": 1' in str(e.get("taskSucceededEventDetails"))
    ]
    assert len(downloaded) == 1, "DownloadSnapshot is the step that fetched it"
    assert file.read_bytes() == before
    assert world.head().pointer == pointer


@pytest.mark.slow
def test_versions_beyond_those_that_are_kept_become_expired_and_stay_in_the_history(world: World) -> None:
    for receipt in (A, B, ReceiptId("cccc", 1)):  # the stack keeps two
        world.published(receipt)
    rows = world.control.versions("words").list()
    states = [row.state for row in rows if row.state != "candidate"]
    assert len(states) >= 3
    assert states == ["EXPIRED"] * (len(states) - 2) + ["committed"] * 2


def test_a_record_that_does_not_parse_goes_raw_to_the_failure_queue_and_holds_nothing_up(world: World) -> None:
    world.put_items({"PK": {"S": A.pk}, "SK": {"S": f"{A.sk}#COMPACTION_RUN#"}, "TYPE": {"S": "COMPACTION_RUN"}})
    world.published(B)
    sqs = world.stack.client("sqs")
    messages = sqs.receive_message(QueueUrl=world.names.failure_queue_url, MaxNumberOfMessages=10).get("Messages", [])
    assert any("StreamRecordError" in m["Body"] and A.pk in m["Body"] for m in messages)


@pytest.mark.slow
def test_an_interrupted_arrow_file_is_corrupt(world: World) -> None:
    world.put_receipt(A)
    table = pa.table({"id": ["x"]})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    bad = world.announce(A, body=sink.getvalue().to_pybytes()[:-20])
    world.settle_down()
    assert quarantined(world)[bad] == "DeltaCorrupt"
