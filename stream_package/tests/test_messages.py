import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from receipt_dynamo_stream import (
    COLLECTIONS,
    ENTITY_TYPES,
    FieldChange,
    MessageInvalid,
    SchemaUnsupported,
    StreamMessage,
    build_message,
    detect_change,
    message_schema,
    parse_stream_record,
)
from receipt_dynamo_stream.changes import COLLECTIONS_OF

from .samples import RUN, SORT_KEYS, number, run_item, stream_record

GOLDEN = Path(__file__).parent / "golden"
NAMES = [entity_type.lower() for entity_type in ENTITY_TYPES]


def golden(name: str) -> Any:
    return json.loads((GOLDEN / name).read_text(encoding="utf-8"))


def message_of(raw: dict[str, Any]) -> StreamMessage:
    record = parse_stream_record(raw)
    change = detect_change(record)
    assert change is not None
    return build_message(record, change)


@pytest.mark.parametrize("name", NAMES)
def test_a_golden_record_gives_its_golden_message(name: str) -> None:
    message = message_of(golden(f"{name}.record.json"))
    expected = golden(f"{name}.message.json")
    assert json.dumps(message.to_dict()) == json.dumps(expected)  # the order of the names as well
    assert json.loads(message.to_json()) == expected


@pytest.mark.parametrize("name", NAMES)
def test_a_golden_message_is_read_back_exactly(name: str) -> None:
    text = (GOLDEN / f"{name}.message.json").read_text(encoding="utf-8")
    message = StreamMessage.from_json(text)
    assert message == message_of(golden(f"{name}.record.json"))
    assert StreamMessage.from_json(message.to_json()) == message
    assert StreamMessage.from_json(message.to_dict()) == message
    assert json.loads(message.to_json()) == json.loads(text)


@pytest.mark.parametrize("name", NAMES)
def test_every_golden_message_is_valid_by_the_schema(name: str) -> None:
    jsonschema.Draft202012Validator(message_schema()).validate(golden(f"{name}.message.json"))


def test_the_schema_refuses_what_a_reader_refuses() -> None:
    validator = jsonschema.Draft202012Validator(message_schema())
    jsonschema.Draft202012Validator.check_schema(message_schema())
    for name, wrong in BROKEN:
        message = golden("receipt_place.message.json") | {name: wrong}
        assert not validator.is_valid(message), name
    run = golden("compaction_run.message.json")
    del run["entity_data"]["delta_s3_prefix"]
    assert not validator.is_valid(run)


def test_a_message_of_the_version_before_is_read() -> None:
    old = StreamMessage.from_json(json.dumps(golden("version_1.message.json")))
    new = StreamMessage.from_json(json.dumps(golden("receipt_word_label.message.json")))
    assert old.collections == ("lines", "words")
    assert old.sequence_number is None
    assert old.schema_version == new.schema_version == 2
    assert (old.changes, old.entity_data, old.timestamp) == (new.changes, new.entity_data, new.timestamp)


@pytest.mark.parametrize("version", [0, 3, "2", 2.5, None, True, [2]])
def test_a_message_of_another_version_is_refused_by_name(version: object) -> None:
    message = golden("receipt_place.message.json") | {"schema_version": version}
    with pytest.raises(SchemaUnsupported, match="this release reads 1 and 2"):
        StreamMessage.from_json(message)


BROKEN: list[tuple[str, Any]] = [
    ("source", "kafka"),
    ("entity_type", "RECEIPT_LETTER"),
    ("entity_type", None),
    ("event_name", "UPSERT"),
    ("entity_data", []),
    ("changes", None),
    ("changes", {"merchant_name": "A"}),
    ("changes", {"merchant_name": {"old": None}}),
    ("timestamp", 5),
    ("stream_record_id", None),
    ("collections", []),
    ("collections", ["pages"]),
    ("collections", "lines"),
    ("collections", [["lines"]]),
    ("collections", ["lines", "lines"]),
]


@pytest.mark.parametrize(("name", "wrong"), BROKEN)
def test_a_broken_message_is_refused_by_name(name: str, wrong: object) -> None:
    with pytest.raises(MessageInvalid):
        StreamMessage.from_json(golden("receipt_place.message.json") | {name: wrong})


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000, b"\xff", "NaN"])
def test_what_is_no_json_object_is_refused_by_name(text: str | bytes) -> None:
    with pytest.raises(MessageInvalid):
        StreamMessage.from_json(text)


def test_a_run_message_for_one_collection_has_that_collections_prefix() -> None:
    message = message_of(stream_record("INSERT", SORT_KEYS["COMPACTION_RUN"], new=run_item()))
    assert message.entity_data["delta_s3_prefix"] is None
    words = message.for_collection("words")
    assert words.collections == ("words",)
    assert words.entity_data["delta_s3_prefix"] == f"words/delta/{RUN}/"
    assert message.for_collection("lines").entity_data["delta_s3_prefix"] == f"lines/delta/{RUN}/"
    assert len({message.message_id, words.message_id, message.for_collection("lines").message_id}) == 3
    with pytest.raises(ValueError, match="not about 'pages'"):
        message.for_collection("pages")


def test_a_number_is_a_number_where_json_holds_it_exactly_and_text_where_not() -> None:
    long = "0.12345678901234567890123"
    message = message_of(
        stream_record(
            "MODIFY", SORT_KEYS["RECEIPT_SECTION"], old={"confidence": number("0.1")}, new={"confidence": number(long)}
        )
    )
    assert message.changes["confidence"] == FieldChange(0.1, long)
    assert Decimal(str(message.changes["confidence"].old)) == Decimal("0.1")


def test_a_message_is_plain_ascii_whatever_the_text() -> None:
    strange = "\x00\x1f\ufffe \ud800 収據"
    message = message_of(stream_record("INSERT", SORT_KEYS["RECEIPT_PLACE"], new={"merchant_name": strange}))
    assert message.to_json().isascii()
    assert "\x00" not in message.to_json()
    assert StreamMessage.from_json(message.to_json()) == message


json_values = st.none() | st.text(max_size=5) | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
messages = st.builds(
    StreamMessage,
    entity_type=st.sampled_from(ENTITY_TYPES),
    entity_data=st.dictionaries(st.text(max_size=5), json_values, max_size=4),
    changes=st.dictionaries(st.text(max_size=5), st.builds(FieldChange, json_values, json_values), max_size=4),
    event_name=st.sampled_from(["INSERT", "MODIFY", "REMOVE"]),
    timestamp=st.none() | st.text(max_size=5),
    stream_record_id=st.text(max_size=5),
    sequence_number=st.none() | st.text(max_size=5),
    aws_region=st.none() | st.text(max_size=5),
    collections=st.sampled_from([("lines",), ("words",), COLLECTIONS]),
)


@given(messages)
def test_any_message_survives_json_exactly(message: StreamMessage) -> None:
    assert StreamMessage.from_json(message.to_json()) == message
    assert StreamMessage.from_json(message.to_json()).to_json() == message.to_json()


def test_the_message_of_an_entity_names_the_collections_it_touches() -> None:
    for entity_type, sk in SORT_KEYS.items():
        assert set(message_of(stream_record("REMOVE", sk)).collections) == COLLECTIONS_OF[entity_type]
