"""An operator's own directory: the records of one collection, whatever else is there, as plain chromadb has them."""

from pathlib import Path

import chromadb
import pytest
from receipt_chroma.delta.own_directory import own_directory
from receipt_chroma.errors import DeltaCorrupt, DeltaRefused, WrongCollection, WrongSpace
from receipt_chroma.records import Record

from ..chroma_files import chroma_directory, files_of
from ..samples import word

RECORDS = [word(1, number) for number in range(1, 8)]


def read(folder: Path, collection: str = "words") -> dict[str, tuple[bytes, str | None, dict[str, object]]]:
    with own_directory(folder, collection) as records:
        return {one.id: (one.embedding.tobytes(), one.document, dict(one.metadata)) for one in records}


def plain(records: list[Record]) -> dict[str, tuple[bytes, str | None, dict[str, object]]]:
    return {one.id: (one.embedding.tobytes(), one.document, dict(one.metadata)) for one in records}


@pytest.mark.parametrize("hnsw", [{}, {"sync_threshold": 3, "batch_size": 2}], ids=["in the queue", "in the index"])
def test_records_are_what_was_written_and_nothing_is_written_beside_them(tmp_path: Path, hnsw: dict[str, int]) -> None:
    folder = chroma_directory(tmp_path / "old", RECORDS, **hnsw)
    before = files_of(folder)
    assert read(folder) == plain(RECORDS)
    assert files_of(folder) == before


def test_other_collections_may_be_there_whatever_their_space(tmp_path: Path) -> None:
    folder = chroma_directory(tmp_path / "old", RECORDS)
    chroma_directory(folder, RECORDS[:2], name="receipts", space="cosine")
    assert read(folder) == plain(RECORDS)
    with pytest.raises(WrongSpace):
        read(folder, "receipts")
    with pytest.raises(WrongCollection, match=r"receipts.*words"):
        read(folder, "lines")


def test_deleted_and_updated_records_are_as_chromadb_leaves_them(tmp_path: Path) -> None:
    folder = chroma_directory(tmp_path / "old", RECORDS)
    client = chromadb.PersistentClient(path=str(folder))
    collection = client.get_collection("words", embedding_function=None)
    collection.delete(ids=[RECORDS[0].id])
    collection.update(ids=[RECORDS[1].id], metadatas=[{"text": "EGGS"}])
    client.close()
    found = read(folder)
    assert found.keys() == {record.id for record in RECORDS[1:]}
    assert found[RECORDS[1].id][2] == {"text": "EGGS"}


def test_a_directory_that_is_written_to_and_a_folder_that_is_none_are_refused(tmp_path: Path) -> None:
    folder = chroma_directory(tmp_path / "old", RECORDS)
    (folder / "chroma.sqlite3-wal").write_bytes(b"more")
    with pytest.raises(DeltaCorrupt, match="close it first"):
        read(folder)
    with pytest.raises(DeltaCorrupt, match="no Chroma directory"):
        read(tmp_path)
    (tmp_path / "chroma.sqlite3").write_bytes(b"this is no database, of any kind")
    with pytest.raises(DeltaRefused, match="cannot be read"):
        read(tmp_path)
