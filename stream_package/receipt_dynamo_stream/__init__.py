"""What changed in the receipts table, does it matter to the vector store, and which message says so.

The names here are the public surface for services that read the table's stream:

    record = parse_stream_record(raw)            # StreamRecordError when it never will parse
    change = detect_change(record)               # None when it does not matter
    message = build_message(record, change)      # StreamMessage, for people and queues

The pipeline's own parts are imported from their modules: `read_facts`, `reconcile`, `control.table`, and what is in
`round`. Importing the package imports neither boto3 nor botocore; clients are passed in.
"""

from receipt_dynamo_stream.announce import compaction_run_schema, put_run, run_item
from receipt_dynamo_stream.attributes import decode_item
from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.changes import Change, FieldChange, detect_change
from receipt_dynamo_stream.entities import (
    Entity,
    Place,
    PlaceMetadata,
    Receipt,
    ReceiptLine,
    ReceiptWord,
    Section,
    WordLabel,
)
from receipt_dynamo_stream.errors import (
    CompactionError,
    KeyMalformed,
    MessageInvalid,
    PublishFailed,
    RunAnnounced,
    RunInvalid,
    RunRefused,
    SchemaUnsupported,
    StreamRecordError,
    TransientServiceError,
)
from receipt_dynamo_stream.grain import COLLECTIONS
from receipt_dynamo_stream.keys import (
    ItemKey,
    ReceiptId,
    RecordId,
    line_record_id,
    parse_item_key,
    parse_record_id,
    word_record_id,
)
from receipt_dynamo_stream.messages import StreamMessage, build_message, message_schema
from receipt_dynamo_stream.names import ENTITY_TYPES
from receipt_dynamo_stream.publisher import SqsPublisher
from receipt_dynamo_stream.retry import is_transient
from receipt_dynamo_stream.runs import (
    CompactionRun,
    DeltaLocation,
    RunOfCollection,
    delta_location,
    is_compaction_run,
    is_embeddings_completed,
    parse_compaction_run,
)
from receipt_dynamo_stream.served import served_in, served_version
from receipt_dynamo_stream.sharding import shard_of
from receipt_dynamo_stream.stream_record import StreamRecord, parse_stream_record

__all__ = [  # noqa: RUF022 -- sorted as sorted() sorts
    "Bucket",
    "COLLECTIONS",
    "Change",
    "CompactionError",
    "CompactionRun",
    "DeltaLocation",
    "ENTITY_TYPES",
    "Entity",
    "FieldChange",
    "ItemKey",
    "KeyMalformed",
    "MessageInvalid",
    "Place",
    "PlaceMetadata",
    "PublishFailed",
    "Receipt",
    "ReceiptId",
    "ReceiptLine",
    "ReceiptWord",
    "RecordId",
    "RunAnnounced",
    "RunInvalid",
    "RunOfCollection",
    "RunRefused",
    "SchemaUnsupported",
    "Section",
    "SqsPublisher",
    "StreamMessage",
    "StreamRecord",
    "StreamRecordError",
    "TransientServiceError",
    "WordLabel",
    "build_message",
    "compaction_run_schema",
    "decode_item",
    "delta_location",
    "detect_change",
    "is_compaction_run",
    "is_embeddings_completed",
    "is_transient",
    "line_record_id",
    "message_schema",
    "parse_compaction_run",
    "parse_item_key",
    "parse_record_id",
    "parse_stream_record",
    "put_run",
    "run_item",
    "served_in",
    "served_version",
    "shard_of",
    "word_record_id",
]
