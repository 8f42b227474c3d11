"""The pages of those who read: their programs on what a deployment published, in this process."""

import json
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import botocore.client
import pytest
from receipt_chroma import NoSnapshotYet
from receipt_dynamo_stream.keys import word_record_id

from console.cli.main import main
from tests.snapshots.rounds import Rounds, vector

from .conftest import RECEIPT, merchant
from .pages import Desk, commands

LAMBDA, NOTEBOOK = "search-in-my-lambda.md", "notebook-on-production-data.md"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the reader saves programs and runs them."""
    folder = tmp_path / "mine"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("HOME", str(folder))
    return folder


@pytest.fixture
def search(folder: Path, published: Rounds, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The page's function, as a Lambda process that has just started has it."""
    monkeypatch.setenv("SNAPSHOTS", str(published.efs))
    monkeypatch.setenv("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001")
    Desk(folder, {"/tmp/readers": str(folder / "readers")}).save(LAMBDA)
    import search

    yield search
    if search.reader_of.cache_info().currsize:
        search.reader_of("words").close()
    del sys.modules["search"]


def test_the_function_of_the_page_answers_from_what_is_published_at_each_invocation(
    search: Any,
    folder: Path,
    published: Rounds,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("SNAPSHOTS", str(folder))
        with pytest.raises(NoSnapshotYet):
            search.handler({"vector": vector(5).tolist()}, None)
    runpy.run_path(str(folder / "ask.py"))
    answer = json.loads(capsys.readouterr().out)
    assert (answer["version"], answer["behind_seconds"], answer["hits"][0]["distance"]) == (1, 0.0, 0.0)
    merchant(published, "Costco")
    published.merge_all()
    asked = {"vector": vector(5).tolist(), "n_results": 1, "where": {"merchant_name": "Costco"}}
    answer = search.handler(asked, None)
    assert answer["version"] == 2
    assert [hit["id"] for hit in answer["hits"]] == [word_record_id(RECEIPT, 1, 1)]
    assert search.reader_of.cache_info().currsize == 1, "one reader in a process"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Every call of AWS that the test makes from now on, and the key or prefix it is about."""
    found: list[tuple[str, str]] = []
    call = botocore.client.BaseClient._make_api_call

    def listened(self: Any, operation: str, values: dict[str, Any]) -> Any:
        found.append((operation, values.get("Key") or values.get("Prefix") or ""))
        return call(self, operation, values)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", listened)
    return found


def test_the_notebook_page_reads_the_bucket_by_the_readers_policy_alone(
    folder: Path, published: Rounds, capsys: pytest.CaptureFixture[str], asked: list[tuple[str, str]]
) -> None:
    Desk(folder, {"BUCKET": published.bucket}).save(NOTEBOOK)
    runpy.run_path(str(folder / "look.py"))
    said = capsys.readouterr().out
    assert "version 1: 2 records of 4 dimensions" in said
    assert f"{word_record_id(RECEIPT, 1, 1)} text 5 Sprouts" in said
    assert "0.0000 text 5" in said
    (export,) = [line for line in commands(NOTEBOOK) if line.startswith("compaction export")]
    assert main([published.bucket if word == "BUCKET" else word for word in export.split()[1:]]) == 0
    capsys.readouterr()
    runpy.run_path(str(folder / "plain.py"))
    assert capsys.readouterr().out.startswith("2 records\n[['text 5', ")
    assert {operation for operation, _ in asked} == {"GetObject", "ListObjectsV2"}, "what the page says is needed"
    assert all(key.startswith("snapshots/") for _, key in asked)
