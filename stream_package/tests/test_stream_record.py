from copy import deepcopy
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from receipt_dynamo_stream import (
    CompactionRun,
    Place,
    PlaceMetadata,
    Receipt,
    ReceiptId,
    ReceiptLine,
    ReceiptWord,
    RunOfCollection,
    Section,
    StreamRecordError,
    WordLabel,
    parse_stream_record,
)

from .samples import IMAGE, NOW, NULL, RUN, SORT_KEYS, number, run_item, stream_record, text

RECEIPT = ReceiptId(IMAGE, 1)

ENTITIES: list[tuple[str, dict[str, Any], Any]] = [
    ("RECEIPT", {"timestamp_added": NOW, "width": number(1200)}, Receipt(RECEIPT, NOW)),
    ("RECEIPT_LINE", {"text": "MILK 3.49"}, ReceiptLine(RECEIPT, 2, "MILK 3.49")),
    ("RECEIPT_WORD", {"text": "MILK"}, ReceiptWord(RECEIPT, 2, 3, "MILK")),
    (
        "RECEIPT_WORD_LABEL",
        {
            "reasoning": "last line",
            "validation_status": "VALID",
            "label_proposed_by": "gpt",
            "label_consolidated_from": NULL,
            "timestamp_added": NOW,
        },
        WordLabel(RECEIPT, 2, 3, "GRAND_TOTAL", "last line", "VALID", "gpt", None, NOW),
    ),
    (
        "RECEIPT_PLACE",
        {"merchant_name": "Trader Joe's", "formatted_address": "1 Main St", "phone_number": NULL, "place_id": ""},
        Place(RECEIPT, merchant_name="Trader Joe's", formatted_address="1 Main St"),
    ),
    (
        "RECEIPT_METADATA",
        {"merchant_name": "TJ", "canonical_merchant_name": "Trader Joe's", "address": "1 Main St"},
        PlaceMetadata(RECEIPT, merchant_name="TJ", address="1 Main St", canonical_merchant_name="Trader Joe's"),
    ),
    (
        "RECEIPT_SECTION",
        {"line_ids": {"L": [number(3), number("2.0"), number(3)]}, "confidence": number("0.95")},
        Section(RECEIPT, "HEADER", (2, 3), Decimal("0.95")),
    ),
    (
        "COMPACTION_RUN",
        {**run_item(), "lines_state": text("COMPLETED"), "lines_merged_vectors": number(33)},
        CompactionRun(
            RECEIPT,
            RUN,
            created_at=NOW,
            collections={
                "lines": RunOfCollection(f"lines/delta/{RUN}/", "COMPLETED", 33),
                "words": RunOfCollection(f"words/delta/{RUN}/", "PENDING", 0),
            },
        ),
    ),
]


@pytest.mark.parametrize(("entity_type", "attributes", "entity"), ENTITIES, ids=[one[0] for one in ENTITIES])
def test_every_entity_is_parsed_from_both_images(entity_type: str, attributes: dict[str, Any], entity: object) -> None:
    sk = SORT_KEYS[entity_type]
    attributes = {**attributes, "TYPE": entity_type}
    inserted = parse_stream_record(stream_record("INSERT", sk, new=attributes))
    modified = parse_stream_record(stream_record("MODIFY", sk, old=attributes, new=attributes))
    removed = parse_stream_record(stream_record("REMOVE", sk, old=attributes))
    assert (inserted.entity_type, inserted.old, inserted.new) == (entity_type, None, entity)
    assert (modified.old, modified.new) == (entity, entity)
    assert (removed.old, removed.new) == (entity, None)


def test_a_record_keeps_where_it_comes_from() -> None:
    record = parse_stream_record(stream_record("INSERT", SORT_KEYS["RECEIPT"]))
    assert record.record_id == "c81e728d9d4c2f636f067f89cc100001"
    assert record.sequence_number == "4421584500000000017450439091"
    assert record.aws_region == "us-east-1"
    assert record.timestamp == NOW
    assert record.key.receipt == RECEIPT
    assert record.new_image is not None
    assert record.new_image["SK"] == text("RECEIPT#00001")


@pytest.mark.parametrize(
    "moment", [1785240000, 1785240000.0, Decimal(1785240000), datetime(2026, 7, 28, 12, tzinfo=UTC)]
)
def test_the_time_of_a_record_is_utc_text_however_it_came(moment: object) -> None:
    raw = stream_record("INSERT", SORT_KEYS["RECEIPT"])
    raw["dynamodb"]["ApproximateCreationDateTime"] = moment
    assert parse_stream_record(raw).timestamp == NOW


def test_what_only_describes_a_record_may_be_absent() -> None:
    raw = stream_record("INSERT", SORT_KEYS["RECEIPT"])
    del raw["awsRegion"], raw["dynamodb"]["SequenceNumber"], raw["dynamodb"]["ApproximateCreationDateTime"]
    record = parse_stream_record(raw)
    assert (record.aws_region, record.sequence_number, record.timestamp) == (None, None, None)


