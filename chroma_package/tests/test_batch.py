"""A batch of many receipts becomes one delta and one run for each of them, or nothing at all."""

from pathlib import Path
from typing import Any

import pytest
from receipt_chroma.batch import announce_batch, read_batch
from receipt_chroma.delta.arrow import encode_arrow
from receipt_chroma.delta.read import read_delta
from receipt_chroma.errors import DuplicateRecord, ForeignRecord, InvalidVector
from receipt_chroma.records import Record
from receipt_dynamo_stream.keys import ReceiptId, line_record_id, word_record_id
from receipt_dynamo_stream.runs import CompactionRun, parse_compaction_run

from .chroma_files import chroma_directory
from .samples import vector
from .world import World, create_control_table

NOW = "2026-08-01T00:00:00+00:00"
RECEIPTS = [ReceiptId("image-a", 1), ReceiptId("image-a", 2), ReceiptId("image-b", 1)]


def words_of(receipt: ReceiptId, seed: int = 0) -> list[Record]:
    return [Record(word_record_id(receipt, 1, n), vector(seed + n), f"text {n}", {"x": n}) for n in (1, 2)]


def lines_of(receipt: ReceiptId) -> list[Record]:
    return [Record(line_record_id(receipt, 1), vector(7), "a line", {})]


class Producer:
    """A receipts table beside a bucket, and one who announces."""

    def __init__(self, world: World, dynamodb: Any) -> None:
        self.world, self.dynamodb, self.table = world, dynamodb, f"{world.bucket}-receipts"
        create_control_table(dynamodb, self.table)

    def announce(self, **given: Any) -> list[CompactionRun]:
        return announce_batch(self.dynamodb, self.table, self.world.store, created_at=NOW, **given)

    def runs(self) -> dict[ReceiptId, CompactionRun]:
        items = self.dynamodb.scan(TableName=self.table)["Items"]
        return {run.receipt: run for run in map(parse_compaction_run, items)}

    def ids(self, run: CompactionRun, collection: str) -> list[str]:
        found = read_delta(
            self.world.store,
            run.of(collection).delta_prefix,
            collection=collection,
            receipt=run.receipt,
            dimension=None,
        )
        return [record.id for record in found]


@pytest.fixture
def producer(world: World, dynamodb: Any) -> Producer:
    return Producer(world, dynamodb)


def test_each_receipt_gets_a_run_with_its_records_of_both_collections(producer: Producer) -> None:
    words = [record for receipt in RECEIPTS for record in words_of(receipt)]
    runs = producer.announce(words=words[::-1], lines=lines_of(RECEIPTS[0]))
    assert [run.receipt for run in runs] == RECEIPTS
    assert producer.runs() == {run.receipt: run for run in runs}
    for run in runs:
        assert sorted(producer.ids(run, "words")) == [record.id for record in words_of(run.receipt)]
    assert [producer.ids(run, "lines") for run in runs] == [[lines_of(RECEIPTS[0])[0].id], [], []]
    assert {(run.lines.state, run.words.state, run.created_at) for run in runs} == {("PENDING", "PENDING", NOW)}


def test_the_same_batch_again_is_the_same_runs_and_other_records_are_others(producer: Producer) -> None:
    first = producer.announce(words=words_of(RECEIPTS[0]))
    assert producer.announce(words=words_of(RECEIPTS[0])) == first
    assert len(producer.runs()) == 1
    assert producer.announce(words=words_of(RECEIPTS[0], seed=9))[0].run_id != first[0].run_id


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (Record("a thing", vector(1), None, {}), ForeignRecord),
        (words_of(RECEIPTS[0])[0], DuplicateRecord),
        (Record(word_record_id(RECEIPTS[2], 1, 1), vector(1) * 0, None, {}), InvalidVector),
        (lines_of(RECEIPTS[1])[0], ForeignRecord),
    ],
    ids=["no id", "twice", "zero", "of lines"],
)
def test_one_bad_record_is_refused_by_name_before_anything_is_written(
    producer: Producer, bad: Record, error: type[Exception]
) -> None:
    with pytest.raises(error):
        producer.announce(words=[*words_of(RECEIPTS[0]), bad])
    assert producer.runs() == {}
    assert list(producer.world.store.list("words/delta/")) == []


def test_a_batch_is_read_from_an_arrow_file_and_from_a_directory(tmp_path: Path) -> None:
    words = [record for receipt in RECEIPTS for record in words_of(receipt)]
    (tmp_path / "batch.arrow").write_bytes(encode_arrow(words))
    for place in (tmp_path / "batch.arrow", chroma_directory(tmp_path / "batch", words)):
        with read_batch(place, "words") as found:
            assert sorted(record.id for record in found) == sorted(record.id for record in words)


def test_a_batch_of_another_model_says_so_and_is_another_run_than_the_same_records_without(producer: Producer) -> None:
    words = words_of(RECEIPTS[0])
    (first,) = producer.announce(words=words)
    (second,) = producer.announce(words=words, models={"words": "model-b"})
    assert (first.words.model, second.words.model, second.lines.model) == ("", "model-b", "")
    assert first.run_id != second.run_id
    assert producer.announce(words=words, models={"words": ""}) == [first]
    with pytest.raises(ValueError, match="there is no collection"):
        producer.announce(words=words, models={"pages": "model-b"})
