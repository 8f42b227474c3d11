"""Plans and reports as objects in S3: gzip JSON with a schema version, the same bytes for the same value."""

import gzip
import json
import zlib
from collections.abc import Mapping
from typing import Any

from receipt_dynamo_stream.errors import SchemaUnsupported, StoredObjectDamaged

SCHEMA_VERSION = 1


def encode_stored(value: Mapping[str, Any]) -> bytes:
    """Gzip JSON with the schema version in front; no clock in the bytes."""
    text = json.dumps({"schema_version": SCHEMA_VERSION, **value}, ensure_ascii=False, separators=(",", ":"))
    return gzip.compress(text.encode("utf-8", "surrogatepass"), mtime=0)


def decode_stored(data: bytes, what: str) -> dict[str, Any]:
    """What encode_stored was given. Raises SchemaUnsupported, StoredObjectDamaged."""
    try:
        value = json.loads(gzip.decompress(data).decode("utf-8", "surrogatepass"))
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise StoredObjectDamaged(
            f"{what} is not gzip JSON ({error}): start a new execution, it makes its own"
        ) from error
    version = value.get("schema_version") if isinstance(value, dict) else None
    if version != SCHEMA_VERSION:
        raise SchemaUnsupported(what, version, (SCHEMA_VERSION,))
    del value["schema_version"]
    return dict(value)
