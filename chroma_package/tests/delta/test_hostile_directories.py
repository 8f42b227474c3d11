"""A Chroma directory of a stranger: what contradicts itself, or would have us do something, is refused by name."""

import pickle
import sqlite3
import struct
from collections.abc import Callable
from typing import Any

import chromadb
import numpy as np
import pytest
from receipt_chroma.errors import DeltaCorrupt, DeltaRefused, DeltaTooLarge, UnsafeTarMember, WrongDimension, WrongSpace

from ..chroma_files import chroma_directory, files_of
from ..samples import DIMENSION, word
from .strangers import (
    GOOD,
    Files,
    good_directory,
    index_file,
    read,
    shown,
    tar,
    with_bytes,
    with_database,
    with_pickle,
    with_sql,
)

ENTRY_POINT = 4 + 8 * 6 + 4
"""Where header.bin has it."""
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"


def test_a_good_directory_is_read_from_its_files_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("a stranger's directory is not opened with chromadb")

    files = good_directory()
    monkeypatch.setattr(chromadb, "PersistentClient", never)
    assert shown(read("directory", files)) == shown(GOOD)
    assert shown(read("tar", tar(files))) == shown(GOOD)


@pytest.mark.parametrize("hnsw", [{}, {"sync_threshold": 3, "batch_size": 3}, {"sync_threshold": 1}])
def test_updates_and_deletes_are_read_as_chromadb_reads_them(tmp_path: Any, hnsw: dict[str, int]) -> None:
    """The second opinion is chromadb's own."""
    folder = chroma_directory(tmp_path / "delta", GOOD[:10], **hnsw)
    client = chromadb.PersistentClient(path=str(folder))
    words = client.get_collection("words", embedding_function=None)
    words.update(ids=[GOOD[1].id], metadatas=[{"text": None, "more": True}])
    words.upsert(ids=[GOOD[2].id], embeddings=[[9.0] * DIMENSION], documents=["ANEW"], metadatas=[{"count": 3}])
    words.upsert(ids=[GOOD[20].id], embeddings=[[8.0] * DIMENSION], metadatas=[{"list": [1, 2]}])
    words.delete(ids=[GOOD[3].id, GOOD[9].id])
    words.add(ids=[GOOD[4].id], embeddings=[[7.0] * DIMENSION], documents=["not taken"])
    words.add(ids=[GOOD[3].id], embeddings=[[6.0] * DIMENSION], documents=["again"])
    found = words.get(include=["embeddings", "documents", "metadatas"])
    client.close()
    read_here = {one.id: one for one in read("directory", files_of(folder))}
    assert set(read_here) == set(found["ids"])
    for record_id, vector, document, metadata in zip(
        found["ids"], found["embeddings"], found["documents"], found["metadatas"], strict=True
    ):
        one = read_here[record_id]
        assert (one.document, one.metadata) == (document, dict(metadata or {}))
        assert one.embedding.tobytes() == np.asarray(vector, np.float32).tobytes()


def test_a_graph_that_leads_nowhere_is_not_followed() -> None:
    """An entry point or links out of range end a process that opens the directory with chromadb."""
    files = with_bytes(good_directory(), "header.bin", ENTRY_POINT, struct.pack("<I", 0x7FFFFFFF))
    files = with_bytes(files, "data_level0.bin", 0, struct.pack("<HxxI", 1, 0x7FFFFFFF))
    assert shown(read("directory", files)) == shown(GOOD)


def two_ids_of_one_label(state: dict[str, Any]) -> None:
    state["id_to_label"] = {one: 1 + label % 20 for one, label in state["id_to_label"].items()}


def two_ids_swapped(state: dict[str, Any]) -> None:
    first, second = list(state["id_to_label"])[:2]
    labels = state["id_to_label"]
    labels[first], labels[second] = labels[second], labels[first]


def one_id_lost(state: dict[str, Any]) -> None:
    _, label = state["id_to_label"].popitem()
    del state["label_to_id"][label]


