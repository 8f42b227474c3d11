from dataclasses import replace

import pytest
from receipt_dynamo_stream import (
    COLLECTIONS,
    CompactionRun,
    ReceiptId,
    RunAnnounced,
    RunInvalid,
    RunOfCollection,
    put_run,
    run_item,
)
from receipt_dynamo_stream.read_facts import read_facts
from receipt_dynamo_stream.runs import RunStates

from ..samples import IMAGE, LATER, NOW, RUN
from .conftest import Tables

RECEIPT = ReceiptId(IMAGE, 1)
ANNOUNCED = CompactionRun(RECEIPT, RUN, NOW, NOW, {one: RunOfCollection(f"{one}/delta/{RUN}/") for one in COLLECTIONS})
SK = f"RECEIPT#00001#COMPACTION_RUN#{RUN}"


def with_words(part: RunOfCollection) -> CompactionRun:
    return replace(ANNOUNCED, collections={**ANNOUNCED.collections, "words": part})


def test_an_announced_run_is_among_the_facts_of_its_receipt(tables: Tables) -> None:
    put_run(tables.client, tables.receipts, ANNOUNCED)
    assert tables.receipt_item(RECEIPT.pk, SK) == run_item(ANNOUNCED)
    (run,) = read_facts(tables.client, tables.receipts, RECEIPT, "words").runs
    assert (run.run_id, run.created_at, run.delta_prefix) == (RUN, NOW, f"words/delta/{RUN}/")


def test_a_repeated_announcement_keeps_what_became_of_the_first(tables: Tables) -> None:
    put_run(tables.client, tables.receipts, ANNOUNCED)
    RunStates(tables.client, tables.receipts, "words").complete(RECEIPT, RUN, merged_vectors=3, now=LATER)
    settled = tables.receipt_item(RECEIPT.pk, SK)
    put_run(tables.client, tables.receipts, replace(ANNOUNCED, created_at=LATER))
    assert tables.receipt_item(RECEIPT.pk, SK) == settled


def test_a_run_is_not_written_over_one_with_other_deltas(tables: Tables) -> None:
    put_run(tables.client, tables.receipts, ANNOUNCED)
    with pytest.raises(RunAnnounced, match="a run of a new id"):
        put_run(
            tables.client,
            tables.receipts,
            with_words(RunOfCollection("words/delta/other/")),
        )
    assert tables.receipt_item(RECEIPT.pk, SK) == run_item(ANNOUNCED)


def test_nothing_is_written_of_a_run_that_could_never_be_merged(tables: Tables) -> None:
    with pytest.raises(RunInvalid):
        put_run(
            tables.client,
            tables.receipts,
            with_words(RunOfCollection()),
        )
    assert tables.receipt_item(RECEIPT.pk, SK) is None


def test_a_run_is_not_written_over_one_of_another_model(tables: Tables) -> None:
    put_run(tables.client, tables.receipts, ANNOUNCED)
    with pytest.raises(RunAnnounced, match="or models"):
        put_run(tables.client, tables.receipts, with_words(replace(ANNOUNCED.words, model="model-b")))
    assert tables.receipt_item(RECEIPT.pk, SK) == run_item(ANNOUNCED)