@pytest.mark.parametrize("sk", ["RECEIPT#00001#LINE#00001#WORD#00001#LETTER#00001", "RECEIPT#1", "IMAGE#00001"])
def test_an_item_that_is_none_of_ours_is_unknown_and_no_error(sk: str) -> None:
    record = parse_stream_record(stream_record("MODIFY", sk, new={"TYPE": "RECEIPT_LETTER"}))
    assert (record.entity_type, record.old, record.new) == ("UNKNOWN", None, None)


def test_an_item_of_an_unknown_partition_is_unknown() -> None:
    raw = stream_record("INSERT", "RECEIPT#00001")
    raw["dynamodb"]["Keys"]["PK"] = text("JOB#1")
    assert parse_stream_record(raw).entity_type == "UNKNOWN"


def test_the_key_decides_what_an_item_is() -> None:
    record = parse_stream_record(stream_record("INSERT", SORT_KEYS["RECEIPT_PLACE"], new={"TYPE": "RECEIPT_METADATA"}))
    assert isinstance(record.new, Place)


def test_a_known_type_under_a_key_that_is_none_of_ours_is_an_error() -> None:
    raw = stream_record("INSERT", "RECEIPT#1#PLACE", new={"TYPE": "RECEIPT_PLACE"})
    with pytest.raises(StreamRecordError, match="TYPE is RECEIPT_PLACE, but SK 'RECEIPT#1#PLACE'"):
        parse_stream_record(raw)


def test_a_field_of_another_type_counts_as_absent_as_the_facts_have_it() -> None:
    place = parse_stream_record(
        stream_record("INSERT", SORT_KEYS["RECEIPT_PLACE"], new={"merchant_name": number(5), "place_id": {"L": []}})
    ).new
    assert place == Place(RECEIPT)
    section = parse_stream_record(
        stream_record("INSERT", SORT_KEYS["RECEIPT_SECTION"], new={"line_ids": "1,2", "confidence": {"BOOL": True}})
    ).new
    assert section == Section(RECEIPT, "HEADER")


def test_ids_of_six_digits_and_unicode_are_kept_apart() -> None:
    small = parse_stream_record(stream_record("INSERT", "RECEIPT#10000#PLACE", image="Käse-収據"))
    large = parse_stream_record(stream_record("INSERT", "RECEIPT#100000#PLACE", image="Käse-収據"))
    assert small.key.receipt == ReceiptId("Käse-収據", 10000)
    assert large.key.receipt == ReceiptId("Käse-収據", 100000)


def without(*path: str) -> dict[str, Any]:
    raw = deepcopy(stream_record("MODIFY", SORT_KEYS["RECEIPT_PLACE"]))
    place = raw
    for name in path[:-1]:
        place = place[name]
    del place[path[-1]]
    return raw


def with_value(value: object, *path: str) -> dict[str, Any]:
    raw = deepcopy(stream_record("MODIFY", SORT_KEYS["RECEIPT_PLACE"], new={"merchant_name": "A"}))
    place = raw
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    return raw


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (without("eventID"), "eventID is missing"),
        (without("eventName"), "eventName is missing"),
        (without("dynamodb"), "dynamodb is missing"),
        (without("dynamodb", "Keys"), "Keys is missing"),
        (without("dynamodb", "Keys", "SK"), "SK is missing"),
        (without("dynamodb", "OldImage"), "MODIFY has no OldImage"),
        (without("dynamodb", "NewImage"), "MODIFY has no NewImage"),
        (with_value("UPSERT", "eventName"), "eventName is 'UPSERT'"),
        (with_value(["MODIFY"], "eventName"), "eventName is"),
        (with_value(None, "eventID"), "eventID is no text"),
        (with_value({"S": 5}, "dynamodb", "Keys", "SK"), "Keys are no text"),
        (with_value({"N": "5"}, "dynamodb", "Keys", "SK"), "S is missing"),
        (with_value("RECEIPT#00001", "dynamodb", "Keys", "SK"), "another shape"),
        (with_value([], "dynamodb"), "another shape"),
        (with_value("{...", "dynamodb", "NewImage"), "NewImage is no item"),
        (
            with_value({"S": 5}, "dynamodb", "NewImage", "merchant_name"),
            "NewImage: attribute merchant_name is no typed",
        ),
        (with_value({"S": "a", "N": "1"}, "dynamodb", "NewImage", "merchant_name"), "merchant_name is no typed"),
        (with_value("A", "dynamodb", "OldImage", "merchant_name"), "OldImage: attribute merchant_name"),
        (with_value(5, "dynamodb", "SequenceNumber"), "SequenceNumber is no text"),
        (with_value("now", "dynamodb", "ApproximateCreationDateTime"), "is no time"),
        (with_value(1e300, "dynamodb", "ApproximateCreationDateTime"), "out of range"),
        ({}, "eventID is missing"),
        ([], "another shape"),
        (None, "another shape"),
        ("record", "another shape"),
    ],
)
def test_a_broken_record_is_refused_with_its_id_and_what_is_wrong(raw: Any, problem: str) -> None:
    with pytest.raises(StreamRecordError) as caught:
        parse_stream_record(raw)
    assert problem in caught.value.problem
    known = isinstance(raw, dict) and isinstance(raw.get("eventID"), str)
    assert caught.value.record_id == (raw["eventID"] if known else "?")
    assert caught.value.record_id in str(caught.value)
