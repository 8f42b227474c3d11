"""The checks of a shard's directory, each with the name that ShardInvalid carries.

| Name | What was wrong |
|---|---|
| sqlite_damaged | no database, PRAGMA quick_check finds damage, or segments are missing |
| collection_name | another collection, or several |
| index_missing, index_header, index_size, index_pickle | an HNSW file is absent, cut off, or contradicts another |
| queue | vectors or metadata are still queued |
| labels | SQLite, the pickle and the HNSW elements do not name the same records |
| vector | a vector that is zero or not finite |
| space, dimension | not l2, or not the collection's dimension |
| records, tombstones | another number than the report says |
| foreign | an id that is malformed, or that is routed to another shard |
| receipts | the index does not say what the shard has of its receipts, and where their vectors are |
| unreadable | chromadb cannot read a record that is there |
| digest | the records are not those that the report's content digest stands for |
| self_query | a record is not found by its own vector |
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Self

import numpy as np
from receipt_dynamo_stream.errors import KeyMalformed
from receipt_dynamo_stream.grain import grain_of
from receipt_dynamo_stream.invariants import rows_conserved, violation_as
from receipt_dynamo_stream.keys import ReceiptId, parse_record_id
from receipt_dynamo_stream.round.report import StagedShard
from receipt_dynamo_stream.sharding import shard_of

from receipt_chroma.digests import add_digests
from receipt_chroma.errors import ChromaUnreadable, DeltaMetadataInvalid, ShardInvalid
from receipt_chroma.records import Record, Vector, record_hash, vector_bytes
from receipt_chroma.shard.chroma_dir import SPACE, ChromaDir
from receipt_chroma.shard.closed_shard import receipt_key_of
from receipt_chroma.shard.hnsw_files import (
    Elements,
    check_sizes,
    read_elements,
    read_header,
    read_labels,
    rows_by_id,
    vectors_by_id,
)
from receipt_chroma.shard.index import encode_rows, read_index
from receipt_chroma.shard.sqlite_files import SqliteFacts, Text, check_sqlite, read_sqlite, read_texts
from receipt_chroma.storage.tree import INDEX_FILE, RECEIPTS_FILE, ROWS_FILE

CONTENT_CHECKS: Final = (
    *("sqlite_damaged", "collection_name", "index_missing", "index_header", "index_size", "index_pickle", "queue"),
    *("labels", "vector", "space", "dimension", "records", "tombstones", "foreign", "receipts"),
    *("unreadable", "digest", "self_query"),
)

SAMPLE: Final = 64
"""Records that are looked up by their own vector; and that are read, where not all of them are."""

CHROMADB_READ_RECORDS: Final = 5_000
"""Up to this size every record is read through chromadb. Above, the sample is, and must be what SQLite and the index
have, from which then all records are read: that takes a third of the time."""

_VECTORS_AT_ONCE: Final = 1_024
_SELF_QUERY_RESULTS: Final = 10
_MISSES_ONE_IN: Final = 16


@dataclass(frozen=True)
class Expected:
    """What a shard's directory must be."""

    collection: str
    shard: int
    shards: int
    records: int
    tombstones: int
    digest: str
    dimension: int | None

    @classmethod
    def of(cls, staged: StagedShard, collection: str, shard: int, shards: int) -> Self:
        """What a staged directory says that it is, as one of `shards` shards."""
        said = (staged.records, staged.tombstones, staged.digest, staged.dimension)
        return cls(collection, shard, shards, *said)


def check_directory(folder: Path, expected: Expected, *, full: bool) -> None:
    """Prove a private copy of a shard; with `full` every record is read and the content digest recomputed.

    Accepts a directory without an index when it has no records. Raises ShardInvalid.
    """
    check_sqlite(folder)
    facts = read_sqlite(folder, expected.collection)
    vectors = _check_index(folder, facts, expected)
    _check_ids(folder, facts, expected)
    try:
        with ChromaDir.open(folder, expected.collection) as directory:
            few = len(vectors) <= CHROMADB_READ_RECORDS
            texts = directory.texts(sorted(vectors)) if few else read_texts(folder, facts)
            hashes = _check_records(directory, vectors, expected, texts if full else None)
            if (folder / INDEX_FILE).is_file():
                _check_rows(folder, facts)
                if full:
                    _check_index_digests(folder, hashes)
    except (ChromaUnreadable, DeltaMetadataInvalid) as error:
        raise ShardInvalid("unreadable", str(error)) from error


