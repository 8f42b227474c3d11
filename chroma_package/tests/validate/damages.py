"""Every way in which a shard's files are damaged, with the name of the check that finds it."""

import pickle
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import chromadb
import numpy as np
import pytest
from chromadb.config import Settings
from receipt_chroma.shard.hnsw_files import Header, read_header

from ..samples import word
from .good import RECORDS, segment


def sql(shard: Path, *statements: str) -> None:
    with closing(sqlite3.connect(shard / "chroma.sqlite3")) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def cut(name: str, keep: float = 0.5) -> Callable[[Path], None]:
    def damage(shard: Path) -> None:
        (path,) = shard.rglob(name)
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])

    return damage


def drop(name: str) -> Callable[[Path], None]:
    def damage(shard: Path) -> None:
        (path,) = shard.rglob(name)
        path.unlink()

    return damage


def overwrite(name: str, offset: int, content: bytes) -> Callable[[Path], None]:
    def damage(shard: Path) -> None:
        (path,) = shard.rglob(name)
        data = bytearray(path.read_bytes())
        data[offset : offset + len(content)] = content
        path.write_bytes(data)

    return damage


def page_of_nonsense(shard: Path) -> None:
    path = shard / "chroma.sqlite3"
    data = bytearray(path.read_bytes())
    for start in range(4096, len(data), 4096):
        data[start : start + 64] = b"\xa5" * 64
    path.write_bytes(data)


def edit_vectors(change: Callable[[np.ndarray], None]) -> Callable[[Path], None]:
    def damage(shard: Path) -> None:
        header: Header = read_header(segment(shard))
        path = segment(shard) / "data_level0.bin"
        data = np.fromfile(path, np.uint8)
        rows = data[: header.elements * header.element_size].reshape(header.elements, header.element_size)
        vectors = rows[:, header.vector_offset : header.label_offset].copy().view("<f4")
        change(vectors)
        rows[:, header.vector_offset : header.label_offset] = vectors.view(np.uint8)
        data.tofile(path)

    return damage


def swap_two(vectors: np.ndarray) -> None:
    vectors[[0, 1]] = vectors[[1, 0]]


def spoil(value: float) -> Callable[[np.ndarray], None]:
    def change(vectors: np.ndarray) -> None:
        vectors[3] = value

    return change


def edit_pickle(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    def damage(shard: Path) -> None:
        path = segment(shard) / "index_metadata.pickle"
        content = pickle.loads(path.read_bytes())
        change(content)
        path.write_bytes(pickle.dumps(content))

    return damage


def forget_one(content: dict[str, Any]) -> None:
    label = content["id_to_label"].pop(RECORDS[0].id)
    del content["label_to_id"][label]


def exchange_two(content: dict[str, Any]) -> None:
    one, two = RECORDS[0].id, RECORDS[1].id
    labels = content["id_to_label"]
    labels[one], labels[two] = labels[two], labels[one]
    content["label_to_id"] = {label: name for name, label in labels.items()}


def one_way(content: dict[str, Any]) -> None:
    del content["label_to_id"][content["id_to_label"][RECORDS[0].id]]


def mark_one_deleted(shard: Path) -> None:
    header = read_header(segment(shard))
    overwrite("data_level0.bin", header.element_size * 5 + 2, b"\x01")(shard)


def empty_links(shard: Path) -> None:
    header = read_header(segment(shard))
    for element in range(header.elements):
        overwrite("data_level0.bin", header.element_size * element, b"\0\0")(shard)


class Hostile:
    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("a pickle was executed",))


def hostile_pickle(shard: Path) -> None:
    (segment(shard) / "index_metadata.pickle").write_bytes(pickle.dumps(Hostile()))


def two_collections(shard: Path) -> None:
    client = chromadb.PersistentClient(path=str(shard), settings=Settings(anonymized_telemetry=False))
    client.create_collection("more", embedding_function=None)
    client.close()


