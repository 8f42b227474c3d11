"""StreamMessage: what one stream record means, as JSON for other services.

docs/message-format.md shows one per entity, `stream_message.schema.json` beside this file is the JSON Schema. A
reader of schema version n reads n and n-1:

    version 2 (this release)  as documented
    version 1                 had no `schema_version`, and may lack `collections` and `sequence_number`
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from importlib import resources
from typing import Any, Final

from receipt_dynamo_stream import names
from receipt_dynamo_stream.changes import COLLECTIONS_OF, Change, FieldChange
from receipt_dynamo_stream.errors import MessageInvalid, SchemaUnsupported
from receipt_dynamo_stream.grain import COLLECTIONS
from receipt_dynamo_stream.runs import CompactionRun
from receipt_dynamo_stream.stream_record import StreamRecord

SCHEMA_VERSION: Final = 2
SOURCE: Final = "dynamodb_stream"


@dataclass(frozen=True, slots=True)
class StreamMessage:
    """One change for other services; all values are JSON values, so that a message survives JSON exactly.

    entity_data holds the ids of the entity that there are: image_id, receipt_id, line_id, word_id, label,
    section_type. For a run also run_id, lines_delta_prefix, words_delta_prefix (one for each collection) and
    delta_s3_prefix: the prefix of the message's one collection, null while it names several (see for_collection).
    """

    entity_type: str
    entity_data: Mapping[str, Any]
    changes: Mapping[str, FieldChange]
    event_name: str
    timestamp: str | None
    stream_record_id: str
    sequence_number: str | None
    aws_region: str | None
    collections: tuple[str, ...]
    source: str = SOURCE
    schema_version: int = SCHEMA_VERSION

    @property
    def message_id(self) -> str:
        """The stream record's id; of a message for one collection out of several, that id and the collection."""
        if set(self.collections) == COLLECTIONS_OF[self.entity_type]:
            return self.stream_record_id
        return f"{self.stream_record_id}:{','.join(self.collections)}"

    def for_collection(self, collection: str) -> "StreamMessage":
        """The same message for one of its collections. Raises ValueError for another."""
        if collection not in self.collections:
            raise ValueError(f"the message is not about {collection!r}, but about {', '.join(self.collections)}")
        data = dict(self.entity_data)
        if "delta_s3_prefix" in data:
            data["delta_s3_prefix"] = data[f"{collection}_delta_prefix"]
        return replace(self, collections=(collection,), entity_data=data)

    def to_dict(self) -> dict[str, Any]:
        """The message as plain JSON values, in the documented order."""
        return {
            "schema_version": self.schema_version,
            "source": self.source,
            "entity_type": self.entity_type,
            "entity_data": dict(self.entity_data),
            "changes": {name: {"old": one.old, "new": one.new} for name, one in self.changes.items()},
            "event_name": self.event_name,
            "timestamp": self.timestamp,
            "stream_record_id": self.stream_record_id,
            "sequence_number": self.sequence_number,
            "aws_region": self.aws_region,
            "collections": list(self.collections),
        }

    def to_json(self) -> str:
        """The message as ASCII text: any text in it is legal in a queue that refuses control characters."""
        return json.dumps(self.to_dict(), separators=(",", ":"), allow_nan=False)

    @classmethod
    def from_json(cls, text: str | bytes | Mapping[str, Any]) -> "StreamMessage":
        """What to_json (or to_dict) gave. Raises SchemaUnsupported, MessageInvalid."""
        if isinstance(text, Mapping):
            value: Any = text
        else:
            try:
                value = json.loads(text, parse_constant=_refuse_constant)
            except (ValueError, TypeError, RecursionError) as error:
                raise MessageInvalid(f"the message is no JSON: {error}") from error
        if not isinstance(value, Mapping):
            raise MessageInvalid("the message is no JSON object")
        return _read(value)