def _check_index(folder: Path, facts: SqliteFacts, expected: Expected) -> dict[str, Vector]:
    """Prove the HNSW files against SQLite; returns the vector of each record as they have it."""
    segment = folder / facts.vector_segment
    if facts.newest_queued > min(facts.vectors_read_to, facts.metadata_read_to):
        raise ShardInvalid(
            "queue",
            f"the queue goes to {facts.newest_queued}, the vectors were read to {facts.vectors_read_to},"
            f" the metadata to {facts.metadata_read_to}",
        )
    if not segment.is_dir():
        if facts.ids or expected.tombstones:
            raise ShardInvalid("index_missing", f"{len(facts.ids)} records and no index")
        return {}
    header = read_header(segment)
    check_sizes(segment, header)
    labels, elements = read_labels(segment), read_elements(segment, header)
    if sorted(labels.values()) != sorted(elements.labels.tolist()):
        raise ShardInvalid(
            "labels", f"the index has {len(elements.labels)} live elements, its pickle {len(labels)} others"
        )
    if facts.foreign_rows or sorted(facts.ids) != sorted(labels):
        raise ShardInvalid(
            "labels", f"SQLite has {len(facts.ids)} records, the pickle {len(labels)}, not the same ones"
        )
    if elements.deleted != expected.tombstones:
        raise ShardInvalid("tombstones", f"{elements.deleted} deleted elements, the report says {expected.tombstones}")
    if header.dimension != expected.dimension or facts.dimension != expected.dimension:
        raise ShardInvalid(
            "dimension", f"index {header.dimension}, SQLite {facts.dimension}, the report says {expected.dimension}"
        )
    _check_vectors(elements)
    return vectors_by_id(labels, elements)


def _check_vectors(elements: Elements) -> None:
    bad = 0
    for start in range(0, len(elements.rows), _VECTORS_AT_ONCE):
        vectors = elements.vectors[elements.rows[start : start + _VECTORS_AT_ONCE]]
        bad += int(np.count_nonzero(~(np.isfinite(vectors).all(axis=1) & vectors.any(axis=1))))
    if bad:
        raise ShardInvalid("vector", f"{bad} vectors are zero or not finite")


def _check_ids(folder: Path, facts: SqliteFacts, expected: Expected) -> None:
    if len(facts.ids) != expected.records:
        raise ShardInvalid("records", f"{len(facts.ids)} records, the report says {expected.records}")
    homes: dict[ReceiptId, int] = {}
    grain = grain_of(expected.collection)
    for record_id in facts.ids:
        try:
            parsed = parse_record_id(record_id)
        except KeyMalformed as error:
            raise ShardInvalid("foreign", str(error)) from error
        receipt = parsed.receipt
        if receipt not in homes:
            homes[receipt] = shard_of(receipt.image_id, receipt.receipt_id, expected.shards)
        if homes[receipt] != expected.shard or parsed.grain != grain:
            raise ShardInvalid(
                "foreign", f"{record_id} belongs to shard {homes[receipt]} of its collection, not {expected.shard}"
            )
    _check_receipts(folder, facts.ids)


def _check_receipts(folder: Path, ids: Iterable[str]) -> None:
    """Prove what is beside the database: the index's counts here, its digests and rows when all records are read."""
    counts = Counter(map(receipt_key_of, ids))
    if (folder / RECEIPTS_FILE).is_file() and not (folder / INDEX_FILE).is_file():  # of schema version 1
        names = "".join(f"{key}\n" for key in sorted(counts))
        if (folder / RECEIPTS_FILE).read_bytes() != names.encode():
            raise ShardInvalid("receipts", f"{RECEIPTS_FILE} does not name the receipts of the shard's records")
        return
    if not (folder / INDEX_FILE).is_file() or not (folder / ROWS_FILE).is_file():
        raise ShardInvalid("receipts", f"{INDEX_FILE} or {ROWS_FILE} is not there")
    index = read_index((folder / INDEX_FILE).read_bytes())
    if {key: one.records for key, one in index.items()} != counts:
        raise ShardInvalid("receipts", f"{INDEX_FILE} does not name the receipts of the shard's records")


