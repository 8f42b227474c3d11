"""An export is a plain Chroma directory with the records of a version."""

from dataclasses import replace
from pathlib import Path

import chromadb
import numpy as np
import pytest
from chromadb.config import Settings
from receipt_chroma.errors import ExportRefused, SnapshotDamaged
from receipt_chroma.export import export_snapshot
from receipt_chroma.folding import FoldBound
from receipt_chroma.snapshot.manifest import Manifest

from .samples import label
from .small_changes.labelled import Plain, plain
from .uploads import damage_flip, publish_receipts, receipt_facts
from .world import World


@pytest.fixture(params=[1, 3], ids=["one shard", "three shards"])
def world(world: World, request: pytest.FixtureRequest) -> World:
    """Version 1 is a base; 2 relabels a receipt, and 3 loses one, in segments."""
    world.shards = request.param
    publish_receipts(world, [1, 2, 3, 4])
    world.bound = FoldBound()
    world.publish(receipt_facts(1, labels=[label(1, 1, "TOTAL")]))
    world.publish(replace(receipt_facts(2), exists=False))
    return world


def opened_plainly(folder: Path) -> Plain:
    """By chromadb alone, in place."""
    client = chromadb.PersistentClient(path=str(folder), settings=Settings(anonymized_telemetry=False))
    try:
        collection = client.get_collection("words", embedding_function=None)
        found = collection.get(include=["embeddings", "documents", "metadatas"])
        first = np.asarray(found["embeddings"], np.float32)[:1]
        assert collection.query(query_embeddings=first, n_results=1)["distances"] == [[0.0]]
    finally:
        client.close()
    vectors = np.asarray(found["embeddings"], np.float32)
    columns = zip(found["ids"], vectors, found["documents"], found["metadatas"], strict=True)
    return {one: (vector.tobytes(), document, dict(metadata)) for one, vector, document, metadata in columns}


def test_any_version_becomes_one_directory_that_chromadb_opens_as_it_is(world: World, tmp_path: Path) -> None:
    versions: list[Manifest] = []
    for path in sorted((world.folder / "manifests").glob("*.json")):
        versions.append(Manifest.decode(path.read_bytes()))
    assert [one.version for one in versions] == [1, 2, 3]
    for manifest in versions:
        target = tmp_path / f"version-{manifest.version}"
        exported = export_snapshot(manifest, world.folder, target)
        assert (exported.version, exported.records) == (manifest.version, manifest.records)
        assert exported.bytes == sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
        assert opened_plainly(target) == plain(world.records(manifest).values())
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def test_an_empty_directory_is_a_target_and_one_that_holds_something_is_not(world: World, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    export_snapshot(world.manifest, world.folder, target)
    before = sorted(target.rglob("*"))
    with pytest.raises(ExportRefused, match="not empty"):
        export_snapshot(world.manifest, world.folder, target)
    assert sorted(target.rglob("*")) == before
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ExportRefused):
        export_snapshot(world.manifest, world.folder, tmp_path / "file")


def test_a_damaged_version_is_not_exported_and_leaves_nothing_behind(world: World, tmp_path: Path) -> None:
    for shard in world.manifest.shards:
        for segment in shard.segments:
            damage_flip(world.folder / segment.path)
    (tmp_path / "exports").mkdir()
    with pytest.raises(SnapshotDamaged, match="version 3"):
        export_snapshot(world.manifest, world.folder, tmp_path / "exports" / "target")
    assert list((tmp_path / "exports").iterdir()) == []


def test_what_does_not_come_to_the_digest_is_not_exported(world: World, tmp_path: Path) -> None:
    lying = replace(world.manifest, digest="0" * 64)
    with pytest.raises(SnapshotDamaged, match="digest"):
        export_snapshot(lying, world.folder, tmp_path / "target")
    assert not (tmp_path / "target").exists()
