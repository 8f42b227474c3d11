"""What a query asks of a base whose nearest records do not count any more."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from receipt_chroma.reader import SnapshotReader
from receipt_chroma.reader.base import Base
from receipt_chroma.records import Record

from ..samples import DIMENSION, receipt, word
from .layers import Layers

RECORDS = 60


def at(number: int, distance: float) -> Record:
    """A receipt's one record, that far from the origin's neighbour."""
    one = word(1, 1, of=receipt(number))
    vector = np.zeros(DIMENSION, np.float32)
    vector[0], vector[1] = 1.0, distance
    return Record(one.id, vector, one.document, {"number": number})


ASKED = [1.0] + [0.0] * (DIMENSION - 1)


@pytest.fixture
def layers(tmp_path: Path) -> Layers:
    """A base of sixty receipts; the higher the number the farther away."""
    layers = Layers(tmp_path)
    layers.base({receipt(number): [at(number, 0.01 * (number + 1))] for number in range(RECORDS)})
    return layers


@pytest.fixture
def asks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many records bases are asked for."""
    asks: list[int] = []
    nearest = Base.nearest

    def noting(self: Base, vector: Any, n: int, *rest: Any) -> Any:
        asks.append(n)
        return nearest(self, vector, n, *rest)

    monkeypatch.setattr(Base, "nearest", noting)
    return asks


def found(reader: SnapshotReader, n: int, **filters: Any) -> list[object]:
    return [hit.metadata["number"] for hit in reader.nearest(ASKED, n, **filters)]


def test_while_nothing_is_covered_a_base_is_asked_for_as_many_as_are_wanted(layers: Layers, asks: list[int]) -> None:
    with layers.reader() as reader:
        assert found(reader, 4) == [0, 1, 2, 3]
        assert asks == [4]
        assert found(reader, 1_000) == list(range(RECORDS))
        assert asks == [4, RECORDS]


def test_it_is_asked_again_for_more_until_enough_of_them_count(layers: Layers, asks: list[int]) -> None:
    layers.segment({receipt(number): [] for number in range(30)})
    with layers.reader() as reader:
        assert found(reader, 3) == [30, 31, 32]
        assert asks == [6, 24, RECORDS]
        assert found(reader, 40) == list(range(30, RECORDS))


def test_a_filter_that_leaves_few_ends_the_asking(layers: Layers, asks: list[int]) -> None:
    layers.segment({receipt(number): [] for number in range(30)})
    with layers.reader() as reader:
        assert found(reader, 3, where={"number": {"$in": [1, 2, 31]}}) == [31]
        assert asks == [6]


def test_a_base_that_is_covered_as_a_whole_is_not_asked(layers: Layers, asks: list[int]) -> None:
    layers.segment({receipt(number): [at(number, 5.0 - 0.01 * number)] for number in range(RECORDS)})
    with layers.reader() as reader:
        assert found(reader, 3) == [RECORDS - 1, RECORDS - 2, RECORDS - 3]
        assert asks == []


def test_an_old_vector_never_answers_for_a_record_that_was_embedded_again(layers: Layers) -> None:
    layers.segment({receipt(0): [at(0, 0.035)]})
    with layers.reader() as reader:
        assert found(reader, 4) == [1, 2, 0, 3]


def test_equal_distances_are_in_order_of_id_wherever_they_lie(layers: Layers) -> None:
    layers.segment({receipt(2): [at(2, 0.04)], receipt(5): [at(5, 0.04)]})
    with layers.reader() as reader:
        hits = reader.nearest(ASKED, 6)
        assert [hit.metadata["number"] for hit in hits] == [0, 1, 2, 3, 5, 4]
        assert hits[2].distance == hits[3].distance == hits[4].distance
