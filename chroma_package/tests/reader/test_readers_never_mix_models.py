"""ReadersNeverMix across generations: an answer is of one of them, whose model is that of the question."""

import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from receipt_chroma import SnapshotReader, WrongModel
from receipt_chroma.records import Record
from receipt_chroma.snapshot.serving import Serving, swap_serving
from receipt_dynamo_stream.keys import ReceiptId

from ..samples import receipt, vector, word
from .layers import Layers

RECEIPTS = 3
COUNT = 4
SWITCHES = 8
MODELS = {"words": "", "words-2": "embed-3"}
FIRST_SEED = {"words": 0, "words-2": 5_000}

pytestmark = pytest.mark.usefixtures("mount")


def content(generation: str, version: int) -> dict[ReceiptId, list[Record]]:
    """The same ids in both, but for one that each has alone. Vectors say of which it is, texts of which version too."""
    own, text = COUNT + 1 + (generation == "words-2"), f"{generation} {version}"
    return {
        receipt(number): [
            word(1, w, FIRST_SEED[generation] + number * 100 + w, of=receipt(number), document=text)
            for w in (*range(1, COUNT + 1), own)
        ]
        for number in range(RECEIPTS)
    }


@dataclass
class Asker:
    """Asks without a pause, with the model that the reader said; notes everything that must not be."""

    reader: SnapshotReader
    stop: threading.Event
    own: Mapping[str, Mapping[str, bytes]]
    wrong: list[str] = field(default_factory=list)
    answers: int = 0
    refused: int = 0

    def ask(self) -> "Asker":
        while not self.stop.is_set() or not self.answers:
            model = self.reader.model
            (generation,) = (name for name, one in MODELS.items() if one == model)
            question = vector(FIRST_SEED[generation] + 1)
            try:
                hits = self.reader.nearest(question, 100, model=model)
                found = self.reader.query([question], n_results=100, include=["embeddings", "documents"], model=model)
            except WrongModel:  # it switched between reading the model and asking
                self.refused += 1
                continue
            self.answers += 1
            self._look(generation, {hit.id for hit in hits}, {str(hit.document) for hit in hits})
            embeddings, documents = found["embeddings"], found["documents"]
            assert embeddings is not None
            assert documents is not None
            self._look(generation, set(found["ids"][0]), set(map(str, documents[0])))
            vectors = {one: row.tobytes() for one, row in zip(found["ids"][0], embeddings[0], strict=True)}
            if vectors != self.own[generation]:
                self.wrong.append(f"{generation}: other vectors")
            if hits[0].distance != 0.0:
                self.wrong.append(f"{generation}: its own vector is {hits[0].distance} away")
        return self

    def _look(self, generation: str, ids: set[str], documents: set[str]) -> None:
        if ids != self.own[generation].keys():
            self.wrong.append(f"{generation}: {len(ids)} other ids")
        if len(documents) != 1 or not documents.pop().startswith(f"{generation} "):
            self.wrong.append(f"{generation}: texts of {documents or 'another one'}")


def test_no_answer_mixes_generations_while_both_publish_and_a_switch_goes_back_and_forth(tmp_path: Path) -> None:
    both = {name: Layers(tmp_path, shards=2, generation=name, model=model) for name, model in MODELS.items()}
    for name, layers in both.items():
        layers.base(content(name, 1))
    own = {name: {one.id: one.embedding.tobytes() for one in layers.records} for name, layers in both.items()}
    stop = threading.Event()
    with (
        both["words"].reader(refresh_every=timedelta(milliseconds=20)) as shared,
        both["words"].reader() as lazy,
        ThreadPoolExecutor(3) as pool,
    ):
        askers = [pool.submit(Asker(reader, stop, own).ask) for reader in (shared, shared, lazy)]
        try:
            for order in range(1, SWITCHES + 1):
                serves = "words-2" if order % 2 else "words"
                for name, layers in both.items():
                    layers.forget_covered()
                    layers.base() if order % 5 == 0 else layers.segment(content(name, order + 1))
                swap_serving(tmp_path / "efs", "words", Serving(serves, order))
                lazy.refresh()
                assert (lazy.generation, lazy.version, lazy.fallback_reason) == (serves, order + 1, None)
        finally:
            stop.set()
        done = [asker.result() for asker in askers]
        assert [one.wrong for one in done] == [[], [], []]
        assert all(one.answers for one in done)
    assert (len(shared._files), len(lazy._files)) == (0, 0)
