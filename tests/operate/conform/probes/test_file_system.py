"""The probe function's commands, on a folder: two threads are two instances. A broken rename turns its row red."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from handlers import probe, settings
from operate.conform.probes import file_system
from operate.conform.probes.file_system import NEW, OLD
from operate.conform.probes.instances import Answer
from operate.conform.probes.told import Told
from operate.conform.rows import Outcome, Whose

TOLD = Told("EFS", Whose.EMULATOR)
FOLDER = "one-report"
Meet = Callable[[dict[str, Any], dict[str, Any]], tuple[Answer, Answer]]


@pytest.fixture
def efs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    where = {"CONTROL_TABLE": "c", "RECEIPTS_TABLE": "r", "BUCKET": "b", "EFS_ROOT": str(tmp_path / "efs")}
    monkeypatch.setattr(probe, "settings", lambda: settings.Settings.from_environment(where))
    (tmp_path / "efs").mkdir()
    return tmp_path / "efs"


def ask(command: str, **more: Any) -> Answer:
    event: Any = {"command": command, "folder": FOLDER, "seconds": 10.0, **more}
    answer = probe.probe.__wrapped__(event, None)  # type: ignore[attr-defined]  # what logs around it needs Powertools' environment
    return Answer(answer["instance"], answer["seen"])


@pytest.fixture
def meet(efs: Path) -> Iterator[Meet]:
    with ThreadPoolExecutor(2) as threads:

        def both(one: dict[str, Any], other: dict[str, Any]) -> tuple[Answer, Answer]:
            pair = threads.submit(ask, **one), threads.submit(ask, **other)
            return pair[0].result(20), pair[1].result(20)

        yield both


def replaced(meet: Meet) -> Answer:
    ask("put", name="current", text=OLD)
    hold = {"command": "hold", "name": "current"}
    return meet(hold, {"command": "act", "name": "current", "act": "replace", "text": NEW})[0]


def test_a_rename_over_an_open_file_leaves_the_reader_with_the_old_bytes(meet: Meet) -> None:
    assert file_system.rename_over(TOLD, replaced(meet)).outcome is Outcome.HELD


def test_a_pointer_that_is_written_in_place_turns_the_row_red(meet: Meet, monkeypatch: pytest.MonkeyPatch) -> None:
    def in_place(path: Path, content: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    monkeypatch.setattr(probe, "write_atomically", in_place)
    row = file_system.rename_over(TOLD, replaced(meet))
    assert row.outcome is Outcome.BROKEN
    assert "a mixture" in row.seen


def test_a_folder_is_renamed_and_a_file_removed_under_a_reader(meet: Meet) -> None:
    ask("put", name="one/file", text=OLD)
    act = {"command": "act", "name": "one/file", "act": "rename", "also": "two/file"}
    held, _ = meet({"command": "hold", "name": "one/file", "also": "two/file"}, act)
    assert file_system.rename_of_folder(TOLD, held).outcome is Outcome.HELD
    ask("put", name="removed", text=OLD)
    held, _ = meet({"command": "hold", "name": "removed"}, {"command": "act", "name": "removed", "act": "remove"})
    assert file_system.removed_under_reader(TOLD, held).outcome is Outcome.HELD


def test_a_lock_is_refused_while_it_is_held(meet: Meet) -> None:
    holder, tried = meet({"command": "lock", "name": "lock"}, {"command": "try_lock", "name": "lock"})
    assert file_system.excludes(TOLD, holder, tried).outcome is Outcome.HELD


def test_a_lock_that_excludes_nobody_turns_the_row_red(meet: Meet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe.fcntl, "flock", lambda *_: None)
    holder, tried = meet({"command": "lock", "name": "lock"}, {"command": "try_lock", "name": "lock"})
    assert file_system.excludes(TOLD, holder, tried).outcome is Outcome.BROKEN


@pytest.mark.parametrize(
    "asked",
    [
        {"folder": "../words"},
        {"folder": ""},
        {"name": "../../words/CURRENT"},
        {"name": "/etc/passwd"},
        {"also": "a/b/c"},
        {"command": "anything"},
    ],
)
def test_nothing_outside_its_folder_can_be_named(efs: Path, asked: dict[str, str]) -> None:
    event: Any = {"command": "put", "folder": FOLDER, "name": "file", "text": "", **asked}
    with pytest.raises(probe.ProbeRefused):
        probe.probe.__wrapped__(event, None)  # type: ignore[attr-defined]
    assert list(efs.iterdir()) == []


def test_cleaning_leaves_nothing_of_it_and_nothing_else_goes(efs: Path) -> None:
    (efs / "words").mkdir()
    ask("put", name="file", text="")
    (efs / probe.PROBE_GENERATION).mkdir()
    (efs / f"{probe.PROBE_GENERATION}.published").touch()
    assert ask("clean")["left"] == []
    assert {path.name for path in efs.iterdir()} > {"words", probe.PROBE_GENERATION}, "it may be another report's"
    assert ask("forget")["left"] == []
    assert [path.name for path in efs.iterdir()] == ["words"]
