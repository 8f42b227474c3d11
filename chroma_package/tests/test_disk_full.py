"""A disk without room: a named error that says how much is free and how much is needed, and no fault of any delta."""

import errno
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from receipt_chroma.delta.read import read_delta
from receipt_chroma.errors import DiskFull, StorageUnavailable
from receipt_chroma.export import export_snapshot
from receipt_chroma.folding import FoldBound
from receipt_chroma.shard.sqlite_files import compact_sqlite
from receipt_chroma.snapshot.download import download_snapshot
from receipt_chroma.storage import files, room
from receipt_chroma.storage.files import storage_errors

from .chroma_files import chroma_directory, tar_of
from .samples import DIMENSION, RECEIPT, word
from .uploads import publish_receipts, receipt_facts, upload, words_of
from .world import World


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Says how many bytes the disk claims to have."""

    def only(left: int) -> None:
        monkeypatch.setattr(room, "free_bytes", lambda _: left)

    return only


def full(*_: Any, **__: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def base_bytes(world: World) -> int:
    (shard,) = world.manifest.shards
    return sum(entry.size for entry in shard.files)


def steps(world: World) -> dict[str, Callable[[], object]]:
    of = receipt_facts(2)
    upload(world, of, words_of(2))
    plan = world.plan(of)
    return {
        "merge": lambda: world.merge(plan),
        "fold": lambda: world.fold(),
        "verify": lambda: world.verify(),
        "export": lambda: export_snapshot(world.manifest, world.folder, world.work / "exported"),
        "download": lambda: download(world),
    }


def download(world: World) -> None:
    shutil.rmtree(world.folder / "shards")
    download_snapshot(world.store, world.efs, world.collection, world.manifest)


@pytest.mark.parametrize("step", ["merge", "fold", "verify", "export", "download"])
def test_what_does_not_fit_is_said_before_anything_is_written(
    world: World, step: str, free: Callable[[int], None]
) -> None:
    publish_receipts(world, [1])
    world.work.mkdir(exist_ok=True)
    run, needed = steps(world)[step], base_bytes(world)
    free(7)
    with pytest.raises(DiskFull, match=r"did not fit into .*, where 7 bytes are free: make room") as caught:
        run()
    assert (caught.value.free, caught.value.needed) == (7, 4 * DIMENSION * 4 if step == "export" else needed)
    assert f"{caught.value.needed:,} bytes" in str(caught.value)
    assert list(world.work.iterdir()) == [], "nothing is left"


@pytest.mark.parametrize("step", ["merge", "fold", "verify", "download"])
def test_a_disk_that_fills_up_under_way_has_the_same_name(
    world: World, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_receipts(world, [1])
    world.work.mkdir(exist_ok=True)
    run, needed = steps(world)[step], base_bytes(world)
    monkeypatch.setattr(files, "copyfile", full)
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(DiskFull) as caught:
        run()
    assert caught.value.needed == needed
    assert caught.value.free
    monkeypatch.undo()
    assert list(world.work.iterdir()) == []
    world.merge(world.plan(receipt_facts(2)))


def test_a_segment_that_does_not_fit_on_the_shared_disk_is_a_full_disk(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.bound = FoldBound()
    of = receipt_facts(1)
    upload(world, of, words_of(1))
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(DiskFull):
        world.merge(world.plan(of))


def test_a_delta_needs_no_room_on_any_disk(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = chroma_directory(tmp_path / "delta", [word(1, 1)])
    world.s3.put_object(Bucket=world.bucket, Key="delta/delta.tar.gz", Body=tar_of(folder))
    monkeypatch.setattr("shutil.copyfileobj", full)
    monkeypatch.setattr("os.fsync", full)
    (record,) = read_delta(world.store, "delta/", collection="words", receipt=RECEIPT, dimension=DIMENSION)
    assert record.id == word(1, 1).id


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EROFS])
def test_a_file_server_that_is_away_or_lets_nobody_write_is_tried_again(number: int) -> None:
    with pytest.raises(StorageUnavailable, match="try again"), storage_errors():
        raise OSError(number, "away")


def test_another_error_of_a_file_system_stays_what_it_is() -> None:
    with pytest.raises(PermissionError), storage_errors():
        raise PermissionError(errno.EACCES, "no")


SMALL_DISK = """
import sys
from pathlib import Path
import numpy as np
from receipt_chroma.errors import DiskFull
from receipt_chroma.records import Record
from receipt_chroma.shard.chroma_dir import ChromaDir
from receipt_chroma.shard.sqlite_files import compact_sqlite
from receipt_chroma.storage.room import room
disk = Path(sys.argv[1])
try:
    with room(disk, 1 << 20), ChromaDir.create(disk / "shard", "words") as directory:
        for batch in range(99):
            directory.add([Record(f"{batch}-{n}", np.ones(256, "float32"), "x" * 200, {"n": n}) for n in range(50)])
except DiskFull as error:
    print("DiskFull", error.free < 4 << 20, error.needed)
"""


def test_a_real_disk_of_three_megabytes_that_chromadb_fills_is_a_full_disk(tmp_path: Path) -> None:
    """In a mount namespace of its own, where the machine lets a test have one."""
    disk, script = tmp_path / "disk", tmp_path / "script.py"
    disk.mkdir()
    script.write_text(SMALL_DISK)
    mount = f"mount -t tmpfs -o size=3m tmpfs {disk}"
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-rm", "sh", "-c", mount]).returncode:
        pytest.skip("this machine lets nobody mount a small disk")
    shell = ["unshare", "-rm", "sh", "-c", f"{mount} && exec {sys.executable} {script} {disk}"]
    done = subprocess.run(shell, capture_output=True, text=True, check=True)
    assert done.stdout == f"DiskFull True {1 << 20}\n"


def test_sqlite_names_a_full_disk_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = chroma_directory(tmp_path / "shard", [word(1, n) for n in range(1, 40)])
    import sqlite3

    class Full(sqlite3.Connection):
        def execute(self, *_: Any) -> Any:
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error

    connect = sqlite3.connect
    monkeypatch.setattr("sqlite3.connect", lambda path: connect(path, factory=Full))
    with pytest.raises(DiskFull):
        compact_sqlite(folder)
