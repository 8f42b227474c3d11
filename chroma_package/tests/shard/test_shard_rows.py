"""A closed shard read without chromadb gives what chromadb gives, in order of id, and writes nothing."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from receipt_chroma.errors import ShardInvalid
from receipt_chroma.records import Record, normal_metadata, vector_bytes
from receipt_chroma.shard.chroma_dir import ChromaDir
from receipt_chroma.shard.rows import RawRow, ShardRows

from ..samples import receipt, vector, word

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
SCALARS = [
    TEXTS,
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False, max_value=1e300, min_value=-1e300),
    st.booleans(),
]
VALUES = st.one_of(*SCALARS, *(st.lists(one, min_size=1, max_size=3) for one in SCALARS))
KEYS = st.text("abcdé\"'\\ \n", min_size=1, max_size=4)
CONTENTS = st.lists(st.tuples(st.none() | TEXTS, st.dictionaries(KEYS, VALUES, max_size=4)), min_size=1, max_size=6)


def write(folder: Path, *records: Record) -> Path:
    with ChromaDir.create(folder, "words") as directory:
        directory.add(records)
    return folder


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(CONTENTS)
def test_every_record_is_read_as_chromadb_reads_it(
    tmp_path_factory: pytest.TempPathFactory, contents: list[tuple[str | None, dict[str, object]]]
) -> None:
    records = [
        Record(f"record-{n:02d}", vector(n), document, normal_metadata(metadata))
        for n, (document, metadata) in enumerate(contents)
    ]
    folder = write(tmp_path_factory.mktemp("rows") / "shard", *reversed(records))
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    with ShardRows.open(folder, "words") as shard:
        rows = list(shard.rows())
        assert [(row.id, *row.parse()) for row in rows] == [(one.id, one.document, one.metadata) for one in records]
        assert sorted(shard.some_rows([one.id for one in records]), key=lambda row: row.id) == rows
        vectors = shard.vectors()
        assert [vectors.bits(one.id) for one in records] == [vector_bytes(one.embedding) for one in records]
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    with ChromaDir.open(folder, "words") as directory:
        assert [(row.id, *row.parse()) for row in rows] == sorted(directory.texts(directory.ids()))


def test_one_and_true_and_a_float_of_one_are_different_rows() -> None:
    rows = [RawRow("a", f'[["k",{columns}]]', "[]") for columns in ("1,null,null", "null,1.0,null", "null,null,1")]
    assert len(set(rows)) == 3
    assert [type(row.parse()[1]["k"]) for row in rows] == [int, float, bool]


def test_ids_are_those_of_one_receipt_or_with_a_text(tmp_path: Path) -> None:
    records = [word(line, n, of=receipt(r), document=f"MILK {n}") for r in (1, 2) for line in (1, 2) for n in (1, 2)]
    with ShardRows.open(write(tmp_path / "shard", *records), "words") as shard:
        assert list(shard.ids()) == sorted(record.id for record in records)
        assert len(list(shard.ids(receipt=receipt(1)))) == 4
        assert len(list(shard.ids(receipt=receipt(1), containing="milk 2"))) == 2
        assert shard.receipts() == {receipt(1).key: 4, receipt(2).key: 4}
        assert list(shard.some_rows([])) == []


def test_a_deleted_record_has_neither_row_nor_vector(tmp_path: Path) -> None:
    first, second = word(1, 1), word(1, 2)
    with ChromaDir.create(tmp_path / "shard", "words") as directory:
        directory.add([first, second])
        directory.delete([first.id])
        directory.add([Record(first.id, np.float32([9] * 8), None, {})])
        directory.delete([second.id])
    with ShardRows.open(tmp_path / "shard", "words") as shard:
        assert list(shard.ids()) == [first.id]
        assert shard.vectors().bits(first.id) == np.float32([9] * 8).tobytes()
        with pytest.raises(ShardInvalid, match="no vector"):
            shard.vectors().bits(second.id)


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    folder = write(tmp_path / "shard", word(1, 1))

    def read(collection: str) -> None:
        with ShardRows.open(folder, collection) as shard:
            list(shard.rows())
            shard.vectors()

    def problem(collection: str = "words") -> str:
        with pytest.raises(ShardInvalid) as refused:
            read(collection)
        return refused.value.problem

    assert problem("lines") == "collection_name"
    (vectors,) = folder.glob("*/data_level0.bin")
    vectors.write_bytes(b"")
    assert problem() == "index_size"
    (folder / "chroma.sqlite3").write_bytes(b"no database")
    assert problem() == "sqlite_damaged"
    (folder / "chroma.sqlite3").unlink()
    assert problem() == "sqlite_damaged"
