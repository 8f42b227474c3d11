import shutil
from dataclasses import replace
from typing import Any

import pytest
from botocore.stub import Stubber
from receipt_chroma.errors import ManifestConflict, ShardInvalid, SnapshotDamaged, StagingMissing
from receipt_chroma.folding import FoldBound
from receipt_chroma.snapshot.manifest import Manifest, load_manifest
from receipt_dynamo_stream.errors import SchemaUnsupported, TransientServiceError
from receipt_dynamo_stream.round.plan import Plan
from receipt_dynamo_stream.round.report import ShardReport

from .samples import facts, label, run, word
from .world import World

FACTS = facts([(1, 1), (1, 2)], runs=[run(1)])


@pytest.fixture
def merged(world: World) -> tuple[Plan, ShardReport]:
    """One merged, staged shard."""
    world.upload(run(1), [word(1, 1), word(1, 2)])
    plan = world.plan(FACTS)
    return plan, world.merge(plan)


def test_the_manifest_names_what_lies_in_both_trees(world: World, merged: tuple[Plan, ShardReport]) -> None:
    plan, report = merged
    pointer = world.write_manifest(plan, [report])
    manifest = load_manifest(world.store, pointer)
    assert (world.folder / "manifests" / f"{plan.snapshot_id}.json").read_bytes() == manifest.encode()
    assert (manifest.version, manifest.parent, manifest.records, manifest.space) == (1, None, 2, "l2")
    assert (manifest.chromadb_version, manifest.plan_key) == ("1.5.9", report.plan_key)
    (shard,) = manifest.shards
    for entry in shard.files:
        assert (world.folder / str(shard.path) / entry.name).stat().st_size == entry.size
        head = world.s3.head_object(Bucket=world.bucket, Key=f"snapshots/words/{shard.path}/{entry.name}")
        assert head["ContentLength"] == entry.size
    assert sum(entry.size for entry in shard.files) == manifest.total_bytes


def test_the_manifest_names_the_model_of_its_vectors_and_so_does_that_of_a_fold(world: World) -> None:
    world.collection, world.model, world.bound = "words-2", "embed-3", FoldBound()
    world.upload(run(1), [word(1, 1), word(1, 2)])
    world.publish(FACTS)
    world.publish(facts([(1, 1)], runs=[run(1)]))
    assert (world.manifest.model, world.manifest.segment_count) == ("embed-3", 2)
    assert world.commit_fold(world.fold())
    assert (world.manifest.model, world.manifest.segment_count) == ("embed-3", 0)


def test_writing_it_again_gives_the_same_bytes(world: World, merged: tuple[Plan, ShardReport]) -> None:
    first = world.write_manifest(merged[0], [merged[1]])
    assert world.write_manifest(merged[0], [merged[1]]) == first


def test_a_crash_between_the_rename_and_the_manifest_is_made_good(
    world: World, merged: tuple[Plan, ShardReport]
) -> None:
    plan, report = merged
    world.write_manifest(plan, [report])
    world.s3.delete_object(Bucket=world.bucket, Key=f"snapshots/words/manifests/{plan.snapshot_id}.json")
    (world.folder / "manifests" / f"{plan.snapshot_id}.json").unlink()
    pointer = world.write_manifest(plan, [report])
    assert load_manifest(world.store, pointer).records == 2


def test_a_torn_manifest_on_efs_follows_s3(world: World, merged: tuple[Plan, ShardReport]) -> None:
    plan, report = merged
    pointer = world.write_manifest(plan, [report])
    path = world.folder / "manifests" / f"{plan.snapshot_id}.json"
    path.write_bytes(b"{")
    world.write_manifest(plan, [report])
    assert path.read_bytes() == load_manifest(world.store, pointer).encode()


def test_another_manifest_under_the_same_id_is_a_conflict_and_stays(
    world: World, merged: tuple[Plan, ShardReport]
) -> None:
    plan, report = merged
    key = f"snapshots/words/manifests/{plan.snapshot_id}.json"
    world.s3.put_object(Bucket=world.bucket, Key=key, Body=b"another")
    with pytest.raises(ManifestConflict):
        world.write_manifest(plan, [report])
    assert world.s3.get_object(Bucket=world.bucket, Key=key)["Body"].read() == b"another"
    assert not (world.folder / "manifests").exists()


