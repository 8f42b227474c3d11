"""The index of a base: what it has of each receipt, and where the vectors are. So one receipt costs one receipt.

`receipts.json` is a JSON array of [key, first, records, digest], one receipt a line, in order of key. `vector_rows.bin`
has a little-endian u32 per record, in order of receipt and id: its row in the HNSW file, which chromadb's own pickle
tells only to who reads all of it. `first` is where the receipt begins there, counted in records. Equal content and rows
give equal bytes.

A line is found by bisection, so that what a publication reads does not grow with the base.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from os import fstat
from os import pread as _pread
from pathlib import Path
from typing import IO, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from receipt_dynamo_stream.round.report import ReceiptContent

from receipt_chroma.errors import ShardInvalid
from receipt_chroma.shard.closed_shard import receipt_key_of
from receipt_chroma.storage.tree import INDEX_FILE, ROWS_FILE

_ROW: Final = np.dtype("<u4")
_HEAD, _TAIL = b"[\n", b"\n]\n"
_PROBE: Final = 2_048
_SMALL: Final = 16_384
"""Bytes that are read and parsed at once: a hundred lines, half a millisecond."""


class IndexedReceipt(NamedTuple):
    """What a base has of a receipt, and where it begins in `vector_rows.bin`, counted in records."""

    content: ReceiptContent
    first: int


def write_index(folder: Path, contents: Iterable[ReceiptContent], row_of: Mapping[str, int]) -> None:
    """Write both files into a closed directory. row_of: of every record, its row in the HNSW file."""
    (folder / INDEX_FILE).write_bytes(encode_index(contents))
    (folder / ROWS_FILE).write_bytes(encode_rows(row_of))


def encode_index(contents: Iterable[ReceiptContent]) -> bytes:
    """The bytes of `receipts.json`; receipts without records are left out."""
    lines, first = [], 0
    for one in sorted(contents, key=lambda one: one.key):
        if one.records:
            lines.append(json.dumps([one.key, first, one.records, one.digest]))
            first += one.records
    return _HEAD + ",\n".join(lines).encode() + _TAIL


def encode_rows(row_of: Mapping[str, int]) -> bytes:
    """The bytes of `vector_rows.bin`."""
    ids = sorted(row_of, key=lambda record_id: (receipt_key_of(record_id), record_id))
    return np.array([row_of[record_id] for record_id in ids], _ROW).tobytes()


def read_index(content: bytes) -> dict[str, ReceiptContent]:
    """The receipts of `receipts.json`, by key, in order. Raises ShardInvalid("receipts")."""
    try:
        found = {key: ReceiptContent(key, records, digest) for key, _, records, digest in json.loads(content)}
        if encode_index(found.values()) == content:
            return found
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ShardInvalid("receipts", f"{INDEX_FILE} cannot be read: {error}") from error
    raise ShardInvalid("receipts", f"{INDEX_FILE} is not in order, or names a receipt twice")


def find_receipt(folder: Path, key: str) -> IndexedReceipt | None:
    """The line of one receipt, None where there is none: the logarithm of the file is read, and proves nothing else.

    Raises ShardInvalid("receipts") for lines that cannot be read, OSError.
    """
    with (folder / INDEX_FILE).open("rb", buffering=0) as file:
        low, high = len(_HEAD), fstat(file.fileno()).st_size - len(_TAIL)
        while high - low > _SMALL:
            middle = (low + high) // 2
            start, line = _line_after(file, middle)
            if not middle < start < high:
                break  # longer lines than were ever written: look at all that is left
            found = _parse(line)
            if found.content.key == key:
                return found
            low, high = (start, high) if found.content.key < key else (low, start)
        return next((one for one in _lines(_read(file, low, high - low)) if one.content.key == key), None)


def read_rows(folder: Path, first: int, count: int) -> NDArray[np.uint32]:
    """The rows of `count` records from `first` on. Raises ShardInvalid("receipts") when the file ends before."""
    with (folder / ROWS_FILE).open("rb") as file:
        file.seek(first * _ROW.itemsize)
        content = file.read(count * _ROW.itemsize)
    if len(content) != count * _ROW.itemsize:
        raise ShardInvalid("receipts", f"{ROWS_FILE} ends before record {first + count}")
    return np.frombuffer(content, _ROW)


def _line_after(file: IO[bytes], place: int) -> tuple[int, bytes]:
    """The first whole line that begins after a place of the file, and where; (0, b"") when it is not near."""
    before, _, rest = _read(file, place, _PROBE).partition(b"\n")
    line, newline, _ = rest.partition(b"\n")
    return (place + len(before) + 1, line) if newline else (0, b"")


def _lines(content: bytes) -> Iterator[IndexedReceipt]:
    return (_parse(line) for line in content.split(b"\n") if line)


def _parse(line: bytes) -> IndexedReceipt:
    try:
        key, first, records, digest = json.loads(line.removesuffix(b","))
        if not (isinstance(key, str) and isinstance(digest, str)) or type(first) is not int or type(records) is not int:
            raise TypeError(f"{line[:80]!r} is not [key, first, records, digest]")
        int(digest, 16)
        return IndexedReceipt(ReceiptContent(key, records, digest), first)
    except (ValueError, TypeError, RecursionError) as error:
        raise ShardInvalid("receipts", f"{INDEX_FILE} cannot be read: {error}") from error


def _read(file: IO[bytes], place: int, count: int) -> bytes:
    return _pread(file.fileno(), max(0, count), place)
