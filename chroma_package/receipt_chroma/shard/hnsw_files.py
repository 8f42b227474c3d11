"""The HNSW files of a Chroma segment, read without chromadb.

Chroma's fork of hnswlib writes `header.bin` as one packed little-endian struct (verified against chromadb 1.5.9):

    int32 format version = 1, u64 offset of level 0, u64 capacity, u64 elements, u64 bytes per element,
    u64 label offset, u64 vector offset, int32 top level, u32 entry point, u64 M (upper), u64 M (level 0), u64 M,
    f64 level multiplier, u64 ef_construction

`data_level0.bin` holds one fixed-size element after another: links (bit 0 of byte 2 marks a deleted element), the
vector as float32, the label as u64. It has room for `elements` or for `capacity` of them. `length.bin` has 4 bytes
for each (their content is not defined), `link_lists.bin` a u32 byte count and that many bytes per element.
`index_metadata.pickle` maps record ids to labels; it is written with every flush, and absent before the first.
"""

import io
import pickle
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from receipt_chroma.errors import ShardInvalid
from receipt_chroma.storage.files import file_size

HEADER_FILE: Final = "header.bin"
DATA_FILE: Final = "data_level0.bin"
LENGTH_FILE: Final = "length.bin"
LINKS_FILE: Final = "link_lists.bin"
PICKLE_FILE: Final = "index_metadata.pickle"
INDEX_FILES: Final = (DATA_FILE, HEADER_FILE, PICKLE_FILE, LENGTH_FILE, LINKS_FILE)

_HEADER = struct.Struct("<iQQQQQQiIQQQdQ")
_LABEL_BYTES: Final = 8
_DELETED_BYTE: Final = 2
_BLOCK: Final = 1 << 20


@dataclass(frozen=True)
class Header:
    """What header.bin says; sizes and offsets in bytes."""

    capacity: int
    elements: int
    element_size: int
    label_offset: int
    vector_offset: int

    @property
    def dimension(self) -> int:
        """Floats per vector."""
        return (self.label_offset - self.vector_offset) // 4


@dataclass(frozen=True)
class Elements:
    """What data_level0.bin holds: all vectors, read from the file where they are used, and which elements are live.

    vectors has one row per element; rows are the numbers of those that are not deleted, labels are theirs.
    """

    vectors: NDArray[np.float32]
    rows: NDArray[np.int64]
    labels: NDArray[np.uint64]

    @property
    def deleted(self) -> int:
        """How many elements are tombstones."""
        return len(self.vectors) - len(self.rows)


def read_header(segment: Path) -> Header:
    """The segment's header. Raises ShardInvalid("index_header") when it is not that of an index."""
    try:
        content = (segment / HEADER_FILE).read_bytes()
    except FileNotFoundError as error:
        raise ShardInvalid("index_header", f"{segment.name} has no {HEADER_FILE}") from error
    return parse_header(content)


def parse_header(content: bytes) -> Header:
    """What the bytes of a header.bin say. Raises ShardInvalid("index_header")."""
    if len(content) != _HEADER.size:
        raise ShardInvalid("index_header", f"{HEADER_FILE} has {len(content)} bytes, not {_HEADER.size}")
    version, level0, capacity, elements, size, label_offset, vector_offset, *_ = _HEADER.unpack(content)
    header = Header(capacity, elements, size, label_offset, vector_offset)
    consistent = (
        version == 1
        and level0 == 0
        and elements <= capacity
        and 0 < vector_offset <= label_offset
        and label_offset + _LABEL_BYTES == size
        and (label_offset - vector_offset) % 4 == 0
    )
    if not consistent:
        raise ShardInvalid("index_header", f"{HEADER_FILE} contradicts itself: {header}")
    return header


def check_sizes(segment: Path, header: Header, *, padded: bool = False) -> None:
    """Raise ShardInvalid("index_size") unless every index file has the size that the header says.

    With `padded` there may be room for any number of elements up to the capacity: other releases of chromadb wrote so.
    """
    for name, unit in ((DATA_FILE, header.element_size), (LENGTH_FILE, 4)):
        size = file_size(segment / name)
        rows, rest = divmod(size if size is not None else -1, unit)
        fits = header.elements <= rows <= header.capacity if padded else rows in (header.elements, header.capacity)
        if rest or not fits:
            raise ShardInvalid(
                "index_size", f"{name} has {size} bytes, not {unit} for each of {header.elements} or {header.capacity}"
            )
    if (segment / PICKLE_FILE).exists():  # before the first flush the links are not written
        _check_links(segment, header)


