from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from receipt_chroma import announce_run, read_delta
from receipt_chroma.errors import DeltaRefused, ForeignRecord, InvalidVector, RecordsInvalid, WrongDimension
from receipt_chroma.records import Record
from receipt_dynamo_stream import CompactionRun, RunInvalid, delta_location, parse_compaction_run
from receipt_dynamo_stream.read_facts import read_facts

from .samples import ADDED, DIMENSION, RECEIPT, receipt, row, word
from .world import World, create_control_table

WORDS = [word(1, 1, x=0.25), word(1, 2, document=None)]
LINES = [row(1, members="[1,2]")]
Announce = Callable[..., CompactionRun]


@pytest.fixture
def table(dynamodb: Any, world: World) -> str:
    name = f"receipts-of-{world.bucket}"
    create_control_table(dynamodb, name)  # the same two keys
    return name


@pytest.fixture
def announce(dynamodb: Any, world: World, table: str) -> Announce:
    def call(**changes: Any) -> CompactionRun:
        wanted = {"run_id": "run-1", "created_at": ADDED, "lines": LINES, "words": WORDS, **changes}
        return announce_run(dynamodb, table, world.store, RECEIPT, **wanted)

    return call


def read(world: World, run: CompactionRun, collection: str) -> list[Record]:
    prefix = delta_location(run.of(collection).delta_prefix, world.bucket).prefix
    return read_delta(world.store, prefix, collection=collection, receipt=RECEIPT, dimension=DIMENSION)


def test_an_announced_run_names_deltas_that_a_merge_reads(
    dynamodb: Any, world: World, table: str, announce: Announce
) -> None:
    run = announce()
    for collection, given in (("words", WORDS), ("lines", LINES)):
        (fact,) = read_facts(dynamodb, table, RECEIPT, collection).runs
        assert (fact.run_id, fact.delta_prefix) == ("run-1", run.of(collection).delta_prefix)
        assert [one.embedding.tobytes() for one in read(world, run, collection)] == [
            one.embedding.tobytes() for one in given
        ]
    assert [parse_compaction_run(item) for item in dynamodb.scan(TableName=table)["Items"]] == [run]


def test_a_collection_without_records_has_an_empty_delta(world: World, announce: Announce) -> None:
    run = announce(lines=())
    assert read(world, run, "lines") == []
    assert len(read(world, run, "words")) == 2


def test_an_announcement_may_be_repeated(dynamodb: Any, table: str, announce: Announce) -> None:
    assert announce() == announce()
    assert dynamodb.scan(TableName=table)["Count"] == 1


REFUSED: dict[str, tuple[dict[str, Any], type[Exception]]] = {
    "a foreign word": ({"words": [word(1, 1, of=receipt(2))]}, ForeignRecord),
    "words for lines": ({"lines": WORDS}, ForeignRecord),
    "a zero vector": ({"words": [replace(WORDS[0], embedding=np.zeros(DIMENSION, np.float32))]}, InvalidVector),
    "another model": ({"dimension": 1536}, WrongDimension),
    "no records": ({"words": "MILK"}, RecordsInvalid),
    "no time": ({"created_at": "now"}, RunInvalid),
    "no run id": ({"run_id": ""}, RunInvalid),
}


@pytest.mark.parametrize(("changes", "error"), REFUSED.values(), ids=REFUSED)
def test_nothing_is_written_of_what_would_be_refused(
    dynamodb: Any, world: World, table: str, announce: Announce, changes: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error) as refused:
        announce(**changes)
    assert isinstance(refused.value, DeltaRefused | ValueError)
    assert dynamodb.scan(TableName=table)["Count"] == 0
    assert world.s3.list_objects_v2(Bucket=world.bucket)["KeyCount"] == 0


def test_a_run_says_the_model_of_a_collection_s_vectors_and_waits_for_a_generation_of_it(
    dynamodb: Any, table: str, announce: Announce
) -> None:
    run = announce(models={"words": "model-b"})
    assert (run.words.model, run.lines.model) == ("model-b", "")
    assert read_facts(dynamodb, table, RECEIPT, "words").runs == ()
    assert [one.run_id for one in read_facts(dynamodb, table, RECEIPT, "words-2", model="model-b").runs] == ["run-1"]
    assert [one.run_id for one in read_facts(dynamodb, table, RECEIPT, "lines").runs] == ["run-1"]
