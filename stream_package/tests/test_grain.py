"""The table of collections, and the files that must say the same because no program reads them from it."""

from dataclasses import replace

import pytest
from receipt_dynamo_stream import COLLECTIONS, ENTITY_TYPES, CompactionRun, RunOfCollection, message_schema, names
from receipt_dynamo_stream.announce import compaction_run_schema
from receipt_dynamo_stream.facts import ReceiptFacts
from receipt_dynamo_stream.grain import collection_with, grain_of
from receipt_dynamo_stream.keys import ReceiptId, parse_record_id, record_id_of

RECEIPT = ReceiptId("a", 1)
FACTS = ReceiptFacts(RECEIPT, exists=True, lines=frozenset({1, 2}), words=frozenset({(1, 1), (1, 2), (2, 1)}))
ALWAYS = {names.RECEIPT, names.COMPACTION_RUN}


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_a_collection_is_touched_by_its_receipt_its_runs_and_what_its_records_stand_for(collection: str) -> None:
    grain = grain_of(collection)
    assert {*ALWAYS, grain.entity_type} <= grain.touched_by <= set(ENTITY_TYPES)


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_the_id_of_a_record_leads_to_its_collection(collection: str) -> None:
    grain = grain_of(collection)
    for part in FACTS.parts(grain):
        assert collection_with(parse_record_id(record_id_of(grain, RECEIPT, part)).grain) == collection


def test_what_may_have_a_record_is_what_the_table_has() -> None:
    assert FACTS.parts(grain_of("lines")) == {(1,), (2,)}
    assert FACTS.parts(grain_of("words")) == {(1, 1), (1, 2), (2, 1)}


def test_another_name_is_refused() -> None:
    run = CompactionRun(RECEIPT, "run")
    of_places = replace(grain_of("words"), entity_type=names.RECEIPT_PLACE)
    with pytest.raises(ValueError, match="do not have the ids of RECEIPT_PLACE"):
        FACTS.parts(of_places)
    with pytest.raises(ValueError, match="there are lines and words"):
        grain_of("receipts")
    with pytest.raises(ValueError, match="receipts"):
        run.of("receipts")
    with pytest.raises(ValueError, match="receipts"):
        CompactionRun(RECEIPT, "run", collections={"receipts": RunOfCollection()})


def test_a_run_has_an_empty_part_of_what_it_does_not_name() -> None:
    run = CompactionRun(RECEIPT, "run", collections={"words": RunOfCollection("words/delta/1/")})
    assert (run.lines, run.words) == (RunOfCollection(), RunOfCollection("words/delta/1/"))


def test_the_schemas_of_messages_and_runs_name_every_collection() -> None:
    message, run = message_schema(), compaction_run_schema()
    assert message["properties"]["collections"]["items"]["enum"] == list(COLLECTIONS)
    prefixes = [f"{one}_delta_prefix" for one in COLLECTIONS]
    assert set(prefixes) <= set(message["properties"]["entity_data"]["properties"])
    assert set(prefixes) <= set(message["allOf"][0]["then"]["properties"]["entity_data"]["required"])
    assert set(prefixes) <= set(run["required"])
    of_words = {name.removeprefix("words") for name in run["properties"] if name.startswith("words_")}
    for collection in COLLECTIONS:
        assert {f"{collection}{name}" for name in of_words} <= set(run["properties"])
