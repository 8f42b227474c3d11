from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from local.demo.probes import merchant_name, shows_deletion, shows_label, shows_new_content, shows_receipt
from local.demo.samples.model import Receipt
from local.demo.samples.producer import COLLECTIONS, Written
from local.demo.samples.records import records_of


def written(receipt: Receipt) -> Written:
    return Written(receipt, None, 5.0)


def record(**metadata: Any) -> Any:
    return SimpleNamespace(metadata=metadata, document="")


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_a_receipt_is_seen_only_with_its_last_record_and_its_merchant(collection: str, receipts: list[Receipt]) -> None:
    awaited = shows_receipt(written(receipts[0]), collection)
    assert awaited.record_id == records_of(receipts[0], collection, 4)[-1].id
    assert awaited.since == 5.0
    assert awaited.shows(record(merchant_name=merchant_name(receipts[0])))
    assert not awaited.shows(record())
    assert not awaited.shows(None)


def test_a_receipt_without_a_place_is_seen_without_a_merchant(receipts: list[Receipt]) -> None:
    assert merchant_name(receipts[2]) is None
    assert shows_receipt(written(receipts[2]), "words").shows(record())


def test_the_merchant_is_the_canonical_one_of_the_older_item_where_it_has_one(receipts: list[Receipt]) -> None:
    metadata = {"merchant_name": "OAK", "canonical_merchant_name": "Oak"}
    assert merchant_name(replace(receipts[1], metadata=metadata)) == "Oak"
    assert merchant_name(replace(receipts[1], metadata={**metadata, "canonical_merchant_name": ""})) == "OAK"


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_a_label_is_seen_on_the_record_that_carries_its_word(collection: str, receipts: list[Receipt]) -> None:
    for label in receipts[0].labels:
        if receipts[0].word(label.line_id, label.word_id).noise and collection == "words":
            continue  # has no record
        awaited = shows_label(written(receipts[0]), label, collection)
        carrier = next(one for one in records_of(receipts[0], collection, 4) if one.id == awaited.record_id)
        assert receipts[0].word(label.line_id, label.word_id).text in carrier.document.split()
        assert awaited.shows(record(valid_labels_array=["A", label.label]))
        assert not awaited.shows(record(valid_labels_array=["A"]))
        assert not awaited.shows(None)


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_a_recreated_receipt_is_not_mistaken_for_the_old_one(collection: str, receipts: list[Receipt]) -> None:
    old = receipts[0]
    new = replace(receipts[3], image_id=old.image_id, receipt_id=old.receipt_id)
    awaited = shows_new_content(written(new), old, collection)
    for content, seen in ((old, False), (new, True)):
        found = [one for one in records_of(content, collection, 4) if one.id == awaited.record_id]
        assert all(awaited.shows(one) is seen for one in found)  # type: ignore[arg-type]
    assert not awaited.shows(None)


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_a_deletion_is_seen_when_the_record_is_gone(collection: str, receipts: list[Receipt]) -> None:
    awaited = shows_deletion(written(receipts[0]), collection)
    assert awaited.shows(None)
    assert not awaited.shows(record())