CONTRADICTIONS: dict[str, Callable[[Files], Files]] = {
    "half of the rows lost": lambda files: with_sql(files, "DELETE FROM embeddings WHERE id % 2 = 0"),
    "two ids with one label": lambda files: with_pickle(files, two_ids_of_one_label),
    "labels swapped one way": lambda files: with_pickle(files, two_ids_swapped),
    "an id without a label": lambda files: with_pickle(files, one_id_lost),
    "another dimension in the row": lambda files: with_sql(files, "UPDATE collections SET dimension = 99"),
    "no dimension in the row": lambda files: with_sql(files, "UPDATE collections SET dimension = NULL"),
    "a dimension that is a text": lambda files: with_sql(files, "UPDATE collections SET dimension = 'x'"),
    "an element marked deleted": lambda files: with_bytes(files, "data_level0.bin", 2, b"\1"),
    "the index lost": lambda files: {name: files[name] for name in files if "/" not in name},
    "the queue from another place on": lambda files: with_sql(files, "UPDATE max_seq_id SET seq_id = 10"),
    "a row twice": lambda files: with_sql(
        files,
        "CREATE TABLE copied AS SELECT * FROM embeddings",
        "DROP TABLE embeddings",
        "ALTER TABLE copied RENAME TO embeddings",
        "INSERT INTO embeddings SELECT id + 1000, segment_id, embedding_id, seq_id, created_at FROM embeddings LIMIT 1",
    ),
    "a value of another type": lambda files: with_sql(files, "UPDATE embedding_metadata SET string_value = x'ff'"),
    "a text that is no UTF-8": lambda files: with_sql(
        files, "UPDATE embedding_metadata SET string_value = CAST(x'ff' AS TEXT)"
    ),
    "two values of one key": lambda files: with_sql(files, "UPDATE embedding_metadata SET int_value = 1"),
    "a table lost": lambda files: with_sql(files, "DROP TABLE max_seq_id"),
    "a log of writes": lambda files: {**files, "chroma.sqlite3-wal": b"x"},
    "a journal": lambda files: {**files, "chroma.sqlite3-journal": b"x"},
}


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_tables_and_index_that_contradict_each_other_are_corrupt(name: str) -> None:
    if name == "the queue from another place on":
        files = with_sql(
            CONTRADICTIONS[name](good_directory()),
            "INSERT INTO embeddings_queue (seq_id, operation, topic, id) SELECT 30, 3, 'persistent://default/default/'"
            " || id, 'x' FROM collections",
        )
        assert shown(read("directory", files)) == shown(GOOD), "what nothing is left of says nothing"
        return
    with pytest.raises(DeltaCorrupt):
        read("directory", CONTRADICTIONS[name](good_directory()))


def replaced_by_view(table: str, select: str) -> Callable[[Files], Files]:
    return lambda files: with_sql(files, f"DROP TABLE {table}", f"CREATE VIEW {table} AS {select}")


