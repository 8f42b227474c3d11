"""docs/howto/upgrade-chromadb.md: what one release published, another reads, merges into, folds and rolls back."""

import json
import os
import re
import site
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import CalledProcessError
from typing import Any

import pytest
from moto import mock_aws
from receipt_chroma.folding import ALWAYS
from receipt_chroma.rollback import prepare_rollback
from receipt_chroma.shard.chroma_dir import chromadb_version
from receipt_chroma.snapshot.manifest import Manifest, load_manifest
from receipt_dynamo_stream.control.head import Head, Pointer

from chroma_package.tests.samples import receipt
from chroma_package.tests.world import World

from .other_chromadb import SMALL, WORDS, leave, seen, some_facts, take
from .shell import ROOT, Shell, blocks, chapters, install

RELEASES = ("1.5.3", "1.5.8")
"""Those that are left: the oldest that our code runs on with no other package than now, and the one before the pin."""
CHAPTERS = chapters("upgrade-chromadb.md")
PIN = re.compile(r"^chromadb==(\S+)", re.MULTILINE)


@dataclass(frozen=True)
class OtherPython:
    """A Python with another chromadb, and everything else as here."""

    python: Path

    def run(self, what: str, folder: Path) -> dict[str, Any]:
        done = subprocess.run(
            [self.python, ROOT / "tests/howto/other_chromadb.py", what, folder],
            env={**os.environ, "PYTHONPATH": str(ROOT), "AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return told


@pytest.fixture
def old(request: pytest.FixtureRequest, tmp_path: Path) -> OtherPython:
    """Its own chromadb comes first on its path, then the packages of this environment."""
    try:
        programs = install(tmp_path / "venv", "--no-deps", f"chromadb=={request.param}")
    except CalledProcessError as error:
        pytest.skip(f"chromadb {request.param} cannot be installed: {error.stderr[-300:]}")
    (packages,) = (tmp_path / "venv/lib").glob("python*/site-packages")
    rest = "; ".join(f"site.addsitedir({folder!r})" for folder in site.getsitepackages())
    (packages / "zz_rest.pth").write_text(f"import site; {rest}\n")
    return OtherPython(programs / "python")


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "local")
    with mock_aws():
        yield


def versions(world: World) -> list[Manifest]:
    """Every published version, oldest first."""
    found, pointer = [], world.pointer
    while pointer is not None:
        found.append(load_manifest(world.store, pointer))
        pointer = found[-1].parent
    return found[::-1]


def roll_back(world: World, target: Pointer) -> None:
    world.fence += 1
    assert world.pointer is not None
    head = Head("words", fence=world.fence, pointer=world.pointer, version=world.pointer.version, shards=1)
    places: dict[str, Any] = {"bucket": world.store, "efs_root": world.efs}
    why = {"execution": "rollback", "trigger": "operator", "at": "2026-02-01T00:00:00+00:00"}
    world.commit(prepare_rollback(head=head, target=target, **why, **places)[0])


def ids(*numbers: int) -> set[str]:
    """The words of receipts, written as producers write them."""
    return {
        f"IMAGE#{receipt(number).image_id}#RECEIPT#00001#LINE#{line:05d}#WORD#{word:05d}"
        for number in numbers
        for line, word in WORDS
    }


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("old", RELEASES, indirect=True, ids=str)
def test_what_an_older_chromadb_published_is_read_merged_into_folded_and_rolled_back_and_can_be_given_back(
    old: OtherPython, tmp_path: Path, aws: None
) -> None:
    """RowsConserved, RetainedIsReadable."""
    stage = tmp_path / "stage"
    stage.mkdir()
    told = old.run("publish", stage)
    assert told["chromadb"] in RELEASES
    assert told["chromadb"] != chromadb_version()
    world = take(stage)
    _, second, third = versions(world)
    assert {one.chromadb_version for one in versions(world)} == {told["chromadb"]}

    assert seen(stage) == told["seen"], "read, by get and by search"
    assert told["seen"].keys() == ids(*range(41)) - ids(1)
    for one in versions(world):
        assert world.verify(one.pointer).records == one.records

    world.bound = SMALL
    world.publish(some_facts(world, 41))
    assert world.manifest.shards[0].path == third.shards[0].path, "a segment over the older release's base"
    assert world.commit_fold(world.fold())
    assert (world.manifest.segment_count, world.manifest.chromadb_version) == (0, chromadb_version())
    assert world.verify().records == third.records + 3
    assert seen(stage).keys() == told["seen"].keys() | ids(41)

    roll_back(world, second.pointer)
    assert world.manifest.shards == second.shards, "the older release's files"
    assert seen(stage).keys() == ids(*range(40)) - ids(1)
    world.verify()

    world.bound = ALWAYS
    world.publish(some_facts(world, 42), some_facts(world, 0, "ANOTHER"))
    assert world.manifest.shards[0].path != second.shards[0].path, "a base merged out of the older release's"
    assert world.verify().records == second.records + 3

    leave(world, stage)
    assert old.run("read", stage)["seen"] == seen(stage), "the way back: readers"
    again = old.run("publish", stage)
    assert again["chromadb"] == told["chromadb"]
    assert seen(stage) == again["seen"], "and writers"


def test_the_pin_that_the_page_moves_is_where_it_says(tmp_path: Path) -> None:
    """Its first line, on a copy of the file: the project's pin moves, and nothing else does."""
    (move,) = blocks(CHAPTERS["Move the pin"])
    project = "chroma_package/pyproject.toml"
    (tmp_path / "chroma_package").mkdir()
    before = (ROOT / project).read_text()
    (tmp_path / project).write_text(before)
    Shell(tmp_path, {}).run(move.splitlines()[0])
    after = (tmp_path / project).read_text()
    assert after != before
    assert re.sub(r"chromadb==\S+?\"", "", after) == re.sub(r"chromadb==\S+?\"", "", before)
    assert [path.name for path in (tmp_path / "chroma_package").iterdir()] == ["pyproject.toml"]
    for lock in ("locks/run.txt", "handlers/requirements.txt"):
        assert f"`{lock}`" in CHAPTERS["Move the pin"]
        assert PIN.findall((ROOT / lock).read_text()) == [chromadb_version()]


def test_what_the_page_says_was_tested_is_what_is_tested() -> None:
    listed = CHAPTERS["Upgrade chromadb"]
    assert f"| {', '.join(RELEASES)} → {chromadb_version()}, and back |" in listed
    old_directories = (ROOT / "chroma_package/tests/delta/test_old_chroma.py").read_text()
    oldest, newest = re.findall(r"(\d\.\d+\.\d+) to (\d\.\d+\.\d+) are tested", listed)[0]
    assert f'"release", ["{oldest}", ' in old_directories
    assert f', "{newest}"])' in old_directories


def test_every_file_that_the_page_names_is_there() -> None:
    named = re.findall(r"`((?:chroma_package|tests|handlers|locks)/[\w./-]+)`", "".join(CHAPTERS.values()))
    assert len(named) > 8
    assert [path for path in named if not (ROOT / path).exists()] == []
