"""A reader that has the bucket alone: what it asks for, what it keeps, and what it does when S3 says no."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from receipt_chroma import (
    CurrentGone,
    NoSnapshotYet,
    QuestionInvalid,
    SnapshotReader,
    SnapshotUnavailable,
    StorageUnavailable,
)
from receipt_chroma.folding import FoldBound
from receipt_dynamo_stream.bucket import Bucket

from ..samples import facts, receipt, run, vector, word
from ..world import World
from .mounts import FolderAsBucket

WORDS = [(1, 1), (1, 2)]


def receipt_facts(number: int, **more: Any) -> Any:
    return facts(WORDS, of=receipt(number), runs=[run(number, prefix=f"delta/{number}/")], **more)


class Counting:
    """The client, and what is asked of it."""

    def __init__(self, s3: Any) -> None:
        self._s3 = s3
        self.asked: list[str] = []
        self.refuses: str | None = None

    def get_object(self, **request: Any) -> Any:
        if self.refuses:
            raise ClientError({"Error": {"Code": self.refuses}}, "GetObject")
        self.asked.append(request["Key"].removeprefix("snapshots/words/"))
        return self._s3.get_object(**request)

    def get_paginator(self, name: str) -> Any:
        return self._s3.get_paginator(name)

    def taken(self) -> list[str]:
        """What was asked for since the last time."""
        taken, self.asked = self.asked, []
        return taken


@pytest.fixture
def published(world: World) -> World:
    """Three receipts in a base; what comes then comes in segments. EFS is not at hand."""
    for number in range(4):
        world.upload(
            receipt_facts(number).runs[0], [word(line, w, number * 10 + w, of=receipt(number)) for line, w in WORDS]
        )
    world.publish(*(receipt_facts(number) for number in range(3)))
    world.bound = FoldBound()
    return world


@pytest.fixture
def client(published: World) -> Counting:
    """The bucket's client."""
    return Counting(published.s3)


def reading(world: World, s3: Any, cache: Path | None, **options: Any) -> SnapshotReader:
    return SnapshotReader(f"s3://{world.bucket}/snapshots", "words", cache_dir=cache, s3=s3, **options)


def test_it_answers_as_a_reader_on_efs_does(published: World, client: Any, tmp_path: Path) -> None:
    with SnapshotReader(published.efs, "words") as on_efs, reading(published, client, tmp_path / "laptop") as afar:
        assert afar.version == on_efs.version == 1
        assert afar.get() == on_efs.get()
        assert afar.query([vector(5), vector(6)]) == on_efs.query([vector(5), vector(6)])
        published.publish(receipt_facts(1, place={"merchant_name": "Shop"}), receipt_facts(3))
        for reader in (on_efs, afar):
            assert reader.refresh() is True
        assert afar.get() == on_efs.get()
        assert (afar.count(), afar.behind_seconds) == (8, 0.0)


def test_it_asks_for_what_its_cache_lacks_and_for_nothing_twice(
    published: World, client: Counting, tmp_path: Path
) -> None:
    files = [f"{shard.path}/{entry.name}" for shard in published.manifest.shards for entry in shard.files]
    first = f"manifests/{published.manifest.snapshot_id}.json"
    with reading(published, client, tmp_path) as reader:
        assert sorted(client.taken()) == sorted(["SERVING", "CURRENT", first, *files])
        assert reader.refresh() is False
        assert client.taken() == ["SERVING", "CURRENT"]
        published.publish(receipt_facts(3))
        assert reader.refresh() is True
        (segment,) = published.manifest.shards[0].segments
        named = f"manifests/{published.manifest.snapshot_id}.json"
        assert client.taken() == ["SERVING", "CURRENT", named, segment.path]
    with reading(published, client, tmp_path) as reader:  # another process, or this one tomorrow
        assert reader.count() == 8
        assert client.taken() == ["SERVING", "CURRENT", named]


def test_without_a_cache_folder_nothing_stays(
    published: World, client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with reading(published, client, None) as reader:
        assert reader.count() == 6
        assert list(tmp_path.iterdir()) != [published.efs]
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("reader-")]


