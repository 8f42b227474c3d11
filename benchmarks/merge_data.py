"""The seeded data of the merge benchmark: a words collection, and three plans that change it.

Unit vectors of 1,536 float32 dimensions, and 15 scalar metadata keys a record: nine that its delta brings and six that
the facts decide. Receipts repeat their words, so a vector is one of 2,000 directions with noise of half its length; or,
unstructured, all noise, which no embedding is, and which makes Chroma's graph as expensive as it can be. Everything
depends on the numbers of receipt and word alone, so that each process makes the same records for itself.
"""

from __future__ import annotations

import io
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from receipt_chroma.derived import DerivedMetadata
from receipt_chroma.records import Metadata, Record
from receipt_chroma.shard.chroma_dir import batches
from receipt_dynamo_stream.control.head import Pointer, snapshot_id_of
from receipt_dynamo_stream.facts import ReceiptFacts, RunFact
from receipt_dynamo_stream.keys import ReceiptId, parse_record_id, word_record_id
from receipt_dynamo_stream.round.plan import Plan, PlannedReceipt

COLLECTION = "words"
DIMENSION = 1536
BASE_WORDS = 50
"""Words of a receipt of the base."""

_ADDED = "2026-01-01T00:00:00+00:00"
_PLACE = {
    "merchant_name": "Corner Shop",
    "merchant_category": "grocery_or_supermarket",
    "formatted_address": "1 High Street, Springfield",
    "phone_number": "+1 555 0100",
    "place_id": "ChIJN1t_tDeuEmsRUsoyG83frY4",
}


@dataclass(frozen=True)
class Sizes:
    """How many records the base has, how many each plan changes, and whether the vectors are all noise."""

    base: int
    unstructured: bool = False

    @property
    def added(self) -> int:
        """A quarter of the base: 5,000 of 20,000."""
        return self.base // 4

    @property
    def changed(self) -> int:
        """One in 40: 500 of 20,000."""
        return self.base // 40


def _receipt(number: int) -> ReceiptId:
    return ReceiptId(f"{number:08x}-2fad-4e00-92c8-b593da3a8ed3", 1)


def _run(receipt: int, which: int) -> RunFact:
    name = f"{receipt:08x}-{which}"
    return RunFact(f"2026-01-{which + 1:02d}T00:00:00+00:00", name, f"words/delta/{name}/", "PENDING")


def facts_of(number: int, words: int, *, runs: int = 1, merchant: str = _PLACE["merchant_name"]) -> ReceiptFacts:
    """A receipt with ten words a line, a place, and one run or two."""
    return ReceiptFacts(
        receipt=_receipt(number),
        exists=True,
        timestamp_added=_ADDED,
        lines=frozenset(1 + word // 10 for word in range(words)),
        words=frozenset((1 + word // 10, 1 + word % 10) for word in range(words)),
        place={**_PLACE, "merchant_name": merchant},
        metadata=None,
        labels=(),
        sections=(),
        runs=tuple(_run(number, which + 1) for which in range(runs)),
    )


@cache
def _directions() -> NDArray[np.float64]:
    return _unit(np.random.default_rng(7).standard_normal((2_000, DIMENSION)))


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths: NDArray[np.float64] = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / lengths


def vectors_of(sizes: Sizes, seed: Sequence[int], count: int) -> NDArray[np.float32]:
    """Unit vectors, (count, DIMENSION); equal seeds give equal ones."""
    random = np.random.default_rng(seed)
    vectors = _unit(random.standard_normal((count, DIMENSION)))
    if not sizes.unstructured:
        vectors = _unit(_directions()[random.integers(0, len(_directions()), count)] + vectors / 2)
    return vectors.astype(np.float32)


def delta_of(sizes: Sizes, facts: ReceiptFacts) -> list[Record]:
    """The records of the newest run of a receipt: all its words."""
    which = len(facts.runs)
    number = int(facts.receipt.image_id[:8], 16)
    words = sorted(facts.words)
    vectors = vectors_of(sizes, [number, which], len(words))
    return [
        Record(word_record_id(facts.receipt, line, word), vector, f"word {line}-{word}", _own_metadata(line, word))
        for vector, (line, word) in zip(vectors, words, strict=True)
    ]


def _own_metadata(line: int, word: int) -> Metadata:
    return {
        "text": f"word {line}-{word}",
        "image_width": 2480,
        "line_id": line,
        "word_id": word,
        "x": word / 16,
        "y": line / 32,
        "confidence": 0.96875,
        "is_number": word % 3 == 0,
        "source": "ocr",
    }


def whole_records(sizes: Sizes, facts: ReceiptFacts) -> list[Record]:
    """The newest run's records as a collection has them, with what the facts say: what a naive producer uploads."""
    derived = DerivedMetadata(facts, COLLECTION)
    return [
        replace(record, metadata=derived.apply(parse_record_id(record.id), record.metadata))
        for record in delta_of(sizes, facts)
    ]


def base_facts(sizes: Sizes) -> list[ReceiptFacts]:
    """The receipts of the base."""
    return [facts_of(number, BASE_WORDS) for number in range(sizes.base // BASE_WORDS)]


def added_facts(sizes: Sizes, deltas: int) -> list[ReceiptFacts]:
    """New receipts, each with one delta."""
    first = sizes.base  # numbers that no receipt of the base has, others for every number of deltas
    return [facts_of(first + deltas * 1000 + number, sizes.added // deltas) for number in range(deltas)]


def replaced_facts(sizes: Sizes) -> list[ReceiptFacts]:
    """Receipts of the base that were embedded again."""
    return [facts_of(number, BASE_WORDS, runs=2) for number in range(sizes.changed // BASE_WORDS)]


def relabelled_facts(sizes: Sizes) -> list[ReceiptFacts]:
    """Receipts of the base that have another merchant."""
    return [facts_of(number, BASE_WORDS, merchant="Market Hall") for number in range(sizes.changed // BASE_WORDS)]


def plan_of(facts: Sequence[ReceiptFacts], base: Pointer | None, fence: int) -> Plan:
    """The plan of an execution that nobody else knows."""
    return Plan(
        collection=COLLECTION,
        execution=f"execution-{fence}",
        execution_arn="arn:aws:states:execution",
        trigger="benchmark",
        round=1,
        fence=fence,
        base=base,
        snapshot_id=snapshot_id_of(base.version + 1 if base else 1, fence, 1),
        shards=1,
        planned_at=_ADDED,
        receipts=tuple(PlannedReceipt(0, "token", 0, _ADDED, one) for one in facts),
    )


def chroma_tar(records: Sequence[Record]) -> bytes:
    """A `delta.tar.gz` as producers write it: a Chroma directory with default settings."""
    import chromadb
    from chromadb.config import Settings

    with tempfile.TemporaryDirectory() as folder:
        client = chromadb.PersistentClient(path=folder, settings=Settings(anonymized_telemetry=False))
        collection = client.create_collection(
            COLLECTION, embedding_function=None, configuration={"hnsw": {"space": "l2"}}
        )
        for batch in batches(records, 250):
            upsert(collection, batch)
        client.close()
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode="w:gz") as tar:
            for path in _files(Path(folder)):
                tar.add(path, arcname=path.relative_to(folder).as_posix())
    return content.getvalue()


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def upsert(collection: object, records: Sequence[Record]) -> None:
    """Upsert whole rows with plain chromadb."""
    collection.upsert(  # type: ignore[attr-defined]
        ids=[record.id for record in records],
        embeddings=[record.embedding for record in records],
        documents=[record.document for record in records],
        metadatas=[record.metadata for record in records],
    )
