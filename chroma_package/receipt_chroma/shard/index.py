"""The index of a base: what it has of each receipt, and where the vectors are. So one receipt costs one receipt.

`receipts.json` is a JSON array of [key, records, digest], one receipt a line, in order of key. `vector_rows.bin` has a
little-endian u32 per record, in order of receipt and id: its row in the HNSW file, which chromadb's own pickle tells
only to who reads all of it. Equal content and rows give equal bytes.
"""

import json
from collections.abc import Iterable, Mapping
from itertools import accumulate
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from receipt_dynamo_stream.round.report import ReceiptContent

from receipt_chroma.errors import ShardInvalid
from receipt_chroma.shard.closed_shard import receipt_key_of
from receipt_chroma.storage.tree import INDEX_FILE, ROWS_FILE

_ROW: Final = np.dtype("<u4")


def write_index(folder: Path, contents: Iterable[ReceiptContent], row_of: Mapping[str, int]) -> None:
    """Write both files into a closed directory. row_of: of every record, its row in the HNSW file."""
    (folder / INDEX_FILE).write_bytes(encode_index(contents))
    (folder / ROWS_FILE).write_bytes(encode_rows(row_of))


def encode_index(contents: Iterable[ReceiptContent]) -> bytes:
    """The bytes of `receipts.json`; receipts without records are left out."""
    lines = [
        json.dumps([one.key, one.records, one.digest])
        for one in sorted(contents, key=lambda one: one.key)
        if one.records
    ]
    return ("[\n" + ",\n".join(lines) + "\n]\n").encode()


def encode_rows(row_of: Mapping[str, int]) -> bytes:
    """The bytes of `vector_rows.bin`."""
    ids = sorted(row_of, key=lambda record_id: (receipt_key_of(record_id), record_id))
    return np.array([row_of[record_id] for record_id in ids], _ROW).tobytes()


def read_index(content: bytes) -> dict[str, ReceiptContent]:
    """The receipts of `receipts.json`, by key, in order. Raises ShardInvalid("receipts")."""
    try:
        found = {key: ReceiptContent(key, records, digest) for key, records, digest in json.loads(content)}
        if encode_index(found.values()) == content:
            return found
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ShardInvalid("receipts", f"{INDEX_FILE} cannot be read: {error}") from error
    raise ShardInvalid("receipts", f"{INDEX_FILE} is not in order, or names a receipt twice")


def first_rows(contents: Mapping[str, ReceiptContent]) -> dict[str, int]:
    """Where each receipt begins in `vector_rows.bin`, counted in records."""
    starts = accumulate((one.records for one in contents.values()), initial=0)
    return dict(zip(contents, starts, strict=False))


def read_rows(folder: Path, first: int, count: int) -> NDArray[np.uint32]:
    """The rows of `count` records from `first` on. Raises ShardInvalid("receipts") when the file ends before."""
    with (folder / ROWS_FILE).open("rb") as file:
        file.seek(first * _ROW.itemsize)
        content = file.read(count * _ROW.itemsize)
    if len(content) != count * _ROW.itemsize:
        raise ShardInvalid("receipts", f"{ROWS_FILE} ends before record {first + count}")
    return np.frombuffer(content, _ROW)