FILE_DAMAGES: dict[str, tuple[str, Callable[[Path], None]]] = {
    "no database": ("sqlite_damaged", drop("chroma.sqlite3")),
    "a short database": ("sqlite_damaged", cut("chroma.sqlite3")),
    "an empty database": ("sqlite_damaged", cut("chroma.sqlite3", 0)),
    "no database at all in the file": ("sqlite_damaged", overwrite("chroma.sqlite3", 0, b"x" * 100)),
    "pages of nonsense": ("sqlite_damaged", page_of_nonsense),
    "a collection without a segment": (
        "sqlite_damaged",
        lambda shard: sql(shard, "DELETE FROM segments WHERE scope = 'VECTOR'"),
    ),
    "another collection name": ("collection_name", lambda shard: sql(shard, "UPDATE collections SET name = 'other'")),
    "two collections": ("collection_name", two_collections),
    "no index": ("index_missing", lambda shard: shutil.rmtree(segment(shard))),
    "no header": ("index_header", drop("header.bin")),
    "a short header": ("index_header", cut("header.bin")),
    "a header of another format": ("index_header", overwrite("header.bin", 0, b"\x02")),
    "a header with more elements than room": ("index_header", overwrite("header.bin", 20, b"\xff\xff")),
    "a header with other elements": ("index_size", overwrite("header.bin", 20, b"\x10")),
    "no vectors": ("index_size", drop("data_level0.bin")),
    "short vectors": ("index_size", cut("data_level0.bin")),
    "no lengths": ("index_size", drop("length.bin")),
    "short lengths": ("index_size", cut("length.bin")),
    "no links": ("index_size", drop("link_lists.bin")),
    "short links": ("index_size", cut("link_lists.bin")),
    "longer links": ("index_size", lambda shard: overwrite("link_lists.bin", 10**6, b"\0" * 8)(shard)),
    "no pickle": ("index_pickle", drop("index_metadata.pickle")),
    "a short pickle": ("index_pickle", cut("index_metadata.pickle")),
    "a pickle that runs code": ("index_pickle", hostile_pickle),
    "a pickle that maps one way": ("index_pickle", edit_pickle(one_way)),
    "a pickle without its maps": ("index_pickle", edit_pickle(dict.clear)),
    "vectors still queued": ("queue", lambda shard: sql(shard, "UPDATE max_seq_id SET seq_id = seq_id - 1")),
    "a record missing in the pickle": ("labels", edit_pickle(forget_one)),
    "a record missing in SQLite": (
        "labels",
        lambda shard: sql(shard, f"DELETE FROM embeddings WHERE embedding_id = '{RECORDS[0].id}'"),
    ),
    "a record twice in SQLite": (
        "labels",
        lambda shard: sql(
            shard,
            "INSERT INTO embeddings (segment_id, embedding_id, seq_id)"
            f" SELECT segment_id, '{word(9, 9).id}', seq_id FROM embeddings LIMIT 1",
        ),
    ),
    "a record of another segment": (
        "labels",
        lambda shard: sql(
            shard,
            "INSERT INTO embeddings (segment_id, embedding_id, seq_id)"
            " SELECT 'another', embedding_id, seq_id FROM embeddings LIMIT 1",
        ),
    ),
    "a record missing in the index": ("labels", mark_one_deleted),
    "another label": (
        "labels",
        lambda shard: overwrite("data_level0.bin", read_header(segment(shard)).label_offset, b"\xff")(shard),
    ),
    "a vector of zeros": ("vector", edit_vectors(spoil(0.0))),
    "a vector with NaN": ("vector", edit_vectors(spoil(float("nan")))),
    "a vector with infinity": ("vector", edit_vectors(spoil(float("inf")))),
    "two vectors exchanged": ("digest", edit_vectors(swap_two)),
    "two labels exchanged": ("digest", edit_pickle(exchange_two)),
    "another document": (
        "digest",
        lambda shard: sql(
            shard,
            "UPDATE embedding_metadata SET string_value = 'EGGS' WHERE key = 'chroma:document' AND id = 7",
        ),
    ),
    "another metadata value": (
        "digest",
        lambda shard: sql(shard, "UPDATE embedding_metadata SET string_value = 'EGGS' WHERE key = 'text' AND id = 7"),
    ),
    "a metadata key less": (
        "digest",
        lambda shard: sql(shard, "DELETE FROM embedding_metadata WHERE key = 'text' AND id = 7"),
    ),
    "no index of receipts": ("receipts", drop("receipts.json")),
    "a garbled index of receipts": ("receipts", overwrite("receipts.json", 0, b"J")),
    "another digest in the index": ("receipts", overwrite("receipts.json", -12, b"0123")),
    "an index without a receipt": ("receipts", lambda shard: (shard / "receipts.json").write_bytes(b"[\n\n]\n")),
    "no vector rows": ("receipts", drop("vector_rows.bin")),
    "other vector rows": ("receipts", overwrite("vector_rows.bin", 0, b"\x07")),
    "too few vector rows": ("receipts", cut("vector_rows.bin")),
    "a graph that leads nowhere": ("self_query", empty_links),
}