@pytest.mark.parametrize("place", ["staging", "shards"])
def test_a_staged_shard_that_is_lost_or_short_is_never_named(
    world: World, merged: tuple[Plan, ShardReport], place: str
) -> None:
    plan, report = merged
    assert report.staged is not None
    staged = world.folder / report.staged.path
    if place == "staging":
        shutil.rmtree(staged)
    else:
        (staged / "chroma.sqlite3").write_bytes(b"short")
    with pytest.raises(StagingMissing):
        world.write_manifest(plan, [report])
    assert not (world.folder / "manifests").exists()


def test_a_second_staging_of_a_shard_that_is_in_place_is_left_for_expiry(
    world: World, merged: tuple[Plan, ShardReport]
) -> None:
    plan, report = merged
    assert report.staged is not None
    staged = world.folder / report.staged.path
    shutil.copytree(staged, world.folder / "copy")
    world.write_manifest(plan, [report])
    shutil.copytree(world.folder / "copy", staged)
    world.write_manifest(plan, [report])
    assert staged.exists()


@pytest.mark.parametrize(
    "change",
    [
        {"execution": "another"},
        {"round": 2},
        {"shard": 1},
    ],
)
def test_reports_of_another_plan_are_refused(
    world: World, merged: tuple[Plan, ShardReport], change: dict[str, Any]
) -> None:
    plan, report = merged
    with pytest.raises(ShardInvalid, match="reports"):
        world.write_manifest(plan, [replace(report, **change)])


def test_missing_or_repeated_reports_are_refused(world: World, merged: tuple[Plan, ShardReport]) -> None:
    plan, report = merged
    for reports in ([], [report, report]):
        with pytest.raises(ShardInvalid, match="reports"):
            world.write_manifest(plan, reports)


def test_shards_of_two_dimensions_make_no_snapshot(world: World, merged: tuple[Plan, ShardReport]) -> None:
    world.publish(FACTS)
    world.upload(run(2), [word(1, 1, 9)])
    plan = world.plan(facts([(1, 1), (1, 2)], runs=[run(1), run(2)]))
    report = world.merge(plan)
    assert report.staged is not None
    with pytest.raises(ShardInvalid, match="dimension"):
        world.write_manifest(plan, [replace(report, staged=replace(report.staged, dimension=9))])


def test_the_parent_is_the_base_of_the_plan(world: World, merged: tuple[Plan, ShardReport]) -> None:
    world.commit(world.write_manifest(merged[0], [merged[1]]))
    first = world.pointer
    world.publish(replace(FACTS, labels=(label(1, 1, "TOTAL"),)))
    assert world.manifest.parent == first
    assert world.manifest.version == 2


@pytest.mark.parametrize(("code", "status"), [("ConditionalRequestConflict", 409), ("SlowDown", 503)])
def test_a_twin_that_writes_at_this_moment_is_a_reason_to_try_again(
    world: World, merged: tuple[Plan, ShardReport], code: str, status: int
) -> None:
    with Stubber(world.s3) as stubber:
        stubber.add_client_error("put_object", code, http_status_code=status)
        with pytest.raises(TransientServiceError):
            world.write_manifest(merged[0], [merged[1]])


def test_a_manifest_of_another_schema_or_shape_is_not_read(world: World, merged: tuple[Plan, ShardReport]) -> None:
    manifest = load_manifest(world.store, world.write_manifest(merged[0], [merged[1]]))
    assert Manifest.decode(manifest.encode()) == manifest
    with pytest.raises(SchemaUnsupported):
        Manifest.decode(manifest.encode().replace(b'"schema_version": 2', b'"schema_version": 3'))
    for content in (b"", b"[]", b"{}", manifest.encode().replace(b'"records"', b'"rows"')):
        with pytest.raises(SnapshotDamaged):
            Manifest.decode(content)
