"""What a merge would say of a delta, beside what a merge says."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from receipt_chroma import DeltaRecord, announce_run
from receipt_chroma.delta.arrow import encode_arrow
from receipt_chroma.delta.bounds import MAX_DELTA_BYTES, MAX_FILES
from receipt_chroma.run_deltas import DeltaSource, want_receipt
from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.keys import ReceiptId, line_record_id, word_record_id
from receipt_dynamo_stream.read_facts import read_facts
from receipt_dynamo_stream.runs import RunStates

from local.demo.samples.chroma_delta import chroma_files, chroma_tar
from local.demo.samples.records import Record as SampleRecord
from operate.checked_deltas import Belongs, check_path
from operate.deltas import Deltas
from operate.errors import RunAmbiguous, RunNotFound, UsageError
from operate.stack import Stack

from ..toy_stack.toy import ToyStack

RECEIPT = ReceiptId("3f52804b-2fad-4e00-92c8-b593da3a8ed3", 1)
ADDED, LATER = "2026-07-28T12:00:00+00:00", "2026-07-28T13:00:00+00:00"


def record(word: int | None, seed: int = 1, *, of: ReceiptId = RECEIPT) -> DeltaRecord:
    name = line_record_id(of, 1) if word is None else word_record_id(of, 1, word)
    return DeltaRecord(name, np.random.default_rng(seed + (word or 0)).normal(size=8).astype(np.float32), "MILK", {})


GOOD = [record(1), record(2), record(3)]
BROKEN: dict[str, bytes] = {
    "DeltaCorrupt": encode_arrow(GOOD)[:-40],
    "ForeignRecord": encode_arrow([*GOOD, record(4, of=ReceiptId("another", 1))]),
    "DuplicateRecord": encode_arrow([*GOOD, GOOD[0]]),
    "InvalidVector": encode_arrow([*GOOD[:2], replace(GOOD[2], embedding=np.zeros(8, np.float32))]),
}


def test_a_file_is_checked_for_the_receipt_of_its_first_record(tmp_path: Path) -> None:
    (tmp_path / "delta.arrow").write_bytes(encode_arrow(GOOD))
    for path in (tmp_path, tmp_path / "delta.arrow"):
        checked = check_path(path, Belongs())
        assert (checked.error, checked.records, len(checked.rows)) == (None, 3, 3)
        assert checked.belongs == Belongs("words", RECEIPT, 8)


@pytest.mark.parametrize("error", BROKEN)
def test_a_file_is_refused_as_a_merge_refuses_it(tmp_path: Path, error: str) -> None:
    (tmp_path / "delta.arrow").write_bytes(BROKEN[error])
    assert check_path(tmp_path, Belongs()).error == error


def test_what_the_caller_says_of_a_file_counts(tmp_path: Path) -> None:
    (tmp_path / "delta.arrow").write_bytes(encode_arrow(GOOD))
    assert check_path(tmp_path, Belongs(dimension=1536)).error == "WrongDimension"
    assert check_path(tmp_path, Belongs(collection="lines")).error == "ForeignRecord"
    assert check_path(tmp_path, Belongs(receipt=ReceiptId("another", 1))).error == "ForeignRecord"


@pytest.mark.parametrize("form", ["tar", "directory"])
@pytest.mark.parametrize("collection", ["lines", "words"])
def test_a_chroma_directory_says_its_collection_itself(tmp_path: Path, form: str, collection: str) -> None:
    own = [record(None)] if collection == "lines" else GOOD
    samples = [SampleRecord(one.id, one.embedding, one.document or "", {"text": "MILK"}) for one in own]
    if form == "tar":
        (tmp_path / "delta.tar.gz").write_bytes(chroma_tar(collection, samples))
    else:
        for name, content in chroma_files(collection, samples).items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(content)
    checked = check_path(tmp_path, Belongs())
    assert (checked.error, checked.belongs.collection, checked.records) == (None, collection, len(own))


UNFIT: dict[str, tuple[str, Sequence[str], int]] = {
    "more bytes than a delta may have": ("DeltaTooLarge", ("zeros", "more-zeros"), MAX_DELTA_BYTES // 2),
    "more files than a delta may have": ("DeltaTooLarge", [str(number) for number in range(MAX_FILES)], 0),
    "a name of another system": ("UnsafeTarMember", ("..\\x",), 0),
}


@pytest.mark.parametrize("name", UNFIT)
def test_a_folder_with_files_that_a_merge_does_not_take_is_refused_as_well(tmp_path: Path, name: str) -> None:
    error, more, size = UNFIT[name]
    samples = [SampleRecord(one.id, one.embedding, "MILK", {"text": "MILK"}) for one in GOOD]
    for file, content in (chroma_files("words", samples) | dict.fromkeys(more, bytes(size))).items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_bytes(content)
    assert check_path(tmp_path, Belongs()).error == error


def test_an_empty_delta_is_taken(tmp_path: Path) -> None:
    (tmp_path / "delta.arrow").write_bytes(encode_arrow([]))
    assert check_path(tmp_path, Belongs()).to_json() | {"records": 0} == check_path(tmp_path, Belongs()).to_json()


def test_a_path_that_is_no_delta_is_no_refusal(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    for path in (tmp_path, tmp_path / "notes.txt", tmp_path / "gone.arrow"):
        with pytest.raises(UsageError):
            check_path(path, Belongs())


class Producer:
    """Writes a receipt of two words, and runs of it."""

    def __init__(self, stack: ToyStack) -> None:
        self.stack, self.bucket = stack, Bucket(stack.s3, stack.connection.bucket)
        for sk in ("", "#LINE#00001", "#LINE#00001#WORD#00001", "#LINE#00001#WORD#00002"):
            added = {"timestamp_added": {"S": ADDED}} if not sk else {}
            item = {"PK": {"S": RECEIPT.pk}, "SK": {"S": RECEIPT.sk + sk}, **added}
            stack.dynamodb.put_item(TableName=stack.connection.receipts_table, Item=item)

    def announce(self, run_id: str, *, at: str = ADDED, content: bytes | None = None, **given: Any) -> None:
        given = {"words": GOOD, "lines": [record(None)], **given}
        table = self.stack.connection.receipts_table
        announce_run(self.stack.dynamodb, table, self.bucket, RECEIPT, run_id=run_id, created_at=at, **given)
        if content is not None:
            self.bucket.put(f"words/delta/{run_id}/delta.arrow", content)

    def merged(self, collection: str) -> tuple[dict[str, int], dict[str, str]]:
        """What a merge comes to: vectors by run, and refusals."""
        facts = read_facts(self.stack.dynamodb, self.stack.connection.receipts_table, RECEIPT, collection)
        wanted = want_receipt(DeltaSource(self.bucket, collection), facts, None)
        return wanted.runs, {one.run_id: one.error for one in wanted.refusals}


@pytest.fixture
def producer(stack: ToyStack) -> Producer:
    return Producer(stack)


@pytest.fixture
def deltas(operator: Stack) -> Deltas:
    return Deltas(operator)


def test_a_run_brings_the_records_that_have_a_word_and_no_newer_vector(producer: Producer, deltas: Deltas) -> None:
    producer.announce("run-1")
    producer.announce("run-2", at=LATER, words=[record(2, seed=7)])
    for run_id, brings in (("run-1", 1), ("run-2", 1)):  # three words, of which one has no item, and one is newer
        lines, words = deltas.check_run(run_id)
        assert (words.brings, words.error) == (brings, None)
        assert words.brings == producer.merged("words")[0][run_id]
        assert lines.brings == producer.merged("lines")[0][run_id]
    _, words = deltas.check_run("run-1")
    assert (words.records, "1 of its records are not in the snapshot" in (words.note or "")) == (3, True)
    assert deltas.check_run("run-2")[1].note is None


@pytest.mark.parametrize("error", BROKEN)
def test_a_run_is_refused_as_a_merge_refuses_it(producer: Producer, deltas: Deltas, error: str) -> None:
    producer.announce("run-1", content=BROKEN[error])
    lines, words = deltas.check_run("run-1")
    assert (lines.error, words.error) == (None, error)
    assert producer.merged("words")[1] == {"run-1": error}


def test_what_a_merge_does_not_read_is_said_and_brings_nothing(producer: Producer, deltas: Deltas) -> None:
    producer.announce("early", at="2026-01-01T00:00:00+00:00")
    _, early = deltas.check_run("early")
    assert (early.error, early.records, early.brings) == (None, 3, 0)
    assert "older than its receipt" in (early.note or "")
    producer.announce("failed", content=BROKEN["DeltaCorrupt"])
    stack = producer.stack
    RunStates(stack.dynamodb, stack.connection.receipts_table, "words").fail(RECEIPT, "failed", error="x", now=LATER)
    _, failed = deltas.check_run("failed")
    assert (failed.error, "FAILED" in (failed.note or "")) == ("DeltaCorrupt", True)
    stack.dynamodb.delete_item(
        TableName=stack.connection.receipts_table, Key={"PK": {"S": RECEIPT.pk}, "SK": {"S": RECEIPT.sk}}
    )
    _, early = deltas.check_run("early")
    assert (early.brings, "RECEIPT item is not there" in (early.note or "")) == (0, True)


def test_a_merged_run_whose_delta_is_gone_is_no_refusal(producer: Producer, deltas: Deltas) -> None:
    producer.announce("run-1")
    stack = producer.stack
    states = RunStates(stack.dynamodb, stack.connection.receipts_table, "words")
    producer.bucket.delete_all(["words/delta/run-1/delta.arrow"])
    assert deltas.check_run("run-1")[1].error == "DeltaMissing"
    states.complete(RECEIPT, "run-1", merged_vectors=2, now=LATER)
    (words,) = [one for one in deltas.check_run("run-1") if one.belongs.collection == "words"]
    assert (words.error, words.brings, "stays" in (words.note or "")) == (None, 0, True)


def test_a_run_is_found_by_the_only_beginning_of_its_id(producer: Producer, deltas: Deltas) -> None:
    for run_id in ("7b1f7c1e-a", "7b1f7c1e-b", "7b1f"):
        producer.announce(run_id)
    with pytest.raises(RunAmbiguous):
        deltas.check_run("7b1f7")
    with pytest.raises(RunNotFound):
        deltas.check_run("8")
    assert deltas.check_run("7b1f")[0].records == 1
    assert deltas.check_run("7b1f7c1e-a", receipt=RECEIPT)[0].records == 1
    with pytest.raises(RunNotFound):
        deltas.check_run("7b1f", receipt=ReceiptId(RECEIPT.image_id, 2))


def test_a_prefix_or_file_is_checked_with_the_dimension_of_the_stacks_collection(
    producer: Producer, deltas: Deltas, tmp_path: Path
) -> None:
    producer.announce("run-1")
    url = f"s3://{producer.bucket.name}/words/delta/run-1/"
    assert deltas.check_prefix(url, Belongs()).error is None
    producer.stack.publish("words", 3, records=1)  # of eight dimensions
    assert deltas.check_prefix(url, Belongs()).error is None
    content = encode_arrow([replace(GOOD[0], embedding=np.ones(3, "f4"))])
    producer.bucket.put("words/delta/other/delta.arrow", content)
    other = f"s3://{producer.bucket.name}/words/delta/other/"
    assert deltas.check_prefix(other, Belongs()).error == "WrongDimension"
    assert deltas.check_prefix(other, Belongs(dimension=3)).error is None
    (tmp_path / "delta.arrow").write_bytes(content)
    assert deltas.check_path(tmp_path, Belongs()).error == "WrongDimension"
    assert deltas.check_path(tmp_path, Belongs(dimension=3)).error is None
    assert deltas.check_prefix(f"s3://{producer.bucket.name}/nothing/", Belongs()).error == "DeltaMissing"
    assert deltas.check_prefix(f"s3://{producer.bucket.name}/plans/x/", Belongs()).error == "DeltaPrefixForbidden"


def test_a_run_in_another_bucket_is_refused_unless_the_deployment_names_it(
    producer: Producer, deltas: Deltas, stack: ToyStack
) -> None:
    stack.s3.create_bucket(Bucket="uploads")
    Bucket(stack.s3, "uploads").put("w/delta.arrow", encode_arrow(GOOD))
    producer.announce("run-1")
    stack.dynamodb.update_item(
        TableName=stack.connection.receipts_table,
        Key={"PK": {"S": RECEIPT.pk}, "SK": {"S": f"{RECEIPT.sk}#COMPACTION_RUN#run-1"}},
        UpdateExpression="SET words_delta_prefix = :p",
        ExpressionAttributeValues={":p": {"S": "s3://uploads/w/"}},
    )
    elsewhere = deltas.check_prefix("s3://uploads/w/", Belongs())
    assert (elsewhere.error, "delta_buckets" in (elsewhere.note or "")) == (None, True)
    assert deltas.check_prefix("s3://uploads/w/", Belongs(), delta_buckets=["uploads"]).note is None
    check: Callable[..., Any] = deltas.check_run
    assert check("run-1")[1].error == "DeltaPrefixForbidden"
    assert check("run-1", delta_buckets=["uploads"])[1].brings == 2