def _check_records(
    directory: ChromaDir, vectors: Mapping[str, Vector], expected: Expected, texts: Iterable[Text] | None
) -> Mapping[str, int]:
    """Returns the hash of each record that was read."""
    if directory.space != SPACE:
        raise ShardInvalid("space", f"the collection measures in {directory.space}, not {SPACE}")
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="self-query") as pool:
        # chromadb loads the index and searches it outside the interpreter's lock: beside it the records are hashed.
        sampling = pool.submit(lambda: list(directory.records(_spread(sorted(vectors), SAMPLE))))
        searching = pool.submit(lambda: _self_query(directory, sampling.result()))
        hashes = _hashes(texts or (), vectors)
        _check_sample(sampling.result(), vectors)
        if texts is not None:
            _check_digest(hashes, sampling.result(), vectors, expected)
        searching.result()
        return hashes


def _check_rows(folder: Path, facts: SqliteFacts) -> None:
    segment = folder / facts.vector_segment
    rows = rows_by_id(read_labels(segment), read_elements(segment, read_header(segment))) if segment.is_dir() else {}
    if (folder / ROWS_FILE).read_bytes() != encode_rows(rows):
        raise ShardInvalid("receipts", f"{ROWS_FILE} is not where the vectors of the records are")


def _check_index_digests(folder: Path, hashes: Mapping[str, int]) -> None:
    of_receipt: dict[str, list[int]] = defaultdict(list)
    for record_id, one in hashes.items():
        of_receipt[receipt_key_of(record_id)].append(one)
    for key, content in read_index((folder / INDEX_FILE).read_bytes()).items():
        if add_digests(*of_receipt[key]) != content.digest:
            raise ShardInvalid("receipts", f"the records of {key} are not those that {INDEX_FILE} stands for")


def _check_sample(sample: Sequence[Record], vectors: Mapping[str, Vector]) -> None:
    wanted = len(_spread(sorted(vectors), SAMPLE))
    if len(sample) != wanted or not all(
        vector_bytes(record.embedding) == vector_bytes(vectors[record.id]) for record in sample
    ):
        raise ShardInvalid("unreadable", "chromadb does not give the sampled records with the vectors of the index")


def _hashes(texts: Iterable[Text], vectors: Mapping[str, Vector]) -> dict[str, int]:
    """The hash of every record; the vectors are those of the index, where they are read faster."""
    return {
        record_id: record_hash(Record(record_id, vectors[record_id], document, metadata))
        for record_id, document, metadata in texts
    }


def _check_digest(
    hashes: Mapping[str, int], sample: Sequence[Record], vectors: Mapping[str, Vector], expected: Expected
) -> None:
    for record in sample:
        if hashes.get(record.id) != record_hash(record):
            raise ShardInvalid("unreadable", f"chromadb gives {record.id} otherwise than its files have it")
    if len(hashes) != len(vectors):
        raise ShardInvalid("unreadable", f"{len(hashes)} of {len(vectors)} records could be read")
    digest = add_digests(*hashes.values())
    with violation_as(partial(ShardInvalid, "digest")):
        rows_conserved(f"the digest of shard {expected.shard}", wanted=expected.digest, found=digest)


def _self_query(directory: ChromaDir, sample: list[Record]) -> None:
    """Look records up by their own vector: the graph of the index leads to them.

    The index is approximate, so one in 16 may be missed (none below 16 records, where every element knows every other).
    Records with equal vectors may hide each other, so a bit-identical neighbour will do.
    """
    if not sample:
        return
    vectors = np.array([record.embedding for record in sample], dtype=np.float32)
    found = directory.query(vectors, _SELF_QUERY_RESULTS)
    missed = [
        record.id
        for record, near in zip(sample, found, strict=True)
        if record.id not in near and not _has_equal(directory, record, near)
    ]
    if len(missed) > len(sample) // _MISSES_ONE_IN:
        raise ShardInvalid("self_query", f"{len(missed)} of {len(sample)} records, {missed[0]} first, are not found")


def _has_equal(directory: ChromaDir, record: Record, ids: Sequence[str]) -> bool:
    return any(record.same_vector(other) for other in directory.records(ids))


def _spread(items: list[str], count: int) -> list[str]:
    """At most `count` items, evenly spread, in order."""
    step = max(1, -(-len(items) // count))
    return items[::step]
