from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from receipt_chroma import stage
from receipt_chroma.stage import Attempt, Stage
from receipt_chroma.storage.files import sha256_file
from receipt_dynamo_stream.round.report import FileEntry

from .samples import facts, label, run, vector, word
from .world import World

NAMES = ("chroma.sqlite3", "segment/data_level0.bin", "segment/header.bin")


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    folder = tmp_path / "shard"
    for name in NAMES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode() * 1000)
    return folder


@pytest.fixture
def staging(world: World, shard: Path) -> Stage:
    plan = world.plan(facts([(1, 1)]))
    return Stage(shard, Attempt.of(plan, 0, "a"), bucket=world.store, efs_root=world.efs)


def entry(folder: Path, name: str) -> FileEntry:
    content = (folder / name).read_bytes()
    return FileEntry(name, len(content), sha256(content).hexdigest())


def stored(world: World) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Contents on EFS and on S3 by file name."""
    (attempt,) = world.folder.glob("staging/*/*/0000/a")
    on_efs = {path.relative_to(attempt).as_posix(): path.read_bytes() for path in attempt.rglob("*") if path.is_file()}
    found = world.s3.list_objects_v2(Bucket=world.bucket, Prefix="snapshots/words/shards/0000/")["Contents"]
    on_s3 = {
        "/".join(one["Key"].split("/")[5:]): world.s3.get_object(Bucket=world.bucket, Key=one["Key"])["Body"].read()
        for one in found
    }
    return on_efs, on_s3


def test_every_file_comes_to_both_places_with_its_digest(world: World, shard: Path, staging: Stage) -> None:
    with staging:
        staging.begin([entry(shard, NAMES[1])])
        assert staging.finish() == tuple(entry(shard, name) for name in NAMES)
    contents = {name: (shard / name).read_bytes() for name in NAMES}
    assert stored(world) == (contents, contents)


@pytest.mark.parametrize("content", [b"other", b"x" * len(NAMES[1]) * 1000], ids=["size", "same size"])
def test_a_file_that_is_written_after_it_was_begun_is_staged_again(
    world: World, shard: Path, staging: Stage, content: bytes
) -> None:
    with staging:
        staging.begin([entry(shard, name) for name in NAMES])
        (shard / NAMES[1]).write_bytes(content)
        assert staging.finish()[1] == entry(shard, NAMES[1])
    assert [one[NAMES[1]] for one in stored(world)] == [content, content]


def test_a_merge_of_metadata_alone_does_not_hash_the_vectors_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.upload(run(1), [word(1, w) for w in range(1, 6)])
    words = [(1, w) for w in range(1, 6)]
    world.publish(facts(words, runs=[run(1)]))
    hashed: list[str] = []

    def noting(path: Path) -> Any:
        hashed.append(path.name)
        return sha256_file(path)

    monkeypatch.setattr(stage, "sha256_file", noting)
    world.publish(facts(words, runs=[run(1)], labels=[label(1, 1, "TOTAL")]))
    assert sorted(hashed) == ["chroma.sqlite3", "index_metadata.pickle", "receipts.json", "vector_rows.bin"]
    assert world.read()[word(1, 2).id].same_vector(word(1, 2))
    hashed.clear()
    world.upload(run(2), [word(1, 1, 77)])
    world.publish(facts(words, runs=[run(1), run(2)]))
    assert "data_level0.bin" in hashed
    assert world.read()[word(1, 1).id].embedding.tolist() == vector(77).tolist()
