"""What goes between the caller and the process that decodes deltas.

A frame, either way, is two little-endian u64 and what they count: a JSON object, and bytes. A request is
`{"form", "collection", "names": [[name, size]]}` and the files; an answer `{"records": [[id, document, metadata]],
"dimension"}` and the vectors, or `{"error", "message"}`.
"""

import json
import struct
from typing import Any, BinaryIO, Final

Blob = bytes | bytearray | memoryview

LENGTHS: Final = struct.Struct("<QQ")


def frame(head: dict[str, Any], *blobs: Blob) -> list[Blob]:
    """A frame, in parts; the bytes may be in several."""
    text = json.dumps(head).encode()
    return [LENGTHS.pack(len(text), sum(map(len, blobs))), text, *blobs]


def read_frame(stream: BinaryIO) -> tuple[dict[str, Any], bytes] | None:
    """The next frame; None when the other side is gone."""
    lengths = stream.read(LENGTHS.size)
    if len(lengths) < LENGTHS.size:
        return None
    head_length, blob_length = LENGTHS.unpack(lengths)
    head, blob = stream.read(head_length), stream.read(blob_length)
    if len(head) < head_length or len(blob) < blob_length:
        return None
    return json.loads(head), blob
