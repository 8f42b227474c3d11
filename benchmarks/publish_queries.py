"""Queries of a reader, of plain chromadb on the same directory, and of LanceDB.

They are asked in turns, so that a busy moment meets all.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
from lance_child import Lance
from merge_data import COLLECTION, delta_of, vectors_of
from numpy.typing import NDArray
from publish_data import SIZES, WORDS, Ground, base_facts, copy_of, new_facts
from publish_steps import publish
from receipt_chroma import SnapshotReader, load_manifest
from receipt_chroma.fold import fold_shard
from receipt_chroma.folding import FoldBound
from receipt_chroma.stage import Attempt
from receipt_dynamo_stream.facts import ReceiptFacts

NEAREST: Final = 10
WARM_UP: Final = 20
QUERY_SEED: Final = 424_242

Search = Callable[[list[float]], tuple[float, list[str]]]
"""Seconds, and the ids of the nearest records, fetched with document and metadata."""


def beside_chroma(
    ground: Ground, fresh: Sequence[int], queries: int, receipts: int, lance: str | None
) -> dict[str, Any]:
    """Median seconds of a query and recall@10: by how many records are fresh, and by who answers."""
    asked = vectors_of(SIZES, [QUERY_SEED], queries + WARM_UP)
    facts = base_facts(receipts)
    found: dict[str, Any] = {}
    with copy_of(ground) as scratch, ExitStack() as opened:
        base = _shard_folder(scratch)
        reader = opened.enter_context(SnapshotReader(scratch.efs, COLLECTION, cache_dir=scratch.folder / "cache"))
        sides = {"ours": _ours(reader), "chroma": opened.enter_context(_plain(base, scratch.folder))}
        if lance is not None:
            child = opened.enter_context(Lance(lance, ground.folder / "lance", scratch.folder))
            sides["lance"] = child.query
        found["0"] = _in_turns(sides, asked, facts)
        sides.pop("lance", None)
        published = 0
        for goal in fresh:
            while published * WORDS < goal:
                new = new_facts(1, published)
                scratch.upload(new)
                publish(scratch, new, FoldBound())
                facts += new
                published += 1
            reader.refresh()
            found[str(goal)] = _in_turns(sides, asked, facts)
        with _plain(_folded(scratch), scratch.folder) as plain:
            found["folded"] = _in_turns({"ours": _ours(reader), "chroma": plain}, asked, facts)
    return found


def beside_many_shards(one: Ground, many: Ground, queries: int) -> dict[str, float]:
    """Median seconds of a query with one shard and with many, of the same records."""
    found = of_grounds({"one": one, "many": many}, queries, [])
    return {name: times["p50"] for name, times in found.items()}


def of_grounds(
    grounds: Mapping[str, Ground], queries: int, facts: Sequence[ReceiptFacts]
) -> dict[str, dict[str, float]]:
    """Median seconds of a query of each ground, asked in turns, and recall@10 where all their receipts are given."""
    asked = vectors_of(SIZES, [QUERY_SEED], queries + WARM_UP)
    with ExitStack() as opened:
        sides = {}
        for name, ground in grounds.items():
            scratch = opened.enter_context(copy_of(ground))
            cache = scratch.folder / "cache"
            sides[name] = _ours(opened.enter_context(SnapshotReader(scratch.efs, COLLECTION, cache_dir=cache)))
        return _in_turns(sides, asked, facts)


def _in_turns(
    sides: dict[str, Search], asked: NDArray[np.float32], facts: Sequence[ReceiptFacts]
) -> dict[str, dict[str, float]]:
    """Each query asked of each side; the median of the seconds, and recall where the records are given."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    answers: dict[str, list[list[str]]] = {name: [] for name in sides}
    for vector in asked.tolist():
        for name, search in sides.items():
            taken, ids = search(vector)
            seconds[name].append(taken)
            answers[name].append(ids)
    right = exact(facts, asked) if facts else []
    return {
        name: {
            "p50": statistics.median(seconds[name][WARM_UP:]),
            "recall": _recall(answers[name], right),
        }
        for name in sides
    }


def exact(facts: Sequence[ReceiptFacts], asked: NDArray[np.float32]) -> list[list[str]]:
    """The ids of the nearest records by squared distance, for each query: every record is looked at."""
    best: list[list[tuple[float, str]]] = [[] for _ in asked]
    lengths = (asked.astype(np.float64) ** 2).sum(axis=1)
    for one in facts:
        records = delta_of(SIZES, one)
        vectors = np.array([record.embedding for record in records], np.float64)
        distances = lengths[:, None] + (vectors**2).sum(axis=1) - 2 * asked.astype(np.float64) @ vectors.T
        for near, row in zip(best, distances, strict=True):
            some = np.argpartition(row, NEAREST)[:NEAREST] if len(row) > NEAREST else range(len(row))
            near += [(float(row[n]), records[n].id) for n in some]
            near.sort()
            del near[NEAREST:]
    return [[record_id for _, record_id in near] for near in best]


def _recall(answers: Sequence[Sequence[str]], right: Sequence[Sequence[str]]) -> float:
    if not right:
        return 0.0
    shares = [len(set(a) & set(b)) / len(b) for a, b in zip(answers, right, strict=True)]
    return statistics.mean(shares)


def _timed(search: Callable[[list[float]], list[str]]) -> Search:
    def timed(vector: list[float]) -> tuple[float, list[str]]:
        begun = time.perf_counter()
        ids = search(vector)
        return time.perf_counter() - begun, ids

    return timed


def _ours(reader: SnapshotReader) -> Search:
    return _timed(lambda vector: [hit.id for hit in reader.nearest(vector, NEAREST)])


@contextmanager
def _plain(published: Path, parent: Path) -> Iterator[Search]:
    """Plain chromadb on a directory: a copy of its database, links to its index."""
    import chromadb
    from chromadb.config import Settings

    with tempfile.TemporaryDirectory(dir=parent, prefix="plain-") as name:
        for entry in published.iterdir():
            if entry.is_dir():
                (Path(name) / entry.name).symlink_to(entry.absolute())
            else:
                shutil.copyfile(entry, Path(name) / entry.name)
        with closing(chromadb.PersistentClient(path=name, settings=Settings(anonymized_telemetry=False))) as client:
            collection: Any = client.get_collection(COLLECTION, embedding_function=None)

            def search(vector: list[float]) -> list[str]:
                include = ["documents", "metadatas", "distances"]
                found = collection.query(query_embeddings=[vector], n_results=NEAREST, include=include)
                return list(found["ids"][0])

            yield _timed(search)


def _shard_folder(ground: Ground) -> Path:
    assert ground.pointer is not None
    return ground.efs / COLLECTION / str(load_manifest(ground.bucket, ground.pointer).shards[0].path)


def _folded(ground: Ground) -> Path:
    """The directory that base and segments fold to."""
    assert ground.pointer is not None
    attempt = Attempt(COLLECTION, "fold", 0, 0, "a1", f"{ground.pointer.snapshot_id}-fold")
    return ground.efs / COLLECTION / fold_shard(ground.pointer, 0, attempt, **ground.places()).staged.path
