"""`compaction demo`: how it renders what the demo tells, and how it exits. What the demo does is tested where it is."""

import json
from pathlib import Path

import pytest

from console.cli.main import main
from console.cli.progress import Progress, stdout_console
from local.demo.progress import DemoProgress
from local.demo.result import CollectionResult, DemoFailed, DemoResult, DemoSettings


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[DemoSettings]:
    """Replaces the demo by one that tells a little; gives the settings that it was called with."""
    asked: list[DemoSettings] = []

    def run_demo(settings: DemoSettings, progress: DemoProgress) -> DemoResult:
        asked.append(settings)
        if settings.seed == 13:
            raise DemoFailed("a burst", "2 versions", 1)
        progress.act("A burst")
        with progress.waiting("waiting for [both] collections"):
            progress.say("40 receipts were written.")
        progress.table("Seen", ("collection", "seconds"), [("lines", 1.25), ("words", None)])
        differences = [f"record {n}" for n in range(9)] if settings.seed == 14 else []
        found = CollectionResult(2, 10, 10, {"published": 1}, [0.5, 1.0, 3.0], 1, differences)
        return DemoResult(settings.folder / "efs", {"lines": found, "words": found}, {"MergeDeltas": 0.1})

    monkeypatch.setattr("local.demo.acts.run_demo", run_demo)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return asked


def test_the_story_is_on_stdout_for_a_person(demo: list[DemoSettings], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--receipts", "8", "--shards", "4", "--seed", "3"]) == 0
    said = capsys.readouterr().out
    for text in ("1. A burst", "waiting for [both] collections …", "40 receipts were written.", "lines", "1.25", "-"):
        assert text in said
    (settings,) = demo
    assert (settings.receipts, settings.shards, settings.seed) == (8, 4, 3)
    assert settings.folder == Path.cwd() / ".compaction" / "demo"


def test_in_json_stdout_is_one_object_and_the_story_is_on_stderr(
    demo: list[DemoSettings], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", "--json"]) == 0
    said = capsys.readouterr()
    result = json.loads(said.out.splitlines()[-1])
    assert len(said.out.splitlines()) == 1
    assert result["ok"] is True
    assert result["collections"]["words"]["visible_seconds"] == {"p50": 1.0, "max": 3.0}
    assert "A burst" in said.err


def test_an_act_that_did_not_hold_is_exit_code_1(demo: list[DemoSettings], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--seed", "13", "--json"]) == 1
    said = capsys.readouterr()
    assert json.loads(said.out)["ok"] is False
    assert said.err == "compaction: DemoFailed: a burst: expected 2 versions; seen: 1\n"


def test_a_wrong_snapshot_is_exit_code_1(demo: list[DemoSettings], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--seed", "14", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["ok"] is False


def test_too_few_receipts_are_a_wrong_argument(demo: list[DemoSettings], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--receipts", "2"]) == 2
    assert capsys.readouterr().err == "compaction: the demo needs at least 4 receipts and 1 shard\n"
    assert demo == []


def test_the_renderer_is_what_the_demo_asks_for() -> None:
    progress: DemoProgress = Progress(stdout_console())
    assert {name for name in vars(DemoProgress) if not name.startswith("_")} <= set(dir(progress))
