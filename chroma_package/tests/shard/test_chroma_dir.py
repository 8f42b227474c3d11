"""The private parts of chromadb that a reader asks say what its public methods say. chromadb is pinned exactly."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from receipt_chroma.errors import ChromaUnreadable
from receipt_chroma.shard.chroma_dir import ChromaDir

from ..samples import vector, word

WHERE = {"text": {"$ne": "BREAD"}}
WHERE_DOCUMENT = {"$contains": "M"}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChromaDir]:
    """Three hundred records, some of which no filter selects."""
    with ChromaDir.create(tmp_path_factory.mktemp("private") / "shard", "words") as directory:
        kinds = [("MILK", "MILK"), ("BREAD", "MEAL"), ("EGGS", "EGGS")]
        directory.add(
            [word(1, number, document=kinds[number % 3][1], text=kinds[number % 3][0]) for number in range(1, 301)]
        )
        yield directory


@pytest.mark.parametrize("where", [None, WHERE])
@pytest.mark.parametrize("where_document", [None, WHERE_DOCUMENT])
@pytest.mark.parametrize("n", [1, 10, 150, 1_000])
def test_nearest_is_what_a_query_of_the_collection_answers(
    directory: ChromaDir, where: dict[str, object] | None, where_document: dict[str, object] | None, n: int
) -> None:
    for seed in range(5):
        asked = vector(10_000 + seed)
        found = directory.collection.query(
            query_embeddings=[asked], n_results=n, where=where, where_document=where_document, include=["distances"]
        )
        expected = list(zip(found["distances"][0], found["ids"][0], strict=True))
        assert directory.nearest(asked, n, where=where, where_document=where_document) == expected


def test_a_vector_of_another_length_is_refused(directory: ChromaDir) -> None:
    with pytest.raises(ChromaUnreadable):
        directory.nearest(np.ones(3, np.float32), 1)


def test_as_many_candidates_are_kept_as_were_told(tmp_path: Path) -> None:
    with ChromaDir.create(tmp_path / "told", "words") as directory:
        directory.add([word(1, number) for number in range(1, 11)])
        directory.keep_candidates(37)
    with ChromaDir.open(tmp_path / "told", "words") as directory:
        assert directory.collection.configuration_json["hnsw"]["ef_search"] == 37
        assert (directory.sync_threshold, directory.space) == (1, "l2")
        assert len(directory.nearest(vector(1), 10)) == 10