def clear_unused(segment: Path) -> None:
    """Zero what a closed index has beside its elements: hnswlib writes all that it allocated, and never filled this.

    Whatever the process had in that memory before would be published with it: vectors of a deleted receipt too.
    A file that is clear is not written: what nobody has written since it was staged is not staged again.
    Raises ShardInvalid("index_header").
    """
    header = read_header(segment)
    for name, used in ((DATA_FILE, header.elements * header.element_size), (LENGTH_FILE, 0)):
        with (segment / name).open("r+b") as file:
            size = file.seek(0, io.SEEK_END)
            if used < size and not _is_clear(file, used):
                file.truncate(used)
                file.truncate(size)  # what is added by that reads as zeros


def _is_clear(file: BinaryIO, begin: int) -> bool:
    file.seek(begin)
    return all(block.count(0) == len(block) for block in iter(partial(file.read, _BLOCK), b""))


def read_elements(segment: Path, header: Header) -> Elements:
    """The elements of an index; sizes were checked before. The file must stay as it is while the vectors are in use."""
    elements = np.memmap(segment / DATA_FILE, element_layout(header), "r", shape=(header.elements,))
    rows = np.flatnonzero((elements["flags"] & 1) == 0)
    return Elements(elements["vector"], rows, elements["label"][rows])


def element_layout(header: Header) -> np.dtype[Any]:
    """One element of data_level0.bin, as numpy reads it: flags, vector, label."""
    return np.dtype(
        {
            "names": ["flags", "vector", "label"],
            "formats": ["u1", ("<f4", (header.dimension,)), "<u8"],
            "offsets": [_DELETED_BYTE, header.vector_offset, header.label_offset],
            "itemsize": header.element_size,
        }
    )


def vectors_by_id(labels: Mapping[str, int], elements: Elements) -> dict[str, NDArray[np.float32]]:
    """The vector of each record, a view into the file; labels without a live element are left out."""
    vectors = np.asarray(elements.vectors)  # a memmap makes every row another memmap
    return {record_id: vectors[row] for record_id, row in rows_by_id(labels, elements).items()}


def rows_by_id(labels: Mapping[str, int], elements: Elements) -> dict[str, int]:
    """The row of each record's element; labels without a live element are left out."""
    row_of = dict(zip(elements.labels.tolist(), elements.rows.tolist(), strict=True))
    return {record_id: row_of[label] for record_id, label in labels.items() if label in row_of}


def read_labels(segment: Path) -> dict[str, int]:
    """Record id → label, as the segment's pickle says. Raises ShardInvalid("index_pickle")."""
    try:
        content = _PlainUnpickler(io.BytesIO((segment / PICKLE_FILE).read_bytes())).load()
    except FileNotFoundError as error:
        raise ShardInvalid(
            "index_pickle", f"{segment.name} has no {PICKLE_FILE}: its vectors were never flushed"
        ) from error
    except (pickle.UnpicklingError, EOFError, ValueError, IndexError, KeyError, TypeError, AttributeError) as error:
        raise ShardInvalid("index_pickle", f"{PICKLE_FILE} cannot be read: {error}") from error
    labels = content.get("id_to_label") if isinstance(content, dict) else None
    names = content.get("label_to_id") if isinstance(content, dict) else None
    if not isinstance(labels, dict) or not isinstance(names, dict) or {v: k for k, v in labels.items()} != names:
        raise ShardInvalid("index_pickle", f"{PICKLE_FILE} does not map ids to labels and back")
    return labels


class _PlainUnpickler(pickle.Unpickler):
    """Reads dicts, strings and numbers only: a pickle may otherwise run anything."""

    def find_class(self, module_name: str, global_name: str) -> Any:
        raise pickle.UnpicklingError(f"it names {module_name}.{global_name}")


def _check_links(segment: Path, header: Header) -> None:
    path = segment / LINKS_FILE
    if held_links(path.read_bytes() if path.exists() else None) != header.elements:
        raise ShardInvalid("index_size", f"{LINKS_FILE} does not hold the links of {header.elements} elements")


def held_links(content: bytes | memoryview | None) -> int | None:
    """Of how many elements a link_lists.bin has the links; None when it is not there, or does not end with one."""
    position, elements = 0, 0
    while content is not None and position + 4 <= len(content):
        position += 4 + int.from_bytes(content[position : position + 4], "little")
        elements += 1
    return elements if content is not None and position == len(content) else None
