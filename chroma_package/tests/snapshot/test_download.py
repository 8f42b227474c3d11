import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from receipt_chroma.errors import SnapshotDamaged
from receipt_chroma.snapshot import download
from receipt_chroma.snapshot.download import DownloadResult, download_shards, download_snapshot
from receipt_chroma.snapshot.manifest import Manifest
from receipt_chroma.storage.objects import fetch_file
from receipt_dynamo_stream.bucket import Bucket

from ..samples import facts, receipt, run, word
from ..world import World


@pytest.fixture
def published(world: World) -> World:
    """A snapshot of three shards, two of which have records."""
    world.shards = 3
    for number in (1, 2, 3):
        world.upload(run(number), [word(1, 1, of=receipt(number))])
    world.publish(*(facts([(1, 1)], of=receipt(number), runs=[run(number)]) for number in (1, 2, 3)))
    return world


def ensure(world: World, manifest: Manifest | None = None) -> DownloadResult:
    return download_snapshot(world.store, world.efs, world.collection, manifest or world.manifest)


def content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_nothing_is_fetched_that_is_there(published: World) -> None:
    assert ensure(published) == DownloadResult(0, 0)


def test_a_file_system_that_lost_everything_gets_all_of_it_back(published: World) -> None:
    shards, manifests = content(published.folder / "shards"), content(published.folder / "manifests")
    manifest = published.manifest
    shutil.rmtree(published.efs)
    files = sum(len(shard.files) for shard in manifest.shards)
    assert ensure(published) == DownloadResult(files, manifest.total_bytes)
    assert content(published.folder / "shards") == shards
    assert content(published.folder / "manifests") == manifests
    assert list(published.folder.joinpath("staging").iterdir()) == []


def test_only_what_is_missing_or_has_another_size_is_fetched(published: World) -> None:
    before = content(published.folder / "shards")
    sqlite, header = (sorted((published.folder / "shards").rglob(name))[0] for name in ("chroma.sqlite3", "header.bin"))
    size = sqlite.stat().st_size + header.stat().st_size
    sqlite.unlink()
    header.write_bytes(b"short")
    assert ensure(published) == DownloadResult(2, size)
    assert content(published.folder / "shards") == before


def test_some_files_of_some_shards_can_be_had_alone(published: World) -> None:
    shard = next(shard for shard in published.manifest.shards if shard.path)
    wanted = replace(shard, files=tuple(entry for entry in shard.files if entry.name == "chroma.sqlite3"))
    shutil.rmtree(published.efs)
    for fetched in (1, 0):
        done = download_shards(published.store, published.efs, published.collection, [wanted])
        assert done.files == fetched
    assert list(content(published.folder)) == [f"{shard.path}/chroma.sqlite3"]


def test_what_s3_has_otherwise_than_the_manifest_says_never_reaches_the_tree(published: World) -> None:
    path = sorted((published.folder / "shards").rglob("chroma.sqlite3"))[0]
    wrong = b"x" * path.stat().st_size
    path.unlink()
    key = f"snapshots/words/{path.relative_to(published.folder).as_posix()}"
    published.s3.put_object(Bucket=published.bucket, Key=key, Body=wrong)
    with pytest.raises(SnapshotDamaged, match="sha256"):
        ensure(published)
    assert not path.exists()


def test_a_download_that_was_cut_off_goes_on_where_it_was(published: World, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = published.manifest
    shutil.rmtree(published.efs)
    fetched: list[str] = []

    def failing(bucket: Bucket, key: str, *rest: Any) -> None:
        if len(fetched) >= 4:
            raise ConnectionResetError(key)
        fetched.append(key)
        fetch_file(bucket, key, *rest)

    monkeypatch.setattr(download, "fetch_file", failing)
    with pytest.raises(ConnectionResetError):
        ensure(published, manifest)
    monkeypatch.undo()
    done = sum(1 for path in (published.folder / "shards").rglob("*") if path.is_file())
    assert done == 4
    assert ensure(published, manifest).files == sum(len(shard.files) for shard in manifest.shards) - done