def test_a_file_that_is_damaged_in_the_cache_is_fetched_again(
    published: World, client: Counting, tmp_path: Path
) -> None:
    reading(published, client, tmp_path).close()
    client.taken()
    database = next((tmp_path / "files").rglob("chroma.sqlite3"))
    content = database.read_bytes()
    database.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with reading(published, client, tmp_path) as reader:
        assert (reader.count(), reader.fallback_reason) == (6, None)
    assert [path for path in client.taken() if path.endswith("chroma.sqlite3")] != []


def test_a_snapshot_that_the_cache_cannot_hold_is_refused_by_its_size(
    published: World, client: Any, tmp_path: Path
) -> None:
    with pytest.raises(SnapshotUnavailable, match="may hold 1,000 bytes"):
        reading(published, client, tmp_path / "cache", cache_bytes=1_000)
    assert [
        path for path in (tmp_path / "cache").rglob("*") if path.is_file() and not path.name.endswith(".lock")
    ] == []


def test_without_room_on_its_disk_it_serves_what_it_has_and_says_so(
    published: World, client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with reading(published, client, tmp_path) as reader:
        published.publish(receipt_facts(3))
        monkeypatch.setattr("receipt_chroma.storage.room.free_bytes", lambda _: 10)
        assert reader.refresh() is False
        assert (reader.count(), "10 bytes are free" in str(reader.fallback_reason)) == (6, True)


def test_what_the_bucket_has_not_as_its_manifest_says_is_never_served(
    published: World, client: Any, tmp_path: Path
) -> None:
    with reading(published, client, tmp_path) as reader:
        published.publish(receipt_facts(3))
        (segment,) = published.manifest.shards[0].segments
        published.store.put(f"snapshots/words/{segment.path}", b"something else")
        assert reader.refresh() is False
        assert (reader.version, reader.count()) == (1, 6)
        assert "cannot be opened" in str(reader.fallback_reason)


@pytest.mark.parametrize("code", ["AccessDenied", "ExpiredToken", "SlowDown"])
def test_while_s3_says_no_it_serves_what_it_has_and_says_why(
    published: World, client: Counting, tmp_path: Path, code: str
) -> None:
    with reading(published, client, tmp_path) as reader:
        client.refuses = code
        assert reader.refresh() is False
        assert code in str(reader.fallback_reason)
        assert reader.count() == 6
        with pytest.raises(StorageUnavailable, match=code):
            assert reader.behind_seconds
        client.refuses = None
        assert reader.refresh() is False
        assert reader.fallback_reason is None


def test_never_published_and_gone_are_two_things(published: World, client: Any, tmp_path: Path) -> None:
    with pytest.raises(NoSnapshotYet, match="nothing was published for lines"):
        SnapshotReader(f"s3://{published.bucket}/snapshots/", "lines", cache_dir=tmp_path, s3=client)
    published.publish(receipt_facts(3))
    published.store.delete_all(["snapshots/words/CURRENT"])
    with pytest.raises(CurrentGone, match="CURRENT is not there, though snapshots are"):
        reading(published, client, tmp_path)


def test_a_root_that_names_no_bucket_is_refused(tmp_path: Path) -> None:
    with pytest.raises(QuestionInvalid, match="names no bucket"):
        SnapshotReader("s3://", "words", cache_dir=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_folder_that_stands_for_a_bucket_answers_as_a_bucket_does(
    client: Counting, published: World, tmp_path: Path
) -> None:
    """The contract of FolderAsBucket, which the conformance tests read from."""
    tree = tmp_path / "tree"
    for found in published.store.list("snapshots/"):
        (tree / found.key).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(published.efs / found.key.removeprefix("snapshots/"), tree / found.key)
    sides = [published.store, Bucket(FolderAsBucket(tree), "any")]  # type: ignore[arg-type]
    for prefix in ("snapshots/words/manifests/", "snapshots/words/CURRENT", "snapshots/lines"):
        ours, theirs = ([(one.key, one.size) for one in side.list(prefix)] for side in sides)
        assert ours == theirs
        for key, _ in theirs:
            assert sides[0].find(key) == sides[1].find(key)
            assert sides[0].fetch(key, tmp_path / "a") == sides[1].fetch(key, tmp_path / "b")
    assert [side.find("no/key") for side in sides] == [None, None]
    assert [side.fetch("no/key", tmp_path / "a") for side in sides] == [None, None]
