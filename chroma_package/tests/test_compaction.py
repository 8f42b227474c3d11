from dataclasses import replace
from pathlib import Path
from typing import Any

import chromadb
import pytest
from chromadb.config import Settings
from receipt_chroma import update_receipt_metadata

from .chroma_files import chroma_directory
from .samples import facts, label, receipt, row, word

WORDS = facts([(1, 1), (1, 2)], labels=[label(1, 1, "TOTAL")], place={"merchant_name": "Shop"})


@pytest.fixture
def collection(tmp_path: Path) -> Any:
    records = [word(1, 1, merchant_name="Old", x=0.5), word(1, 2), word(1, 3), word(1, 1, of=receipt(2))]
    chroma_directory(tmp_path / "mine", records)
    client = chromadb.PersistentClient(path=str(tmp_path / "mine"), settings=Settings(anonymized_telemetry=False))
    yield client.get_collection("words", embedding_function=None)
    client.close()


def metadata(collection: Any, *ids: str) -> list[dict[str, Any]]:
    found = collection.get(ids=list(ids))
    return [dict(found["metadatas"][found["ids"].index(record_id)]) for record_id in ids]


def test_one_receipt_s_metadata_is_brought_up_to_date_and_nothing_else(collection: Any) -> None:
    untouched = [word(1, 3).id, word(1, 1, of=receipt(2)).id]
    before = metadata(collection, *untouched)
    assert update_receipt_metadata(collection, WORDS) == 2
    first, second = metadata(collection, word(1, 1).id, word(1, 2).id)
    assert first == {
        "text": "MILK",
        "x": 0.5,
        "merchant_name": "Shop",
        "label_status": "validated",
        "valid_labels_array": ["TOTAL"],
        "label_validated_at": "2026-01-01T00:00:00+00:00",
    }
    assert second == {"text": "MILK", "merchant_name": "Shop", "label_status": "unvalidated"}
    assert metadata(collection, *untouched) == before


def test_what_is_right_already_is_not_written(collection: Any) -> None:
    update_receipt_metadata(collection, WORDS)
    assert update_receipt_metadata(collection, WORDS) == 0


def test_a_key_that_goes_is_removed(collection: Any) -> None:
    update_receipt_metadata(collection, WORDS)
    assert update_receipt_metadata(collection, replace(WORDS, place=None, labels=())) == 2
    assert metadata(collection, word(1, 1).id) == [{"text": "MILK", "x": 0.5, "label_status": "unvalidated"}]


def test_records_that_the_facts_do_not_know_are_left_alone(collection: Any) -> None:
    assert update_receipt_metadata(collection, replace(WORDS, exists=False, words=frozenset())) == 0


def test_rows_are_updated_too(tmp_path: Path) -> None:
    chroma_directory(tmp_path / "rows", [row(1, members="[1,2]")], name="lines")
    client = chromadb.PersistentClient(path=str(tmp_path / "rows"), settings=Settings(anonymized_telemetry=False))
    rows = client.get_collection("lines", embedding_function=None)
    assert update_receipt_metadata(rows, facts([(1, 1), (2, 1)], labels=[label(2, 1, "TAX")])) == 1
    assert metadata(rows, row(1).id)[0]["valid_labels_array"] == ["TAX"]
    client.close()


def test_a_collection_of_another_name_is_refused(tmp_path: Path) -> None:
    chroma_directory(tmp_path / "other", [], name="other")
    client = chromadb.PersistentClient(path=str(tmp_path / "other"), settings=Settings(anonymized_telemetry=False))
    with pytest.raises(ValueError, match="other"):
        update_receipt_metadata(client.get_collection("other", embedding_function=None), WORDS)
    client.close()
