"""Good shards, to be damaged."""

import shutil
from pathlib import Path

import pytest
from receipt_chroma.shard.sqlite_files import compact_sqlite

from ..chroma_files import chroma_directory
from ..samples import facts, run
from ..world import World
from .good import RECORDS, WORDS, Staged, index


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = chroma_directory(tmp_path_factory.mktemp("good") / "shard", RECORDS, sync_threshold=1)
    index(folder, RECORDS)
    compact_sqlite(folder)
    return folder


@pytest.fixture
def shard(original: Path, tmp_path: Path) -> Path:
    """A private copy of a good shard of 40 records."""
    return Path(shutil.copytree(original, tmp_path / "shard"))


@pytest.fixture
def staged(world: World) -> Staged:
    world.upload(run(1), RECORDS)
    plan = world.plan(facts(WORDS, runs=[run(1)]))
    return Staged(world, plan, world.merge(plan))
