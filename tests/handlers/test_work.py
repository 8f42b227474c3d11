"""The work root of an invocation: what a killed one left is gone, what another one works in stays."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from handlers.settings import settings
from handlers.work import KINDS, work_folder

from .conftest import Aws

CHILD = """
import sys
from handlers.work import work_folder
with work_folder("merge") as folder:
    (folder / "copy").write_bytes(b"x" * 1000)
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def root(aws: Aws, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("WORK_ROOT", str(tmp_path / "work"))
    settings.cache_clear()
    return tmp_path / "work"


@contextmanager
def at_work() -> Iterator[tuple[Path, subprocess.Popen[str]]]:
    """Another process that works in a folder of the same root."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen([sys.executable, "-c", CHILD], text=True, env=environment, **pipes) as child:
        assert child.stdout
        try:
            yield Path(child.stdout.readline().strip()), child
        finally:
            child.kill()


def test_a_folder_is_private_and_gone_afterwards(root: Path) -> None:
    with work_folder("merge") as one, work_folder("merge") as two:
        (one / "file").write_text("x")
        assert one.parent == two.parent == root
        assert one != two
    assert list(root.iterdir()) == []


def test_it_is_gone_after_an_error_too(root: Path) -> None:
    with pytest.raises(ValueError, match="no"), work_folder("fold"):
        raise ValueError("no")
    assert list(root.iterdir()) == []


def test_what_a_killed_process_left_is_gone_when_the_next_one_begins(root: Path) -> None:
    with at_work() as (left, child):
        child.kill()
        child.wait()
        assert (left / "copy").exists()
        with work_folder("validate") as folder:
            assert list(root.iterdir()) == [folder]


def test_what_a_running_process_works_in_stays(root: Path) -> None:
    with at_work() as (theirs, _):
        for kind in KINDS:
            with work_folder(kind):
                assert (theirs / "copy").exists()


def test_what_is_not_ours_stays(root: Path) -> None:
    (root / "somebody").mkdir(parents=True)
    (root / "merge-notes.txt").write_text("a file")
    with work_folder("merge"):
        pass
    assert sorted(path.name for path in root.iterdir()) == ["merge-notes.txt", "somebody"]