def build_message(record: StreamRecord, change: Change) -> StreamMessage:
    """The message of a record and the change that detect_change found in it."""
    key = record.key
    ids = {
        "image_id": key.image_id,
        "receipt_id": key.receipt_id,
        "line_id": key.line_id,
        "word_id": key.word_id,
        "label": key.label,
        "section_type": key.section_type,
        "run_id": key.run_id,
    }
    data: dict[str, Any] = {name: value for name, value in ids.items() if value is not None}
    run = record.new or record.old
    if isinstance(run, CompactionRun):
        data |= {f"{name}_delta_prefix": run.of(name).delta_prefix or None for name in COLLECTIONS}
        data["delta_s3_prefix"] = None
    return StreamMessage(
        entity_type=record.entity_type,
        entity_data=data,
        changes={name: FieldChange(_json(one.old), _json(one.new)) for name, one in change.fields.items()},
        event_name=record.event_name,
        timestamp=record.timestamp,
        stream_record_id=record.record_id,
        sequence_number=record.sequence_number,
        aws_region=record.aws_region,
        collections=tuple(sorted(change.collections)),
    )


def message_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of version 2."""
    text = resources.files(__package__).joinpath("stream_message.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _json(value: object) -> object:
    if isinstance(value, tuple):
        return [_json(one) for one in value]
    if isinstance(value, Decimal):
        # A JSON number where that is exact; DynamoDB's 38 digits can be more than a double holds.
        number = float(value)
        return number if Decimal(repr(number)) == value else str(value)
    return value


def _read(value: Mapping[str, Any]) -> StreamMessage:
    version = value.get("schema_version", 1)
    if isinstance(version, bool) or version not in (SCHEMA_VERSION, SCHEMA_VERSION - 1):
        raise SchemaUnsupported("the message", version, (SCHEMA_VERSION - 1, SCHEMA_VERSION))
    entity_type = _one_of(value, "entity_type", names.ENTITY_TYPES)
    collections = value.get("collections")
    if collections is None and version == 1:
        collections = sorted(COLLECTIONS_OF[entity_type])
    if (
        not isinstance(collections, list | tuple)
        or not collections
        or any(one not in COLLECTIONS or collections.count(one) > 1 for one in collections)
    ):
        raise MessageInvalid("collections names none, one twice, or an unknown one")
    entity_data, changes = value.get("entity_data"), value.get("changes")
    if not isinstance(entity_data, Mapping) or not isinstance(changes, Mapping):
        raise MessageInvalid("entity_data and changes must be objects")
    record_id = _text(value, "stream_record_id")
    if record_id is None:
        raise MessageInvalid("stream_record_id is missing")
    return StreamMessage(
        entity_type=entity_type,
        entity_data=dict(entity_data),
        changes={str(name): _field_change(name, one) for name, one in changes.items()},
        event_name=_one_of(value, "event_name", names.EVENT_NAMES),
        timestamp=_text(value, "timestamp"),
        stream_record_id=record_id,
        sequence_number=_text(value, "sequence_number"),
        aws_region=_text(value, "aws_region"),
        collections=tuple(collections),
        source=_one_of(value, "source", (SOURCE,)),
    )


def _field_change(name: object, value: object) -> FieldChange:
    if not isinstance(value, Mapping) or not {"old", "new"} <= set(value):
        raise MessageInvalid(f"changes.{name} is not an object with old and new")
    return FieldChange(value["old"], value["new"])


def _one_of(value: Mapping[str, Any], name: str, allowed: tuple[str, ...]) -> str:
    found = value.get(name)
    if not isinstance(found, str) or found not in allowed:
        raise MessageInvalid(f"{name} is {str(found)[:60]!r}, not one of {', '.join(allowed)}")
    return found


def _text(value: Mapping[str, Any], name: str) -> str | None:
    found = value.get(name)
    if found is not None and not isinstance(found, str):
        raise MessageInvalid(f"{name} is no text")
    return found
