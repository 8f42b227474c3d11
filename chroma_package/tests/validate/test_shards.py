"""Shards that are good, and shards of something else."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from receipt_chroma.errors import ShardInvalid
from receipt_chroma.records import Record, metadata_bytes
from receipt_chroma.shard import checks as shard_checks
from receipt_chroma.shard.checks import check_directory
from receipt_chroma.shard.chroma_dir import ChromaDir
from receipt_chroma.shard.hnsw_files import read_labels
from receipt_chroma.shard.sqlite_files import compact_sqlite, read_sqlite, read_texts
from receipt_dynamo_stream.sharding import shard_of

from ..samples import RECEIPT, row, vector, word
from .damages import sql
from .good import RECORDS, expected_of, index, made, segment


def test_a_good_shard_is_valid(shard: Path) -> None:
    check_directory(shard, expected_of(RECORDS), full=True)


def test_a_good_shard_is_valid_by_sample(shard: Path) -> None:
    check_directory(shard, expected_of(RECORDS, digest="not computed"), full=False)


def test_the_tables_give_the_texts_that_chromadb_gives(tmp_path: Path) -> None:
    records = [
        word(
            1,
            1,
            n=1,
            truth=True,
            x=0.1 + 0.2,
            y=0.9802897264899629,
            names=["b", "a", "b"],
            numbers=[3, 1],
            flags=[False],
        ),
        word(1, 2, document=None, floats=[0.1 + 0.2, 1.0], one=1.0, nothing=0, no=False, empty="", umlaut="ä\0"),
        replace(word(1, 3), metadata={}, document=""),
        replace(word(1, 4), metadata={}, document=None),
        word(1, 5, names=["last"]),
    ]
    folder = made(tmp_path / "shard", records)
    with ChromaDir.open(folder, "words") as directory:
        expected = {
            name: (document, metadata_bytes(metadata)) for name, document, metadata in directory.texts(directory.ids())
        }
    found = read_texts(folder, read_sqlite(folder, "words"))
    assert {name: (document, metadata_bytes(metadata)) for name, document, metadata in found} == expected
    assert len(expected) == 5


def test_a_sample_that_chromadb_gives_otherwise_than_the_tables_is_unreadable(
    shard: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shard_checks, "CHROMADB_READ_RECORDS", 0)
    monkeypatch.setattr(
        shard_checks, "read_texts", lambda *_: ((name, "EGGS", data) for name, _, data in read_texts(*_))
    )
    with pytest.raises(ShardInvalid, match="otherwise than its files"):
        check_directory(shard, expected_of(RECORDS), full=True)


def test_a_database_is_made_compact_where_that_pays_and_else_left_alone(shard: Path) -> None:
    database = shard / "chroma.sqlite3"
    before = database.read_bytes()
    compact_sqlite(shard)
    assert database.read_bytes() == before
    sql(shard, "CREATE TABLE waste (content BLOB)", "INSERT INTO waste VALUES (zeroblob(1000000))", "DROP TABLE waste")
    wasteful = database.stat().st_size
    compact_sqlite(shard)
    assert database.stat().st_size < wasteful - 900_000
    assert {path.name for path in shard.iterdir() if path.is_file()} == {
        *("chroma.sqlite3", "receipts.json", "vector_rows.bin")
    }
    check_directory(shard, expected_of(RECORDS), full=True)


@pytest.mark.parametrize(
    ("problem", "changes"),
    [
        ("records", {"records": 39}),
        ("tombstones", {"tombstones": 1}),
        ("dimension", {"dimension": 7}),
        ("dimension", {"dimension": None}),
        ("digest", {"digest": "0" * 64}),
        ("collection_name", {"collection": "lines"}),
        ("foreign", {"shards": 2, "shard": 1 - shard_of(RECEIPT.image_id, 1, 2)}),
    ],
)
def test_another_report_is_refused_with_a_name(shard: Path, problem: str, changes: dict[str, Any]) -> None:
    with pytest.raises(ShardInvalid) as refused:
        check_directory(shard, expected_of(RECORDS, **changes), full=True)
    assert refused.value.problem == problem


@pytest.mark.parametrize("bad", [replace(word(1, 1), id="milk"), row(1)], ids=["malformed", "other collection"])
def test_an_id_that_does_not_belong_is_foreign(tmp_path: Path, bad: Record) -> None:
    records = [*RECORDS[1:4], bad]
    with pytest.raises(ShardInvalid, match="foreign"):
        check_directory(made(tmp_path / "shard", records), expected_of(records), full=True)


@pytest.mark.parametrize("space", ["cosine", "ip"])
def test_another_space_is_refused(tmp_path: Path, space: str) -> None:
    with pytest.raises(ShardInvalid, match="space"):
        check_directory(made(tmp_path / "shard", RECORDS[:4], space=space), expected_of(RECORDS[:4]), full=True)


@pytest.mark.filterwarnings("ignore:legacy embedding function config:DeprecationWarning")
def test_vectors_that_are_only_queued_are_refused_and_valid_once_flushed(tmp_path: Path) -> None:
    folder = made(tmp_path / "shard", RECORDS[:4], sync_threshold=1000)
    with pytest.raises(ShardInvalid, match="queue"):
        check_directory(shutil.copytree(folder, tmp_path / "copy"), expected_of(RECORDS[:4]), full=True)
    with ChromaDir.open_for_writing(folder, "words"):
        pass
    index(folder, RECORDS[:4])
    check_directory(folder, expected_of(RECORDS[:4]), full=True)


def test_a_directory_without_any_record_and_without_an_index_is_valid(tmp_path: Path) -> None:
    check_directory(made(tmp_path / "shard", []), expected_of([]), full=True)


def test_many_records_with_one_vector_do_not_fail_the_self_query(tmp_path: Path) -> None:
    same = [replace(record, embedding=vector(1)) for record in RECORDS]
    check_directory(made(tmp_path / "shard", same), expected_of(same), full=True)


def test_a_deleted_record_leaves_a_tombstone_that_is_counted(shard: Path) -> None:
    with ChromaDir.open_for_writing(shard, "words") as directory:
        directory.delete([RECORDS[0].id])
    index(shard, RECORDS[1:])
    check_directory(shard, expected_of(RECORDS[1:], tombstones=1), full=True)
    assert RECORDS[0].id not in read_labels(segment(shard))
