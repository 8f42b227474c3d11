"""What is left of a deleted receipt: its bytes, looked for in whatever a file or an object holds.

Nothing is asked of an index or a table: a tombstone of HNSW, an unused page of SQLite and a forgotten copy have no
entry anywhere. A file is searched as it is, and what gzip, zstd or Arrow packed is searched unpacked too. Memory: one
chunk, or one buffer of Arrow.
"""

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import numpy as np
from receipt_dynamo_stream.keys import ReceiptId

from receipt_chroma.records import Vector

if TYPE_CHECKING:
    import pyarrow as pa

ID: Final = "id"
VECTOR: Final = "vector"

CHUNK: Final = 16 << 20
_PIECE: Final = 32
"""Bytes of a vector that are looked for, at its beginning, middle and end: SQLite splits a long value over pages."""
_LEAST_PADDED: Final = 10_000
"""A smaller number is padded: no longer one begins with it."""
_GZIP, _ZSTD, _ARROW_FILE, _ARROW_STREAM = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"ARROW1", b"\xff\xff\xff\xff"


@dataclass(frozen=True)
class Found:
    """What of a receipt some bytes hold. ids: its key is there. vectors: which of the vectors, by their numbers.
    unread: why a packed part was searched only as it lies."""

    ids: bool = False
    vectors: frozenset[int] = frozenset()
    unread: str | None = None

    def __bool__(self) -> bool:
        return self.ids or bool(self.vectors) or self.unread is not None

    def __or__(self, other: "Found") -> "Found":
        return Found(self.ids or other.ids, self.vectors | other.vectors, self.unread or other.unread)


@dataclass(frozen=True)
class Sought:
    """What is looked for: the receipt's key, in UTF-8 and as JSON escapes it, and the bits of its vectors.

    shared: pieces of them that others have too, as sparse vectors do; they tell nothing.
    """

    receipt: ReceiptId
    vectors: tuple[Vector, ...] = field(default=(), repr=False)
    shared: frozenset[bytes] = field(default=frozenset(), repr=False)

    @property
    def told_apart(self) -> int:
        """How many of the vectors have a piece that is nobody else's."""
        return len({number for numbers in self._pieces.values() for number in numbers})

    def pieces_in(self, content: bytes) -> frozenset[bytes]:
        """The pieces that plain bytes hold: those of somebody else are `shared`."""
        return frozenset(piece for piece, _ in self._found_in(content))

    def in_file(self, path: Path) -> Found:
        """What a file holds, packed or not. Raises OSError."""
        with path.open("rb") as file:
            head = file.read(8)
            file.seek(0)
            found = self.in_stream(file)
        try:
            for part in _unpacked(path, head):
                found |= self.in_bytes(part)
        except _damaged() as error:
            found |= Found(unread=f"it cannot be unpacked: {type(error).__name__}: {error}")
        return found

    def in_stream(self, stream: BinaryIO) -> Found:
        """What a stream of plain bytes holds."""
        found = Found()
        for chunk in _chunks(stream, self._longest):
            found |= self.in_bytes(chunk)
        return found

    def in_bytes(self, content: bytes) -> Found:
        """What plain bytes hold."""
        return Found(any(self._has(content, name) for name in self._names), frozenset(self._vectors_in(content)))

    @cached_property
    def _names(self) -> frozenset[bytes]:
        key = self.receipt.key
        escaped = (json.dumps(key, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False))
        return frozenset(name.encode() for name in (key, *escaped))

    @cached_property
    def _longest(self) -> int:
        return max(_PIECE, *map(len, self._names)) + 1

    @cached_property
    def _pieces(self) -> dict[bytes, frozenset[int]]:
        """Which vectors have these bytes; zeros are anybody's."""
        pieces: dict[bytes, set[int]] = {}
        for number, vector in enumerate(self.vectors):
            bits = np.ascontiguousarray(vector, "<f4").tobytes()
            for start in (0, (len(bits) - _PIECE) // 8 * 4, len(bits) - _PIECE):
                piece = bits[max(0, start) : max(0, start) + _PIECE]
                if any(piece) and piece not in self.shared:
                    pieces.setdefault(piece, set()).add(number)
        return {piece: frozenset(numbers) for piece, numbers in pieces.items()}

    @cached_property
    def _beginnings(self) -> "np.ndarray[Any, np.dtype[np.uint64]]":
        return np.array([int.from_bytes(piece[:8], "little") for piece in self._pieces], np.uint64)

    def _has(self, content: bytes, name: bytes) -> bool:
        at = content.find(name)
        while at >= 0:
            after = content[at + len(name) : at + len(name) + 1]
            if self.receipt.receipt_id < _LEAST_PADDED or not after.isdigit():
                return True
            at = content.find(name, at + 1)
        return False

    def _vectors_in(self, content: bytes) -> Iterator[int]:
        for _, numbers in self._found_in(content):
            yield from numbers

    def _found_in(self, content: bytes) -> Iterator[tuple[bytes, frozenset[int]]]:
        """By the first eight bytes of every piece, at each of the eight places where they may lie."""
        if not self._pieces:
            return
        known = np.zeros(1 << 16, bool)
        known[self._beginnings & np.uint64(0xFFFF)] = True
        for shift in range(min(8, len(content))):
            words = np.frombuffer(content, "<u8", (len(content) - shift) // 8, shift)
            near = np.flatnonzero(known[words & np.uint64(0xFFFF)])
            for place in near[np.isin(words[near], self._beginnings)]:
                at = shift + 8 * int(place)
                for piece, numbers in self._pieces.items():
                    if content.startswith(piece, at):
                        yield piece, numbers


def _chunks(stream: BinaryIO, overlap: int) -> Iterator[bytes]:
    """The stream in chunks, each with the end of the one before: what is looked for may lie across."""
    before = b""
    while chunk := stream.read(CHUNK):
        yield before + chunk
        before = (before + chunk)[-overlap:]


def _unpacked(path: Path, head: bytes) -> Iterator[bytes]:
    """What is packed in a file, in chunks; nothing where nothing is."""
    if head.startswith(_GZIP):
        with gzip.open(path) as packed:
            yield from _chunks(packed, 1 << 12)  # type: ignore[arg-type]  # a gzip file reads as any other
    elif head.startswith(_ZSTD):
        import pyarrow as pa

        with pa.input_stream(str(path), compression="zstd") as packed:
            yield from _chunks(packed, 1 << 12)
    elif head.startswith((_ARROW_FILE, _ARROW_STREAM)):
        import pyarrow as pa

        with pa.memory_map(str(path)) as source:
            for batch in _batches(source, head):
                for column in batch.columns:
                    yield from _buffers(column)


def _batches(source: "pa.NativeFile", head: bytes) -> Iterable["pa.RecordBatch"]:
    import pyarrow as pa

    if head.startswith(_ARROW_STREAM):
        yield from pa.ipc.open_stream(source)
        return
    file = pa.ipc.open_file(source)
    for number in range(file.num_record_batches):
        yield file.get_batch(number)


def _buffers(column: "pa.Array") -> Iterator[bytes]:
    import pyarrow as pa

    yield from (buffer.to_pybytes() for buffer in column.buffers() if buffer is not None)
    if pa.types.is_dictionary(column.type):
        yield from _buffers(column.dictionary)


def _damaged() -> tuple[type[Exception], ...]:
    import pyarrow as pa

    return (gzip.BadGzipFile, zlib.error, EOFError, pa.ArrowException, OSError)
