"""The scan beside measuring every row, and the distances beside a real Chroma collection."""

import platform
from collections.abc import Iterator
from typing import Any

import chromadb
import numpy as np
import pytest
from chromadb.config import Settings
from hypothesis import given
from hypothesis import strategies as st
from receipt_chroma.segment.content import Vectors
from receipt_chroma.segment.distance import CHROMA_TOLERANCE, squared_distances
from receipt_chroma.segment.scan import ScanRows, nearest

from ..samples import vector

EVERY_WAY_OF_SUMMING = [
    1,
    2,
    3,
    4,
    5,
    7,
    8,
    11,
    12,
    15,
    16,
    17,
    19,
    20,
    23,
    31,
    32,
    36,
    47,
    100,
    1000,
    1001,
    1535,
    1536,
]


def normal(shape: tuple[int, ...], seed: int = 0) -> Vectors:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def names(count: int) -> list[str]:
    return [f"{number:06d}" for number in range(count)]


def all_measured(query: Vectors, parts: list[ScanRows], k: int, mask: Any = None) -> list[tuple[float, int]]:
    ids = [one for part in parts for one in part.ids]
    distances = [float(one) for part in parts for one in squared_distances(query, part.vectors)]
    rows = [row for row in range(len(ids)) if mask is None or mask[row]]
    return [(distances[row], row) for row in sorted(rows, key=lambda row: (distances[row], ids[row]))[:k]]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("distances")
    client = chromadb.PersistentClient(path=str(folder), settings=Settings(anonymized_telemetry=False))
    yield client
    client.close()


def chroma_distances(client: Any, query: Vectors, vectors: Vectors) -> Vectors:
    collection = client.create_collection("distances", embedding_function=None)
    collection.add(ids=names(len(vectors)), embeddings=vectors)
    found = collection.query(query_embeddings=[query], n_results=len(vectors), include=["distances"])
    client.delete_collection("distances")
    by_id = dict(zip(found["ids"][0], found["distances"][0], strict=True))
    return np.array([by_id[name] for name in names(len(vectors))])


@pytest.mark.parametrize("dimension", EVERY_WAY_OF_SUMMING)
def test_distances_are_those_of_chroma(client: Any, dimension: int) -> None:
    vectors = normal((40, dimension))
    vectors[1:20] = vectors[0] + normal((19, dimension), 1) * np.float32(1e-4)
    for query in (normal((dimension,), 2), vectors[0]):
        ours, theirs = squared_distances(query, vectors), chroma_distances(client, query, vectors)
        np.testing.assert_allclose(ours, theirs, rtol=CHROMA_TOLERANCE)
        if platform.machine() == "x86_64":
            assert ours.tolist() == theirs.tolist()


@given(st.data())
def test_the_nearest_are_those_that_measuring_every_row_finds(data: st.DataObject) -> None:
    dimension = data.draw(st.sampled_from([1, 3, 8, 21]))
    sizes = data.draw(st.lists(st.integers(0, 12), max_size=4))
    scale = np.float32(data.draw(st.sampled_from([1.0, 1e-4, 1e-23, 1e19, 3e38])))
    seed = data.draw(st.integers(0, 1000))
    center = normal((dimension,), seed)
    near = np.float32(data.draw(st.sampled_from([0.0, 1e-7, 1e-3, 1.0])))
    total = sum(sizes)
    with np.errstate(over="ignore"):
        vectors = np.clip((center + normal((total, dimension), seed + 1) * near) * scale, -3e38, 3e38)
        query = np.clip((center + normal((dimension,), seed + 2) * near) * scale, -3e38, 3e38)
    ids = data.draw(st.permutations(names(total)))
    ends = np.cumsum(sizes)
    parts = [
        ScanRows.of(vectors[end - size : end], ids[end - size : end]) for size, end in zip(sizes, ends, strict=True)
    ]
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=total, max_size=total)), np.bool_)
    chosen = data.draw(st.sampled_from([None, mask]))
    k = data.draw(st.integers(1, 8))
    assert nearest(query, parts, k, chosen) == all_measured(query, parts, k, chosen)


def test_vectors_that_differ_in_the_last_bit_keep_their_order() -> None:
    vectors = np.tile(vector(1, 1536), (500, 1))
    for row in range(500):
        vectors[row, row] = np.nextafter(vectors[row, row], np.float32(9))
    parts = [ScanRows.of(vectors, names(500))]
    assert nearest(vector(1, 1536), parts, 20) == all_measured(vector(1, 1536), parts, 20)


def test_equal_vectors_come_in_order_of_id_through_all_parts() -> None:
    same = np.tile(vector(1), (3, 1))
    parts = [ScanRows.of(same, ["e", "b", "d"]), ScanRows.of(same, ["a", "c", "f"])]
    assert nearest(vector(1), parts, 4) == [(0.0, 3), (0.0, 1), (0.0, 4), (0.0, 2)]


def test_fewer_rows_than_asked_for_are_all_returned() -> None:
    parts = [ScanRows.of(normal((3, 8)), names(3))]
    assert [row for _, row in nearest(vector(1), parts, 10)] == [row for _, row in all_measured(vector(1), parts, 3)]


def test_a_mask_leaves_out_the_nearest() -> None:
    vectors = np.stack([vector(seed) for seed in range(5)])
    mask = np.array([True, True, False, True, True])
    assert nearest(vectors[2], [ScanRows.of(vectors, names(5))], 1)[0][1] == 2
    assert nearest(vectors[2], [ScanRows.of(vectors, names(5))], 1, mask)[0][1] != 2
    assert nearest(vectors[2], [ScanRows.of(vectors, names(5))], 1, np.zeros(5, np.bool_)) == []


def test_nothing_is_near_in_no_rows() -> None:
    empty = ScanRows.of(np.empty((0, 0), np.float32), [])
    assert nearest(vector(1), [], 3) == []
    assert nearest(vector(1), [empty], 3) == []
    assert nearest(vector(1), [empty, ScanRows.of(np.stack([vector(1)]), ["a"])], 3) == [(0.0, 0)]


def test_a_query_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="dimensions"):
        nearest(vector(1, 9), [ScanRows.of(normal((3, 8)), names(3))], 1)


def test_asking_for_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        nearest(vector(1), [ScanRows.of(normal((3, 8)), names(3))], 0)
