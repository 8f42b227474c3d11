"""Whatever is given as a stream record, the answer is a record or a StreamRecordError that names it."""

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from receipt_dynamo_stream import (
    MessageInvalid,
    SchemaUnsupported,
    StreamMessage,
    StreamRecordError,
    build_message,
    detect_change,
    parse_stream_record,
)
from receipt_dynamo_stream.facts import METADATA_FIELDS, PLACE_FIELDS
from receipt_dynamo_stream.read_facts import facts_of

from .samples import SORT_KEYS, stream_record

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.binary(max_size=4)
    | st.sampled_from(["", "NaN", "Infinity", "1E+999999999", "-0", "1.0", "٣", "\ud800", "#", "9" * 400])
)
kinds = st.sampled_from(["S", "N", "B", "BOOL", "NULL", "L", "M", "SS", "NS", "BS", "X", ""])
junk = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3) | kinds, inner, max_size=3),
    max_leaves=8,
)
attributes = st.dictionaries(kinds, junk, min_size=1, max_size=2) | junk
OTHER_FIELDS = ("TYPE", "PK", "SK", "line_ids", "confidence", "reasoning", "text", "validation_status", "lines_state")
names = st.sampled_from(
    [*dict.fromkeys(PLACE_FIELDS + METADATA_FIELDS), *OTHER_FIELDS, "label_consolidated_from", "lines_delta_prefix"]
)
images = st.dictionaries(names, attributes, max_size=4) | junk
segments = st.sampled_from(
    ["RECEIPT", "LINE", "WORD", "LABEL", "PLACE", "SECTION", "COMPACTION_RUN", "00001", "10000", "100000", "1", ""]
)
sort_keys = (
    st.sampled_from(sorted(SORT_KEYS.values()))
    | st.lists(segments | st.text(max_size=4), max_size=9).map("#".join)
    | st.integers(0, 40).map(lambda length: SORT_KEYS["RECEIPT_WORD_LABEL"][:length])
)
partition_keys = st.sampled_from(["IMAGE#a", "IMAGE#", "IMAGE#a#b", "JOB#1"]) | st.text(max_size=6).map(
    "IMAGE#".__add__
)
events = st.sampled_from(["INSERT", "MODIFY", "REMOVE"]) | scalars
PATHS = [
    ("eventID",),
    ("eventName",),
    ("awsRegion",),
    ("dynamodb",),
    ("dynamodb", "Keys"),
    ("dynamodb", "Keys", "PK"),
    ("dynamodb", "Keys", "SK"),
    ("dynamodb", "Keys", "SK", "S"),
    ("dynamodb", "OldImage"),
    ("dynamodb", "NewImage"),
    ("dynamodb", "SequenceNumber"),
    ("dynamodb", "ApproximateCreationDateTime"),
]
MISSING = object()


@st.composite
def records(draw: st.DrawFn) -> Any:
    """A true record with its keys, images and event replaced by half-true ones, then broken in up to two places."""
    raw = deepcopy(stream_record("MODIFY", "RECEIPT#00001"))
    raw["eventName"] = draw(events)
    raw["dynamodb"]["Keys"] = {"PK": {"S": draw(partition_keys)}, "SK": {"S": draw(sort_keys)}}
    raw["dynamodb"]["OldImage"] = draw(images)
    raw["dynamodb"]["NewImage"] = draw(images)
    for path in draw(st.lists(st.sampled_from(PATHS), max_size=2)):
        place: Any = raw
        for name in path[:-1]:
            place = place.get(name) if isinstance(place, dict) else None
        if isinstance(place, dict):
            value = draw(st.just(MISSING) | junk)
            if value is MISSING:
                place.pop(path[-1], None)
            else:
                place[path[-1]] = value
    return raw


def answer_is_a_result_or_a_named_error(raw: Any) -> None:
    try:
        record = parse_stream_record(raw)
    except StreamRecordError as error:
        refused = error
    else:
        refused = None
    if refused is not None:
        given_id = raw.get("eventID") if isinstance(raw, dict) else None
        assert refused.record_id == (given_id if isinstance(given_id, str) and given_id else "?")
        assert refused.problem
        return
    assert record.record_id == raw["eventID"]
    change = detect_change(record)
    if record.entity_type == "UNKNOWN":
        assert change is None
    elif record.event_name != "MODIFY":
        assert change is not None
    if change is not None:
        message = build_message(record, change)
        assert StreamMessage.from_json(message.to_json()) == message
    # The plan reads the same items; whatever passed as an image must not stop it.
    for image in (record.old_image, record.new_image):
        if image is not None and record.key.entity_type is not None:
            facts_of(record.key.receipt, image, [{**image, **raw["dynamodb"]["Keys"]}], "lines")


def message_is_read_or_refused_by_name(value: Any) -> None:
    try:
        message = StreamMessage.from_json(value)
    except (MessageInvalid, SchemaUnsupported):
        return
    assert isinstance(message, StreamMessage)


fast = settings(max_examples=40, suppress_health_check=list(HealthCheck))
long = settings(max_examples=100_000, suppress_health_check=list(HealthCheck))


@fast
@given(records() | junk)
def test_any_record_gives_a_result_or_a_named_error(raw: Any) -> None:
    answer_is_a_result_or_a_named_error(raw)


@fast
@given(junk | st.text(max_size=30))
def test_any_message_is_read_or_refused_by_name(value: Any) -> None:
    message_is_read_or_refused_by_name(value)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@long
@given(records() | junk)
def test_a_hundred_thousand_records_give_results_or_named_errors(raw: Any) -> None:
    answer_is_a_result_or_a_named_error(raw)
