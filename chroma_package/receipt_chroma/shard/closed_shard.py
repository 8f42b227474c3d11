"""A closed shard directory, read from its files alone.

chromadb would load the whole index to give a few rows or to name the ids, and takes ten times as long for the rows of a
small change. The files are those of a published shard: closed, flushed, proved by validation and, in the private copy,
by the manifest's sha256.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from receipt_chroma.errors import ShardInvalid
from receipt_chroma.records import Record, Vector
from receipt_chroma.shard.hnsw_files import check_sizes, read_elements, read_header, read_labels, vectors_by_id
from receipt_chroma.shard.sqlite_files import read_sqlite, read_texts


class ClosedShard:
    """The records of a private directory that nothing writes to while they are read."""

    def __init__(self, folder: Path, collection: str) -> None:
        self._folder = folder
        self._facts = read_sqlite(folder, collection)
        self.ids: dict[str, list[str]] = defaultdict(list)
        for record_id in self._facts.ids:
            self.ids[receipt_key_of(record_id)].append(record_id)

    def records(self, ids: Sequence[str]) -> Iterator[Record]:
        """These records, with vectors of their own; ids that are not there are left out. Raises ShardInvalid."""
        for record_id, document, metadata in read_texts(self._folder, self._facts, ids):
            if record_id not in self._vectors:
                raise ShardInvalid("labels", f"the index has no vector of {record_id}")
            yield Record(record_id, np.array(self._vectors[record_id], dtype=np.float32), document, metadata)

    @cached_property
    def _vectors(self) -> dict[str, Vector]:
        segment = self._folder / self._facts.vector_segment
        header = read_header(segment)
        check_sizes(segment, header)
        return vectors_by_id(read_labels(segment), read_elements(segment, header))


def receipt_key_of(record_id: str) -> str:
    """The receipt key that a record id begins with."""
    return "#".join(record_id.split("#", 4)[:4])
