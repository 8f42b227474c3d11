"""Questions to any retained version, answered as its readers answer them, from few open versions for many threads."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from receipt_dynamo_stream.control.head import Pointer
from receipt_dynamo_stream.sharding import shard_of

from console.embedding import SAMPLES
from local.demo.samples.embedding import embed_text
from operate.connection import save_local
from operate.contents.open_versions import OpenVersions
from operate.contents.query import Answer
from operate.contents.shard_files import ShardFiles
from operate.errors import SnapshotNotFound, UsageError, VersionUnreadable
from operate.stack import Stack

from ...snapshots.rounds import DIMENSION, vector
from ...toy_stack.version_histories import A, History, contents_of
from .test_compare import by_hand


def nearest(history: History, pointer: Pointer, embedding: np.ndarray) -> list[tuple[str, float]]:
    """By reading everything."""
    distances = {
        one: float(((np.frombuffer(bits, np.float32) - embedding) ** 2).sum())
        for one, (_, _, bits) in history.content("words", pointer).items()
    }
    return sorted(distances.items(), key=lambda one: (one[1], one[0]))


def check(history: History, pointer: Pointer, answer: Answer, embedding: np.ndarray) -> None:
    assert (answer.version, answer.snapshot_id) == (pointer.version, pointer.snapshot_id)
    expected = nearest(history, pointer, embedding)[: len(answer.hits)]
    assert [hit.id for hit in answer.hits] == [one for one, _ in expected]
    assert [hit.distance for hit in answer.hits] == pytest.approx([distance for _, distance in expected], abs=1e-5)


@pytest.mark.parametrize("local", [True, False], ids=["EFS", "S3"])
@pytest.mark.parametrize("which", ["segmented", pytest.param("mixed", marks=pytest.mark.slow)])
def test_versions_with_segments_answer_as_if_they_were_folded(
    request: pytest.FixtureRequest, which: str, local: bool
) -> None:
    history = request.getfixturevalue(which)
    embedding = vector(3)
    with contents_of(history, local=local) as contents:
        for pointer in history.versions["words"][:6]:
            answer = contents.search("words", pointer.snapshot_id, vector=json.dumps(embedding.tolist()), n=8)
            check(history, pointer, answer, embedding)
            assert len(answer.hits) == min(8, len(history.content("words", pointer)))
            for merchant in ("Sprouts", "Costco"):
                hits = contents.search(
                    "words", pointer.snapshot_id, vector="[1, 0, 0, 0]", n=99, where={"merchant_name": merchant}
                ).hits
                expected = {
                    one
                    for one, (_, metadata, _) in history.content("words", pointer).items()
                    if metadata.get("merchant_name") == merchant
                }
                assert {hit.id for hit in hits} == expected


@pytest.mark.parametrize("local", [True, False], ids=["EFS", "S3"])
def test_every_version_answers_with_its_own_records_and_their_shards(history: History, local: bool) -> None:
    embedding = vector(3)
    with contents_of(history, local=local) as contents:
        for pointer in history.versions["words"][:3]:
            answer = contents.search("words", pointer.snapshot_id, vector=json.dumps(embedding.tolist()), n=8)
            check(history, pointer, answer, embedding)
            assert all(
                hit.shard == shard_of("image-b" if "image-b" in hit.id else "image-a", 1, 4) for hit in answer.hits
            )
        first, third = (contents.search("words", given, vector="[1, 0, 0, 0]", n=1) for given in ("1", "3"))
        assert first.hits[0].merchant is None
        assert {hit.merchant for hit in contents.search("words", "3", vector="[1, 0, 0, 0]", n=99).hits} == {
            *(None, "Sprouts")
        }
        assert third.hits


def test_a_text_is_embedded_as_the_sample_producers_embed_it(history: History) -> None:
    with contents_of(history) as contents:
        answer = contents.search("words", "2", text="total 12.99", n=4)
        check(history, history.versions["words"][1], answer, embed_text("total 12.99", DIMENSION))
        assert answer.embedder == SAMPLES
        assert answer.nearness is not None
        by_vector = contents.search("words", "2", vector="[1, 0, 0, 0]")
        assert (by_vector.embedder, by_vector.nearness) == (None, None)


def test_a_text_is_refused_where_another_embedder_made_the_vectors(
    run, history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    save_local(history.connection())
    said = run("query", "words", "total")
    assert (said.code, "were not embedded by" in said.error_line, "--embedder" in said.error_line) == (2, True, True)
    said = run("query", "words", "total", "--embedder", SAMPLES)
    assert (said.code, "hardly of its making" in " ".join(said.out.split())) == (0, True)


def test_a_filter_narrows_the_answer(history: History) -> None:
    with contents_of(history) as contents:
        answer = contents.search("words", "3", text="x", n=99, where={"merchant_name": "Sprouts"})
        assert (len(answer.hits), {hit.id.partition("#LINE")[0] for hit in answer.hits}) == (5, {A.key})
        assert contents.search("words", "3", text="x", where={"merchant_name": "Costco"}).hits == ()


@pytest.mark.parametrize(
    ("question", "problem"),
    [
        ({}, "either a text or a vector"),
        ({"text": "a", "vector": "[]"}, "either a text or a vector"),
        ({"text": "a", "n": 0}, "1 to 1,000 answers"),
        ({"text": "a", "n": 1_001}, "1 to 1,000 answers"),
        ({"vector": "milk"}, "the vector is not JSON"),
        ({"vector": "[" * 100_000}, "the vector is not JSON"),
        ({"vector": '["1", 2, 3, 4]'}, "the vector is not a JSON array of finite numbers"),
        ({"vector": "[NaN, 2, 3, 4]"}, "the vector is not a JSON array of finite numbers"),
        ({"vector": "[1, 2]"}, "the vector has 2 numbers, the vectors of this collection have 4"),
        ({"text": "a", "where": {"a": {"$odd": 1}}}, "the filter is refused"),
        ({"text": "a", "where": {"a": 1, "b": 2}}, "the filter is refused"),
    ],
    ids=[*("nothing", "both", "none", "many", "no JSON", "deep", "texts", "NaN", "short", "operator", "two keys")],
)
def test_what_cannot_be_asked_is_refused_in_one_line(history: History, question, problem: str) -> None:
    with contents_of(history) as contents, pytest.raises(UsageError, match=problem) as refused:
        contents.search("words", "3", **question)
    assert "\n" not in str(refused.value)


def test_without_the_file_system_texts_are_refused(history: History) -> None:
    with (
        contents_of(history, local=False) as contents,
        pytest.raises(UsageError, match="which embedder made these vectors"),
    ):
        contents.search("words", "3", text="total")


def test_an_empty_version_has_nothing_to_compare_with(history: History) -> None:
    empty = by_hand("lines", history.versions["lines"][-1])
    history.publish(empty)
    with contents_of(history) as contents:
        with pytest.raises(SnapshotNotFound, match="is empty: there is nothing to compare with"):
            contents.search("lines", empty.snapshot_id, text="total")
        assert contents.records("lines", empty.snapshot_id).total == 0
        assert contents.receipts("lines", empty.snapshot_id) == ()


def test_a_shard_is_opened_once_for_all_versions_and_threads_and_few_versions_stay_open(history: History) -> None:
    files = ShardFiles.of(Stack(history.connection()))
    versions = OpenVersions(files, limit=2)
    manifests = [history.manifest(pointer) for pointer in history.versions["words"][:3]]
    paths = [{shard.path for shard in manifest.shards if shard.path} for manifest in manifests]
    assert [len(one) for one in paths] == [1, 2, 2]
    assert len(paths[0] | paths[1]) == 2
    together = threading.Barrier(8)

    def ask(number: int) -> int:
        together.wait()
        with versions.borrow(manifests[number % 2]) as snapshot:
            return snapshot.count()

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(ask, range(8))) == [6] * 4 + [12] * 4
    assert len(versions.shards) == 2
    with versions.borrow(manifests[0]) as used:
        for manifest in manifests[1:]:
            with versions.borrow(manifest) as snapshot:
                assert snapshot.count() == manifest.records
        assert len(versions.shards) == 3
        assert not used.closed.is_set()
        assert used.count() == 6
    assert used.closed.is_set()
    versions.close()
    assert len(versions.shards) == 0
    with pytest.raises(RuntimeError), versions.borrow(manifests[0]):
        pass
    assert len(versions.shards) == 0
    versions.close()


def test_a_version_that_could_not_be_opened_leaves_nothing_open_and_is_tried_again(history: History) -> None:
    manifest = history.manifest(history.versions["words"][1])
    with contents_of(history) as contents:
        damaged = next(history.efs / "words" / shard.path for shard in manifest.shards if shard.path)
        good = (damaged / "chroma.sqlite3").read_bytes()
        (damaged / "chroma.sqlite3").write_bytes(good[:-1] + b"\1")
        with pytest.raises(VersionUnreadable, match="differs from its manifest"):
            contents.search("words", "2", text="total")
        assert len(contents._open.shards) == 0
        (damaged / "chroma.sqlite3").write_bytes(good)
        assert contents.search("words", "2", text="total").hits


def test_query_asks_the_version_that_it_is_told(
    run, history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    save_local(history.connection())
    query = partial(run, "query", "words", "total", "--embedder", SAMPLES, "--version")
    for given in ("1", history.versions["words"][0].snapshot_id):
        answer = query(given, "--json").json
        assert (answer["version"], len(answer["hits"])) == (1, 5)
    assert "words, version 2" in query("2").out
    hits = query("3", "--where", '{"merchant_name": "Sprouts"}', "--json").json["hits"]
    assert {hit["merchant"] for hit in hits} == {"Sprouts"}
    said = query("999")
    assert (said.code, "no version 999 of words" in said.error_line) == (2, True)