def cell_of_a_gigabyte(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE embedding_metadata SET string_value = ? WHERE id = 1", ("x" * (10 << 20),))


WORK: dict[str, Callable[[Files], Files]] = {
    "segments is an endless view": replaced_by_view("segments", f"{ENDLESS} SELECT i AS id, i AS scope FROM n"),
    "embeddings is an endless view": replaced_by_view("embeddings", f"{ENDLESS} SELECT i AS id FROM n"),
    "metadata is an endless view": replaced_by_view("embedding_metadata", f"{ENDLESS} SELECT i AS id FROM n"),
    "metadata is a view of a large blob": replaced_by_view("embedding_metadata", "SELECT zeroblob(1000000000) AS key"),
    "some other view": lambda files: with_sql(files, f"CREATE VIEW other AS {ENDLESS} SELECT i FROM n"),
    "a trigger": lambda files: with_sql(
        files, "CREATE TRIGGER t AFTER INSERT ON segments BEGIN DELETE FROM segments; END"
    ),
    "a column that is computed": lambda files: with_sql(
        files, "ALTER TABLE embeddings ADD COLUMN more AS (zeroblob(900000000))"
    ),
    "a virtual table": lambda files: with_sql(
        files, "DROP TABLE max_seq_id", "CREATE VIRTUAL TABLE max_seq_id USING fts5(segment_id, seq_id)"
    ),
    "a value of 10 MB": lambda files: with_database(files, cell_of_a_gigabyte),
    "a header with room for 2^62": lambda files: with_bytes(files, "header.bin", 12, struct.pack("<Q", 1 << 62)),
    "a header with elements of 2^62 bytes": lambda files: with_bytes(
        files, "header.bin", 4 + 24, struct.pack("<QQQ", 1 << 62, (1 << 62) - 8, 132)
    ),
    "a pickle nested deep": lambda files: {
        **files,
        index_file(files, "index_metadata.pickle"): b"\x80\x04" + b"]" * 100_000 + b"a" * 99_999 + b".",
    },
    "a pickle that runs something": lambda files: {
        **files,
        index_file(files, "index_metadata.pickle"): b"cos\nsystem\n(X\x04\x00\x00\x00truetR.",
    },
    "a pickle with room for 2^31 memories": lambda files: {
        **files,
        index_file(files, "index_metadata.pickle"): b"\x80\x04Nr\xff\xff\xff\x7f.",
    },
    "a pickle of 10 MB": lambda files: {**files, index_file(files, "index_metadata.pickle"): b"N" * (10 << 20)},
    "a pickle of itself": lambda files: {**files, index_file(files, "index_metadata.pickle"): b"}q\0X\1\0\0\0ah\0s."},
}


@pytest.mark.parametrize("name", WORK)
def test_what_would_have_us_work_is_refused(name: str) -> None:
    with pytest.raises((DeltaCorrupt, DeltaTooLarge)):
        read("directory", WORK[name](good_directory()))


def test_the_pickle_of_an_old_chroma_stands_for_its_state() -> None:
    """Before 1.0 it was an object of a class of chromadb's own, which nobody imports here."""
    files = good_directory()
    path = index_file(files, "index_metadata.pickle")
    state = pickle.dumps(pickle.loads(files[path]), 4)[2:-1]
    new = b"\x80\x04\x8c\x1cchromadb.of.some.other.place\x8c\x0ePersistentData\x93)\x81" + state + b"b."
    assert shown(read("directory", {**files, path: new})) == shown(GOOD)


NAMES: dict[str, tuple[type[DeltaRefused] | None, Files]] = {
    "a file of a name of 300 bytes": (None, {"n" * 300: b"x"}),
    "a file beside a folder of its name": (UnsafeTarMember, {"part": b"", "part/0": b"x"}),
    "a file named '.'": (UnsafeTarMember, {".": b"x"}),
}


@pytest.mark.parametrize("name", NAMES)
def test_names_of_objects_are_no_names_of_files(name: str, world: Any) -> None:
    from .test_deltas import put
    from .test_deltas import read as read_from_s3

    error, more = NAMES[name]
    for path, content in {**good_directory(), **more}.items():
        put(world, path, content)
    if error is None:
        assert shown(read_from_s3(world)) == shown(GOOD)
    else:
        with pytest.raises(error):
            read_from_s3(world)


def test_a_space_is_found_wherever_a_release_wrote_it() -> None:
    for sql in (
        'UPDATE collections SET config_json_str = \'{"hnsw_configuration": {"space": "cosine"}}\'',
        "INSERT INTO segment_metadata (segment_id, key, str_value) SELECT id, 'hnsw:space', 'ip' FROM segments",
    ):
        with pytest.raises(WrongSpace):
            read("directory", with_sql(good_directory(), sql))


def test_the_dimension_is_the_collections() -> None:
    with pytest.raises(WrongDimension):
        read("directory", good_directory(), dimension=DIMENSION + 1)


def test_more_records_than_the_bound_are_too_many(tmp_path: Any) -> None:
    files = with_sql(
        good_directory(),
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 90000)"
        " INSERT INTO embeddings (segment_id, embedding_id, seq_id)"
        " SELECT s.id, 'more' || i, 1 FROM n, segments s WHERE s.scope = 'METADATA'",
    )
    with pytest.raises(DeltaTooLarge):
        read("directory", files)


def test_one_word_alone_is_read(tmp_path: Any) -> None:
    only = [word(1, 1)]
    assert shown(read("directory", files_of(chroma_directory(tmp_path / "one", only)))) == shown(only)


def test_one_record_that_the_queue_changes_again_and_again_is_bounded() -> None:
    files = with_sql(
        good_directory(),
        "WITH RECURSIVE n(i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n LIMIT 200)"
        " INSERT INTO embeddings_queue (seq_id, operation, topic, id, metadata)"
        " SELECT i, 1, 'persistent://default/default/' || c.id, 'x', '{\"x\": \"' || hex(zeroblob(20000)) || '\"}'"
        " FROM n, collections c",
    )
    with pytest.raises(DeltaTooLarge, match="the directory's queue"):
        read("directory", files)
