"""Parse one record of the receipts table's stream, as a Lambda event or GetRecords gives it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from receipt_dynamo_stream import names
from receipt_dynamo_stream.attributes import AttributeProblem
from receipt_dynamo_stream.entities import Entity, parse_entity
from receipt_dynamo_stream.errors import StreamRecordError
from receipt_dynamo_stream.keys import ItemKey, parse_item_key
from receipt_dynamo_stream.times import utc_text


@dataclass(frozen=True, slots=True)
class StreamRecord:
    """One record. old and new are the item before and after; None where the event has none, or the entity is UNKNOWN.

    timestamp is ApproximateCreationDateTime in UTC. The raw images are kept as they came, for consumers who want more.
    """

    record_id: str
    event_name: str
    entity_type: str
    key: ItemKey
    old: Entity | None
    new: Entity | None
    sequence_number: str | None
    timestamp: str | None
    aws_region: str | None
    old_image: Mapping[str, Any] | None = field(default=None, repr=False)
    new_image: Mapping[str, Any] | None = field(default=None, repr=False)


def parse_stream_record(record: Mapping[str, Any]) -> StreamRecord:
    """Parse a record of any item in the table; items that are none of ours have entity_type "UNKNOWN".

    The key decides what an item is, whatever its TYPE says; a known TYPE under a key that is none of ours is an error.
    Raises StreamRecordError, and nothing else, for anything that is not such a record.
    """
    record_id = "?"
    try:
        found_id = record["eventID"]
        if not isinstance(found_id, str) or not found_id:
            raise _Unreadable("eventID is no text")
        record_id = found_id
        return _parse(record, record_id)
    except (_Unreadable, AttributeProblem) as problem:
        raise StreamRecordError(record_id, str(problem)) from None
    except KeyError as missing:
        raise StreamRecordError(record_id, f"{missing.args[0]} is missing") from None
    except (TypeError, IndexError, AttributeError) as error:
        raise StreamRecordError(record_id, f"the record has another shape than a stream record ({error})") from error


class _Unreadable(ValueError):
    pass


def _parse(record: Mapping[str, Any], record_id: str) -> StreamRecord:
    event_name = record["eventName"]
    if event_name not in names.EVENT_NAMES:
        raise _Unreadable(f"eventName is {str(event_name)[:40]!r}, not INSERT, MODIFY or REMOVE")
    change = record["dynamodb"]
    keys = change["Keys"]
    pk, sk = keys["PK"]["S"], keys["SK"]["S"]
    if not isinstance(pk, str) or not isinstance(sk, str):
        raise _Unreadable("Keys are no text")
    key = parse_item_key(pk, sk)
    old_image, new_image = _images(change, event_name, required=key.entity_type is not None)
    old: Entity | None = None
    new: Entity | None = None
    if key.entity_type is None:
        _refuse_known_type(new_image if new_image is not None else old_image, sk)
    else:
        old = None if old_image is None else _entity(key, old_image, "OldImage")
        new = None if new_image is None else _entity(key, new_image, "NewImage")
    return StreamRecord(
        record_id=record_id,
        event_name=event_name,
        entity_type=key.entity_type or names.UNKNOWN,
        key=key,
        old=old,
        new=new,
        sequence_number=_optional_text(change, "SequenceNumber"),
        timestamp=_timestamp(change.get("ApproximateCreationDateTime")),
        aws_region=_optional_text(record, "awsRegion"),
        old_image=old_image,
        new_image=new_image,
    )


def _images(
    change: Mapping[str, Any], event_name: str, *, required: bool
) -> tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]:
    # An INSERT with an old image, or the reverse, does not exist; what the event has no use for is not read.
    old = change.get("OldImage") if event_name != names.INSERT else None
    new = change.get("NewImage") if event_name != names.REMOVE else None
    for name, image, needed in (
        ("OldImage", old, event_name != names.INSERT),
        ("NewImage", new, event_name != names.REMOVE),
    ):
        if image is None and needed and required:
            raise _Unreadable(f"{event_name} has no {name}: the stream must have the view type NEW_AND_OLD_IMAGES")
        if image is not None and not isinstance(image, Mapping):
            raise _Unreadable(f"{name} is no item")
    return old, new


def _entity(key: ItemKey, image: Mapping[str, Any], name: str) -> Entity:
    try:
        return parse_entity(key, image)
    except AttributeProblem as problem:
        raise _Unreadable(f"{name}: {problem}") from None


def _refuse_known_type(image: Mapping[str, Any] | None, sk: str) -> None:
    value = image.get("TYPE") if image is not None else None
    found = value.get("S") if isinstance(value, Mapping) else None
    if isinstance(found, str) and found in names.ENTITY_TYPES:
        raise _Unreadable(f"TYPE is {found}, but SK {sk[:120]!r} is not the key of one")


def _optional_text(mapping: Mapping[str, Any], name: str) -> str | None:
    value = mapping.get(name)
    if value is not None and not isinstance(value, str):
        raise _Unreadable(f"{name} is no text")
    return value


def _timestamp(value: object) -> str | None:
    # Seconds since 1970 in a Lambda event, a datetime from boto3's streams client.
    if value is None:
        return None
    if isinstance(value, datetime):
        return utc_text(value)
    if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
        try:
            return datetime.fromtimestamp(float(value), UTC).isoformat()
        except (ValueError, OverflowError, OSError) as error:
            raise _Unreadable("ApproximateCreationDateTime is out of range") from error
    raise _Unreadable("ApproximateCreationDateTime is no time")
