"""The vectors of a stranger's HNSW index: the flat part of its files, read as numbers, once it agrees with itself.

Links, levels and the entry point are never followed, so whatever they say costs nothing.
"""

import struct
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from receipt_chroma.delta.bounds import MAX_DIMENSION, OF_A_DELTA, Bounds
from receipt_chroma.delta.plain_pickle import read_plain_pickle
from receipt_chroma.errors import DeltaCorrupt, DeltaTooLarge, ShardInvalid
from receipt_chroma.shard.hnsw_files import (
    DATA_FILE,
    HEADER_FILE,
    LENGTH_FILE,
    LINKS_FILE,
    PICKLE_FILE,
    Header,
    element_layout,
    held_links,
    parse_header,
)

_LENGTH_BYTES: Final = 4
_MAX_ELEMENT_BYTES: Final = 4 * MAX_DIMENSION + (64 << 10)
"""A vector, and links to some thousand others."""


class Index:
    """What the index files have: the vector of each id, and up to which entry of the queue (None: the table says)."""

    def __init__(self, vectors: dict[str, NDArray[np.float32]], read_to: int | None) -> None:
        self.vectors = vectors
        self.read_to = read_to


def read_index(
    files: Mapping[str, bytes | memoryview], folder: str, dimension: int | None, bounds: Bounds = OF_A_DELTA
) -> Index:
    """The index in a folder of the delta; an empty one before its first flush. Raises DeltaCorrupt, DeltaTooLarge.

    The vectors are views into the files' bytes.
    """
    header_content, pickle = files.get(f"{folder}/{HEADER_FILE}"), files.get(f"{folder}/{PICKLE_FILE}")
    if header_content is None and pickle is None:
        return Index({}, None)
    try:
        header = parse_header(bytes(header_content or b""))
    except ShardInvalid as error:
        raise DeltaCorrupt(f"the directory's index cannot be read: {error}") from error
    if header.capacity > bounds.capacity or header.element_size > _MAX_ELEMENT_BYTES:
        raise DeltaTooLarge(
            f"the directory's index says to have room for {header.capacity} elements of {header.element_size} bytes;"
            f" {bounds.capacity} of {_MAX_ELEMENT_BYTES} is the most"
        )
    data = _data(files, folder, header, flushed=pickle is not None)
    if pickle is None:
        return Index({}, None)
    state = read_plain_pickle(bytes(pickle), bounds.pickle_bytes)
    labels = _labels(state)
    if labels and dimension != header.dimension:
        raise DeltaCorrupt(f"the directory's collection has {dimension} dimensions, its index {header.dimension}")
    return Index(_vectors(labels, data), _read_to(state))


def _data(files: Mapping[str, bytes | memoryview], folder: str, header: Header, *, flushed: bool) -> NDArray[Any]:
    for name, unit in ((DATA_FILE, header.element_size), (LENGTH_FILE, _LENGTH_BYTES)):
        rows, rest = divmod(len(files.get(f"{folder}/{name}", b"")), unit)
        # Other releases of chromadb wrote room for any number of elements up to the capacity.
        if rest or not header.elements <= rows <= header.capacity:
            raise DeltaCorrupt(f"the directory's {name} does not hold {header.elements} elements of {unit} bytes")
    if flushed and held_links(files.get(f"{folder}/{LINKS_FILE}")) != header.elements:
        raise DeltaCorrupt(f"the directory's {LINKS_FILE} does not hold the links of {header.elements} elements")
    return np.frombuffer(files[f"{folder}/{DATA_FILE}"], element_layout(header), count=header.elements)


def _labels(state: Any) -> dict[str, int]:
    """Record id → label. Raises DeltaCorrupt unless each has one of its own."""
    labels = state.get("id_to_label") if isinstance(state, dict) else None
    names = state.get("label_to_id") if isinstance(state, dict) else None
    if not isinstance(labels, dict) or not isinstance(names, dict):
        raise DeltaCorrupt("the directory's index has a pickle that maps no ids to labels")
    if any(type(one) is not str or type(label) is not int for one, label in labels.items()):
        raise DeltaCorrupt("the directory's index has a pickle whose ids are no texts, or whose labels are no numbers")
    if len(labels) != len(names) or any(names.get(label) != one for one, label in labels.items()):
        raise DeltaCorrupt("the directory's index has a pickle that does not map ids to labels and back")
    return labels


def _vectors(labels: Mapping[str, int], data: NDArray[Any]) -> dict[str, NDArray[np.float32]]:
    rows = np.flatnonzero((data["flags"] & 1) == 0)
    row_of = dict(zip(data["label"][rows].tolist(), rows.tolist(), strict=True))
    if len(row_of) != len(rows):
        raise DeltaCorrupt("the directory's index has two elements with one label")
    if row_of.keys() != set(labels.values()):
        raise DeltaCorrupt(
            f"the directory's index has {len(row_of)} elements, its pickle names {len(labels)}, not the same"
        )
    vectors = data["vector"]
    return {record_id: vectors[row_of[label]] for record_id, label in labels.items()}


def _read_to(state: Mapping[str, Any]) -> int | None:
    read_to = state.get("max_seq_id")
    if read_to is not None and type(read_to) is not int:
        raise DeltaCorrupt("the directory's index has a pickle whose max_seq_id is no number")
    return read_to


def queued_vector(content: object, encoding: object, dimension: int | None) -> NDArray[np.float32]:
    """A vector as the queue has it. Raises DeltaCorrupt."""
    if not isinstance(content, bytes) or encoding not in ("FLOAT32", "INT32") or len(content) % 4:
        raise DeltaCorrupt(f"the directory's queue has a vector that is no FLOAT32, but {str(encoding)[:40]!r}")
    if dimension is not None and len(content) != 4 * dimension:
        raise DeltaCorrupt(
            f"the directory's collection has {dimension} dimensions, its queue a vector of {len(content) // 4}"
        )
    if encoding == "INT32":
        return np.array(struct.unpack(f"<{len(content) // 4}i", content), np.float32)
    return np.frombuffer(content, "<f4")
