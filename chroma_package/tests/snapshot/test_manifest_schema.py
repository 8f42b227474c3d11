import json
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from typing import Any

import jsonschema
import pytest
from receipt_chroma import Manifest, manifest_schema
from receipt_chroma.errors import SnapshotDamaged
from receipt_chroma.snapshot.manifest import RESTORE, check_manifest

from ..samples import facts, run, word
from ..world import World

VALIDATOR = jsonschema.Draft202012Validator(manifest_schema())


def stored(manifest: Manifest) -> Any:
    return json.loads(manifest.encode())


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(manifest_schema())


def test_every_manifest_that_is_written_satisfies_it(published_history: tuple[World, list[Manifest]]) -> None:
    world, manifests = published_history
    assert [manifest.version for manifest in manifests] == [1, 2, 3, 4, 5]  # the first, later ones, a rollback
    for manifest in manifests:
        VALIDATOR.validate(stored(manifest))
        on_efs = (world.folder / "manifests" / f"{manifest.snapshot_id}.json").read_bytes()
        VALIDATOR.validate(json.loads(on_efs))


def as_version_1(manifest: Manifest) -> bytes:
    """The bytes that releases before segments wrote."""
    value = stored(manifest) | {"schema_version": 1}
    del value["kind"]
    for shard in value["shards"]:
        for name in ("base_records", "base_digest", "segments"):
            del shard[name]
    return (json.dumps(value, indent=1) + "\n").encode()


def test_a_manifest_of_schema_version_1_is_read_and_keeps_its_bytes(
    published_history: tuple[World, list[Manifest]],
) -> None:
    for manifest in published_history[1]:
        older = as_version_1(manifest)
        VALIDATOR.validate(json.loads(older))
        read = Manifest.decode(older)
        assert read.encode() == older
        assert read.pointer.manifest_sha256 == sha256(older).hexdigest()
        assert [(one.base_records, one.base_digest) for one in read.shards] == [
            (one.records, one.digest) for one in manifest.shards
        ]
        assert not VALIDATOR.is_valid(json.loads(older) | {"kind": "merge"})
        assert not VALIDATOR.is_valid(stored(manifest) | {"schema_version": 1})


def test_a_model_is_written_where_there_is_one_and_else_the_bytes_are_those_of_before(
    published_history: tuple[World, list[Manifest]],
) -> None:
    first = published_history[1][0]
    assert "model" not in stored(first)
    assert Manifest.decode(first.encode()).model == ""
    named = replace(first, model="embed-3")
    VALIDATOR.validate(stored(named))
    assert stored(named) == stored(first) | {"model": "embed-3"}
    assert Manifest.decode(named.encode()) == named
    assert replace(Manifest.decode(named.encode()), version=2).model == "embed-3"
    assert not VALIDATOR.is_valid(json.loads(as_version_1(first)) | {"model": "embed-3"})
    assert not VALIDATOR.is_valid(stored(first) | {"model": ""})


def test_what_a_restore_writes_satisfies_it(published_history: tuple[World, list[Manifest]]) -> None:
    VALIDATOR.validate(stored(replace(published_history[1][0], kind=RESTORE)))


def test_one_with_shards_that_were_never_written_satisfies_it(world: World) -> None:
    world.shards = 3
    runs = [run(1)]
    world.upload(runs[0], [word(1, 1)])
    world.publish(facts([(1, 1)], runs=runs))
    manifest = stored(world.manifest)
    assert sorted(shard["path"] is None for shard in manifest["shards"]) == [False, True, True]
    VALIDATOR.validate(manifest)


def test_every_field_is_required_and_no_other_is_known(published_history: tuple[World, list[Manifest]]) -> None:
    good = stored(published_history[1][1])
    for name in good:
        assert not VALIDATOR.is_valid({key: value for key, value in good.items() if key != name}), name
    assert not VALIDATOR.is_valid(good | {"another": 1})
    for inner in (good["parent"], good["shards"][0], good["shards"][0]["files"][0]):
        for name in list(inner):
            value = inner.pop(name)
            assert not VALIDATOR.is_valid(good), name
            inner[name] = value
        inner["another"] = 1
        assert not VALIDATOR.is_valid(good)
        del inner["another"]
    assert VALIDATOR.is_valid(good)


def database(manifest: Any) -> Any:
    return next(entry for entry in manifest["shards"][0]["files"] if entry["name"] == "chroma.sqlite3")


BROKEN: dict[str, Callable[[Any], Any]] = {
    "another schema": lambda one: one.update(schema_version=3),
    "a version as text": lambda one: one.update(version="1"),
    "version 0": lambda one: one.update(version=0),
    "another space": lambda one: one.update(space="cosine"),
    "dimension 0": lambda one: one.update(dimension=0),
    "an id of another shape": lambda one: one.update(snapshot_id="1-1-1"),
    "a short digest": lambda one: one.update(digest="00"),
    "a digest in capitals": lambda one: one.update(digest="A" * 64),
    "no shard": lambda one: one.update(shards=[]),
    "records below nothing": lambda one: one["shards"][0].update(records=-1),
    "a parent without a sha256": lambda one: one["parent"].update(manifest_sha256=None),
    "a manifest elsewhere": lambda one: one["parent"].update(manifest_key="plans/words/1.json"),
    "a shard elsewhere": lambda one: one["shards"][0].update(path="/shards/0000/x"),
    "a shard above": lambda one: one["shards"][0].update(path="shards/0000/../x/y"),
    "files of a shard that was never written": lambda one: one["shards"][0].update(path=None),
    "a shard without files": lambda one: one["shards"][0].update(files=[]),
    "a shard without a database": lambda one: one["shards"][0]["files"].remove(database(one)),
    "a file above": lambda one: one["shards"][0]["files"][0].update(name="../chroma.sqlite3"),
    "a file elsewhere": lambda one: one["shards"][0]["files"][0].update(name="/etc/passwd"),
    "a file inside, and above": lambda one: one["shards"][0]["files"][0].update(name="a/../../b"),
    "half a byte": lambda one: one["shards"][0]["files"][0].update(size=0.5),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_manifest_does_not_satisfy_it(published_history: tuple[World, list[Manifest]], name: str) -> None:
    manifest = stored(published_history[1][1])
    assert VALIDATOR.is_valid(manifest)
    BROKEN[name](manifest)
    assert not VALIDATOR.is_valid(manifest)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"null", b'{"schema_version": 1}'])
def test_bytes_that_are_no_manifest_are_damage_by_name(content: bytes) -> None:
    with pytest.raises(SnapshotDamaged):
        check_manifest(content, sha256(content).hexdigest(), "here")
