import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from receipt_chroma.errors import NoSnapshotYet, VersionNotServed
from receipt_dynamo_stream.keys import ReceiptId, word_record_id

from .rounds import Rounds, vector

EXAMPLE = Path(__file__).parents[2] / "examples" / "search_lambda"
RECEIPT = ReceiptId("image-a", 1)
WORDS = [(1, 1), (1, 2)]


@pytest.fixture
def search(rounds: Rounds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The example's function as a new Lambda process calls it: events and answers are JSON."""
    monkeypatch.setenv("SNAPSHOTS", str(rounds.efs))
    monkeypatch.setenv("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001")
    spec = importlib.util.spec_from_file_location("search_lambda", EXAMPLE / "search.py")
    assert spec is not None
    assert spec.loader is not None
    module: ModuleType = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "CACHE", str(tmp_path / "readers"))
    monkeypatch.setattr(module, "WAIT", 0 * module.WAIT)

    def call(**event: Any) -> Any:
        context = SimpleNamespace(aws_request_id="request")
        return json.loads(json.dumps(module.search(json.loads(json.dumps(event)), context)))

    yield SimpleNamespace(call=call, readers=lambda: module.reader_of.cache_info().currsize)
    if module.reader_of.cache_info().currsize:
        module.reader_of("words").close()


def publish(rounds: Rounds, name: str) -> None:
    rounds.put(RECEIPT, "#PLACE", "RECEIPT_PLACE", merchant_name=name)
    rounds.merge_all()


def test_the_example_answers_from_what_is_published_when_it_is_called(rounds: Rounds, search: Any) -> None:
    asked = {"collection": "words", "vector": vector(5).tolist(), "n_results": 1}
    with pytest.raises(NoSnapshotYet):
        search.call(**asked)
    rounds.create(RECEIPT, WORDS)
    rounds.announce(RECEIPT, WORDS, seed=5)
    publish(rounds, "Sprouts")
    answer = search.call(**asked)
    (hit,) = answer["hits"]
    assert (hit["id"], hit["distance"]) == (word_record_id(RECEIPT, 1, 1), 0.0)
    assert hit["metadata"]["merchant_name"] == "Sprouts"
    assert (answer["version"], answer["behind_seconds"], answer["fallback_reason"]) == (1, 0.0, None)
    publish(rounds, "Costco")
    answer = search.call(**asked, min_version=2, where={"merchant_name": "Costco"})
    assert [hit["metadata"]["merchant_name"] for hit in answer["hits"]] == ["Costco"]
    with pytest.raises(VersionNotServed):
        search.call(**asked, min_version=3)
    assert search.call(**asked)["version"] == 2
    assert search.readers() == 1, "one reader per process"


def test_the_readme_names_what_the_example_answers_and_raises(search: Any) -> None:
    text = (EXAMPLE / "README.md").read_text()
    for name in (
        "version",
        "behind_seconds",
        "freshness_seconds",
        "fallback_reason",
        "hits",
        "min_version",
        "NoSnapshotYet",
    ):
        assert name in text
