"""`compaction up` in a process of its own, and the other commands against the stack that it left running."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from receipt_dynamo_stream.grain import COLLECTIONS

from console.cli.main import main
from console.embedding import SAMPLES, embedder_of
from local.demo.samples.embedding import embed_text
from operate.connection import STACK_FILE, Connection, load_local
from operate.contents.contents import Contents
from operate.contents.query import Answer
from operate.stack import Stack

RECEIPTS = 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("up")


@pytest.fixture(scope="module")
def running(folder: Path) -> Iterator[tuple["subprocess.Popen[str]", Connection]]:
    command = [sys.executable, "-m", "console.cli.main", "up", "--sample", str(RECEIPTS), "--json"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as up:
        assert up.stdout is not None
        line = up.stdout.readline()
        assert line, up.stderr.read() if up.stderr else ""
        said = json.loads(line)
        assert said.pop("console_url").startswith("http://127.0.0.1:")
        try:
            yield up, Connection.from_json(said)
            up.send_signal(signal.SIGTERM)
            up.communicate(timeout=60)
        finally:
            up.kill()  # nothing happens when it has ended, as it should have


@pytest.fixture
def published(
    running: tuple["subprocess.Popen[str]", Connection], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Connection:
    """The stack, once every sample receipt is in both snapshots and nothing runs; its folder is the current one."""
    monkeypatch.chdir(folder)
    operator = Stack(running[1])
    for collection in COLLECTIONS:
        while (status := operator.collections.status(collection)).version == 0 or status.pending:
            assert running[0].poll() is None
            operator.executions.wait(operator.executions.start(collection))
        for execution in operator.executions.of(collection):  # the one that published may still be settling
            operator.executions.wait(execution.arn)
    return running[1]


def test_the_stack_says_where_it_is_in_its_file_and_on_stdout(published: Connection) -> None:
    assert load_local() == published
    assert published.endpoint_url is not None
    assert published.endpoint_url.startswith("http://127.0.0.1:")
    assert published.efs_root is not None
    assert Path(published.efs_root, "words", "CURRENT").is_file()


def test_a_second_stack_in_the_same_folder_is_refused(
    published: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["up"]) == 2
    assert "a local stack runs in this folder already" in capsys.readouterr().err
    assert load_local() == published


def test_every_command_works_on_it(published: Connection, capsys: pytest.CaptureFixture[str]) -> None:
    def said(*argv: str) -> dict[str, object]:
        assert main([*argv, "--json"]) == 0
        value = json.loads(capsys.readouterr().out)
        assert isinstance(value, dict)
        return value

    statuses = said("status")["collections"]
    assert all(statuses[collection]["records"] > RECEIPTS for collection in COLLECTIONS)  # type: ignore[index]
    assert said("history", "words", "--status", "published")["executions"]
    assert said("start", "words", "--wait")["outcome"] in ("nothing_pending", "coalesced")
    assert said("reconcile", "lines")["receipts"] == RECEIPTS
    plan = said("start", "lines", "--mode", "plan")["plan"]
    assert set(plan) >= {"receipts", "runs", "shards"}  # type: ignore[call-overload]
    again = said("rerun", str(said("history", "lines", "--limit", "1")["executions"][0]["name"]), "--wait")  # type: ignore[index]
    assert again["collection"] == "lines"


def ask(connection: Connection, cache: Path, **question: Any) -> Answer:
    with Contents(Stack(connection), cache=cache, embedder=embedder_of(connection)) as contents:
        return contents.search("words", None, **question)


def test_a_question_by_text_finds_what_the_text_says(published: Connection, tmp_path: Path) -> None:
    answer = ask(published, tmp_path, text="total", n=3)
    assert [hit.rank for hit in answer.hits] == [1, 2, 3]
    assert sorted(hit.distance for hit in answer.hits) == [hit.distance for hit in answer.hits]
    assert answer.version >= 1
    assert "tot" in (answer.hits[0].document or "").lower()
    assert list(tmp_path.iterdir()) == []


def test_where_the_file_system_is_out_of_reach_the_snapshot_comes_from_s3(
    published: Connection, tmp_path: Path
) -> None:
    vector = json.dumps([float(value) for value in embed_text("total")])
    there = ask(published, tmp_path, text="total", n=4)
    from_s3 = ask(replace(published, efs_root=None), tmp_path, vector=vector, n=4)
    assert replace(from_s3, embedder=there.embedder, nearness=there.nearness) == there
    assert (there.embedder, there.nearness) == (SAMPLES, pytest.approx(1, abs=0.2))


OTHERS = [pytest.param(number, marks=pytest.mark.slow) for number in (signal.SIGTERM, signal.SIGHUP)]


@pytest.mark.parametrize("number", [signal.SIGINT, *OTHERS])
def test_it_stops_on_a_signal_and_takes_its_file_with_it(tmp_path: Path, number: signal.Signals) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3]), "COLUMNS": "80"}
    with subprocess.Popen(
        [sys.executable, "-m", "console.cli.main", "up"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as up:
        assert up.stdout is not None
        said = [up.stdout.readline() for _ in range(15)]
        assert (tmp_path / STACK_FILE).is_file()
        up.send_signal(number)
        rest, errors = up.communicate(timeout=60)
    assert up.returncode == 0, errors
    assert not (tmp_path / STACK_FILE).exists()
    text = "".join(said) + rest
    assert "Ctrl-C stops it" in text
    assert "compaction query words" in text
    assert "The local stack is down" in errors
