"""Small changes as segments: what a publication writes, what proves it, and what a fold makes of it."""

import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from receipt_chroma.digests import EMPTY_DIGEST
from receipt_chroma.errors import FoldChangedContent, SegmentInvalid, ShardInvalid, SnapshotDamaged, StagingMissing
from receipt_chroma.folding import FoldBound, shards_to_fold
from receipt_chroma.records import Record, content_of
from receipt_chroma.rollback import prepare_rollback
from receipt_chroma.segment.content import Segment
from receipt_chroma.segment.file import encode_segment, read_segment
from receipt_chroma.snapshot.manifest import Manifest, load_manifest
from receipt_chroma.storage.files import sha256_file, sha256_of
from receipt_chroma.storage.tree import CURRENT, object_key, segment_path
from receipt_dynamo_stream.control.head import Head, Pointer
from receipt_dynamo_stream.facts import ReceiptFacts
from receipt_dynamo_stream.round.plan import Plan
from receipt_dynamo_stream.round.report import FileEntry, MergeCounts, ShardReport, StagedSegment

from .samples import DIMENSION, label, receipt, vector, word
from .test_merge import damage_flip, damage_truncate, publish_receipts, receipt_facts, upload, words_of
from .world import World

Plain = dict[str, tuple[bytes, str | None, dict[str, Any]]]


def plain(records: Iterable[Record]) -> Plain:
    return {one.id: (one.embedding.tobytes(), one.document, one.metadata) for one in records}


@pytest.fixture
def world(world: World) -> World:
    """A base of three receipts; from then on small changes are segments."""
    publish_receipts(world, [1, 2, 3])
    world.bound = FoldBound(least=100)
    return world


def labelled(number: int, name: str) -> ReceiptFacts:
    return receipt_facts(number, labels=[label(1, 1, name)])


def files(world: World) -> dict[str, bytes]:
    return {p.relative_to(world.folder).as_posix(): p.read_bytes() for p in world.folder.rglob("*") if p.is_file()}


def test_a_small_change_writes_one_segment_a_manifest_and_the_pointer_and_nothing_else(world: World) -> None:
    before = files(world)
    (report,) = world.publish(labelled(1, "TOTAL"))
    assert report.counts == MergeCounts(updated=1, unchanged=3)
    shard = world.manifest.shards[0]
    (segment,) = shard.segments
    assert files(world).keys() - before.keys() == {segment.path, f"manifests/{world.manifest.snapshot_id}.json"}
    assert [(one.key, one.records) for one in segment.receipts] == [(receipt(1).key, 4)]
    key = f"snapshots/words/{segment.path}"
    assert world.store.read(key) == (world.folder / segment.path).read_bytes()
    assert (world.manifest.version, world.manifest.records, shard.records, shard.base_records) == (2, 12, 12, 12)
    assert world.records()[word(1, 1, of=receipt(1)).id].metadata["valid_labels_array"] == ["TOTAL"]
    assert list(world.work.iterdir()) == []


def test_what_a_segment_does_not_cover_is_in_the_base_and_the_newest_segment_has_the_say(world: World) -> None:
    of_base = world.records()
    world.publish(labelled(1, "FIRST"))
    world.publish(labelled(1, "SECOND"), replace(receipt_facts(2), exists=False))
    found = world.records()
    assert found[word(1, 1, of=receipt(1)).id].metadata["valid_labels_array"] == ["SECOND"]
    assert not any(receipt(2).key in record_id for record_id in found)
    of_third = {one for one in of_base if receipt(3).key in one}
    assert plain(found[one] for one in of_third) == plain(of_base[one] for one in of_third)
    assert [segment.records for segment in world.manifest.shards[0].segments] == [4, 4]
    assert (world.manifest.records, len(found)) == (8, 8)
    assert world.verify().records == 8


def test_merging_again_what_a_segment_has_stages_nothing(world: World) -> None:
    world.publish(labelled(1, "TOTAL"))
    before = files(world)
    (report,) = world.publish(labelled(1, "TOTAL"))
    assert (report.changed, report.segment, report.counts) == (False, None, MergeCounts(unchanged=4))
    assert files(world) == before


def test_the_records_of_a_completed_run_outlive_its_delta_in_a_segment_too(world: World) -> None:
    of = labelled(1, "TOTAL")
    world.publish(of)
    world.store.delete_all([f"{of.runs[0].delta_prefix}delta.arrow"])
    gone = replace(of, runs=(replace(of.runs[0], state="COMPLETED"),), labels=(label(1, 1, "DATE"),))
    (report,) = world.publish(gone)
    assert report.counts == MergeCounts(updated=1, unchanged=3)
    found = world.records()[word(1, 1, of=receipt(1)).id]
    assert found.metadata["valid_labels_array"] == ["DATE"]
    assert found.same_vector(words_of(1)[0])


def test_a_collection_may_begin_with_a_segment_and_without_a_base(world: World, s3: Any, tmp_path: Path) -> None:
    s3.create_bucket(Bucket="begins-with-a-segment")
    new = World(s3, "begins-with-a-segment", tmp_path / "new")
    new.bound = FoldBound()
    publish_receipts(new, [1])
    shard = new.manifest.shards[0]
    assert (shard.path, shard.files, shard.base_records, shard.base_digest) == (None, (), 0, EMPTY_DIGEST)
    assert (new.manifest.dimension, new.manifest.records, len(new.records())) == (DIMENSION, 4, 4)
    assert new.verify().records == 4
    assert new.commit_fold(new.fold())
    assert (len(new.records()), new.manifest.shards[0].segments, new.manifest.kind) == (4, (), "fold")


def test_a_round_that_changes_more_than_the_bound_writes_a_base(world: World) -> None:
    world.bound = FoldBound(least=7, share=0)
    world.publish(labelled(1, "TOTAL"))
    (report,) = world.publish(labelled(2, "TOTAL"), labelled(3, "TOTAL"))
    assert report.staged is not None
    assert world.manifest.shards[0].segments == ()
    assert sum("valid_labels_array" in one.metadata for one in world.records().values()) == 3


def test_a_small_merge_imports_no_chromadb(world: World) -> None:
    program = "import sys, receipt_chroma.merge, receipt_chroma.validate_segment; print('chromadb' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_equal_plans_make_equal_segments_under_other_names(world: World) -> None:
    plan = world.plan(labelled(1, "TOTAL"))
    one, two = (staged(world.merge(plan, attempt=name)) for name in ("a", "b"))
    assert (one.sha256, one.receipts, one.shard_digest) == (two.sha256, two.receipts, two.shard_digest)
    assert one.path != two.path
    assert one.segment_version != two.segment_version


def staged(report: ShardReport) -> StagedSegment:
    assert report.segment is not None
    return report.segment


def test_a_base_of_schema_version_1_takes_segments_and_a_fold_writes_version_2(world: World) -> None:
    as_version_1(world)
    assert world.manifest.shards[0].is_plain
    world.publish(labelled(1, "TOTAL"))
    assert (world.manifest.schema_version, world.manifest.shards[0].is_plain) == (2, True)
    before = plain(world.records().values())
    assert world.verify().records == 12
    assert world.commit_fold(world.fold())
    assert not world.manifest.shards[0].is_plain
    assert plain(world.records().values()) == before
    assert world.verify().records == 12


def as_version_1(world: World) -> None:
    """Make the current version what releases before segments published."""
    manifest = world.manifest
    (shard,) = manifest.shards
    folder = world.folder / str(shard.path)
    index = folder / "receipts.json"
    names = [line.split('"')[1] for line in index.read_text().splitlines() if line.startswith("[") and len(line) > 1]
    (folder / "receipts.txt").write_text("".join(f"{name}\n" for name in names))
    world.store.put(f"snapshots/words/{shard.path}/receipts.txt", (folder / "receipts.txt").read_bytes())
    for name in ("receipts.json", "vector_rows.bin"):
        (folder / name).unlink()
    text = folder / "receipts.txt"
    entries = [one for one in shard.files if one.name not in ("receipts.json", "vector_rows.bin")]
    entries.append(FileEntry("receipts.txt", text.stat().st_size, sha256_file(text)))
    old = replace(manifest, schema_version=1, kind=None, shards=(replace(shard, files=tuple(entries)),))
    world.store.put(old.pointer.manifest_key, old.encode())
    world.pointer = old.pointer
    (world.folder / "CURRENT").unlink()
    (world.folder / f"manifests/{old.snapshot_id}.json").unlink()
    world.commit(old.pointer)


# Folds


def test_a_fold_has_the_records_of_what_it_folds_and_no_segment(world: World) -> None:
    world.publish(labelled(1, "TOTAL"))
    world.publish(replace(receipt_facts(2), exists=False))
    before, manifest = plain(world.records().values()), world.manifest
    assert world.commit_fold(world.fold())
    assert (world.manifest.kind, world.manifest.digest, world.manifest.records) == ("fold", manifest.digest, 8)
    (shard,) = world.manifest.shards
    assert (shard.segments, shard.base_records, shard.base_digest) == ((), 8, manifest.digest)
    assert plain(world.records().values()) == before
    assert plain(world.read().values()) == before
    assert world.verify().records == 8


def test_what_was_published_while_it_was_folded_lies_over_the_new_base(world: World) -> None:
    world.publish(labelled(1, "FIRST"))
    report = world.fold()
    world.publish(labelled(1, "LATER"), labelled(3, "LATER"))
    before, digest = plain(world.records().values()), world.manifest.digest
    assert world.commit_fold(report)
    (shard,) = world.manifest.shards
    assert (len(shard.segments), shard.digest, world.manifest.digest) == (1, digest, digest)
    assert shard.base_digest == report.staged.digest != digest
    assert plain(world.records().values()) == before
    assert world.verify().records == 12


def test_of_two_folds_of_one_version_one_loses_and_harms_nothing(world: World) -> None:
    world.publish(labelled(1, "TOTAL"))
    one, two = world.fold(), world.fold()
    assert world.commit_fold(one)
    manifest = world.manifest
    assert not world.commit_fold(two)
    assert world.manifest == manifest


def test_a_fold_loses_to_a_rollback_in_between(world: World) -> None:
    target = world.pointer
    world.publish(labelled(1, "TOTAL"))
    report = world.fold()
    roll_back(world, target)
    before = plain(world.records().values())
    assert not world.commit_fold(report)
    assert plain(world.records().values()) == before


def roll_back(world: World, target: Pointer | None) -> None:
    assert target is not None
    assert world.pointer is not None
    world.fence += 1
    head = Head("words", fence=world.fence, pointer=world.pointer, version=world.pointer.version, shards=1)
    at = "2026-02-01T00:00:00+00:00"
    pointer, _ = prepare_rollback(
        head=head, target=target, execution="r", trigger="operator", at=at, bucket=world.store, efs_root=world.efs
    )
    world.commit(pointer)


def test_a_rollback_across_a_fold_brings_base_and_segments_back(world: World) -> None:
    world.publish(labelled(1, "TOTAL"))
    target, before = world.pointer, plain(world.records().values())
    world.commit_fold(world.fold())
    world.publish(labelled(1, "DATE"))
    roll_back(world, target)
    assert plain(world.records().values()) == before
    assert len(world.manifest.shards[0].segments) == 1
    assert world.verify().records == 12


def test_a_fold_that_is_written_twice_is_one_version(world: World) -> None:
    world.publish(labelled(1, "TOTAL"))
    report = world.fold()
    pointer = world.pointer
    assert world.commit_fold(report)
    first = world.manifest
    world.pointer, world.fence = pointer, world.fence - 1
    (world.folder / CURRENT).unlink()
    world.store.delete_all([object_key(world.collection, CURRENT)])
    assert world.commit_fold(report)
    assert world.manifest == first


def test_a_fold_whose_staged_base_is_lost_publishes_nothing(world: World) -> None:
    world.publish(labelled(1, "TOTAL"))
    report = world.fold()
    (world.folder / report.staged.path / "chroma.sqlite3").unlink()
    pointer = world.pointer
    with pytest.raises(StagingMissing):
        world.commit_fold(report)
    assert world.pointer == pointer


def test_a_fold_of_other_records_than_the_manifest_says_is_refused(world: World) -> None:
    world.publish(labelled(1, "TOTAL"))
    manifest = world.manifest
    lying = replace(manifest, shards=(replace(manifest.shards[0], digest="0" * 64),))
    world.store.put(lying.pointer.manifest_key, lying.encode())
    world.pointer = lying.pointer
    with pytest.raises(FoldChangedContent, match="verify"):
        world.fold()


def test_the_bound_says_which_shards_are_due() -> None:
    bound = FoldBound(least=4, most=10, share=0.5, segments=2)
    assert [bound.records(base) for base in (0, 10, 1_000)] == [4, 5, 10]
    assert FoldBound().records(50_000) == 15_000


def test_shards_whose_segments_passed_the_bound_are_folded(world: World) -> None:
    for name in ("A", "B", "C"):
        world.publish(labelled(1, name))
    assert shards_to_fold(world.manifest, FoldBound(least=12)) == ()
    assert shards_to_fold(world.manifest, FoldBound(least=11)) == (0,)
    assert shards_to_fold(world.manifest, FoldBound(segments=2)) == (0,)
    assert FoldBound(least=3).passed(world.manifest.shards[0], times=3)
    assert not FoldBound(least=3).passed(world.manifest.shards[0], times=4)


# Damage


DAMAGE: dict[str, tuple[str, Callable[[bytes], bytes | None]]] = {
    "missing": ("files", lambda _: None),
    "cut off": ("file_sha256", lambda content: content[:-9]),
    "a flipped byte": ("file_sha256", lambda content: content[:99] + bytes([content[99] ^ 1]) + content[100:]),
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_staged_segment_that_is_damaged_is_refused(world: World, how: str) -> None:
    problem, damage = DAMAGE[how]
    plan = world.plan(labelled(1, "TOTAL"))
    report = world.merge(plan)
    path = world.folder / staged(report).path
    content = damage(path.read_bytes())
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(SegmentInvalid, match=problem):
        world.validate(plan, report)


def lying(world: World, **changes: Any) -> tuple[Plan, ShardReport]:
    """A merge whose report says something else than it did."""
    plan = world.plan(labelled(1, "TOTAL"))
    report = world.merge(plan)
    return plan, replace(report, segment=replace(staged(report), **changes))


@pytest.mark.parametrize(
    ("problem", "changes"),
    [
        ("file_sha256", {"sha256": "0" * 64}),
        ("receipts", {"receipts": ()}),
        ("dimension", {"dimension": DIMENSION + 1}),
        ("conservation", {"shard_records": 13}),
        ("conservation", {"shard_digest": "0" * 64}),
    ],
)
def test_a_report_that_says_otherwise_is_refused(world: World, problem: str, changes: dict[str, Any]) -> None:
    plan, report = lying(world, **changes)
    with pytest.raises(SegmentInvalid, match=problem):
        world.validate(plan, report)


def restaged(world: World, receipts: dict[str, list[Record]]) -> tuple[Plan, ShardReport]:
    """A merge whose segment was replaced by another one, in both places and in the report."""
    plan = world.plan(labelled(1, "TOTAL"))
    report = world.merge(plan)
    segment = Segment.of(receipts)
    content = encode_segment(segment)
    (world.folder / staged(report).path).write_bytes(content)
    world.store.put(f"snapshots/words/{segment_path(0, staged(report).segment_version)}", content)
    new = replace(staged(report), sha256=sha256_of(content), size=len(content), receipts=segment.receipts)
    return plan, replace(report, segment=new)


def test_a_segment_that_covers_a_receipt_too_many_or_too_few_is_refused(world: World) -> None:
    for receipts in ({receipt(1).key: words_of(1), receipt(2).key: words_of(2)}, {receipt(2).key: words_of(2)}, {}):
        plan, report = restaged(world, receipts)
        with pytest.raises(SegmentInvalid, match=r"covered|receipts"):
            world.validate(plan, report)


def test_a_segment_with_other_records_than_were_counted_is_refused(world: World) -> None:
    plan, report = restaged(world, {receipt(1).key: words_of(1)[:3]})
    with pytest.raises(SegmentInvalid, match="conservation"):
        world.validate(plan, report)


def test_a_segment_without_its_durable_copy_is_refused(world: World) -> None:
    plan = world.plan(labelled(1, "TOTAL"))
    report = world.merge(plan)
    world.store.delete_all([f"snapshots/words/segments/0000/{staged(report).segment_version}.arrow"])
    with pytest.raises(SegmentInvalid, match="objects"):
        world.validate(plan, report)


@pytest.mark.parametrize("damage", [damage_truncate, damage_flip, Path.unlink])
def test_a_damaged_segment_is_fetched_from_s3_and_put_right_on_efs(
    world: World, damage: Callable[[Path], None]
) -> None:
    world.publish(labelled(1, "TOTAL"))
    path = world.folder / world.manifest.shards[0].segments[0].path
    good = path.read_bytes()
    damage(path)
    report = world.merge(world.plan(labelled(1, "DATE")))
    assert report.counts == MergeCounts(updated=1, unchanged=3)
    assert path.read_bytes() == good
    damage(path)
    with pytest.raises((SegmentInvalid, SnapshotDamaged)):
        world.verify()
    world.fold()
    assert path.read_bytes() == good
    assert world.verify().records == 12


def test_validation_proves_against_the_bucket_what_is_damaged_on_efs_and_leaves_efs_to_the_next_merge(
    world: World,
) -> None:
    world.publish(labelled(1, "TOTAL"))
    path = world.folder / world.manifest.shards[0].segments[0].path
    plan = world.plan(labelled(1, "TAX"))
    report = world.merge(plan)
    damage_flip(path)
    before = files(world)
    assert world.validate(plan, report).full
    assert files(world) == before
    assert list(world.work.iterdir()) == []


def test_the_vector_of_a_changed_receipt_that_is_damaged_in_the_base_is_fetched_again(world: World) -> None:
    (path,) = (world.folder / "shards").rglob("data_level0.bin")
    good = path.read_bytes()
    spot = good.index(vector(1 * 50 + 1).tobytes())
    path.write_bytes(good[:spot] + bytes([good[spot] ^ 1]) + good[spot + 1 :])
    report = world.merge(world.plan(labelled(1, "TOTAL")))
    assert report.counts == MergeCounts(updated=1, unchanged=3)
    assert path.read_bytes() == good


def test_a_segment_that_is_wrong_on_s3_too_stops_what_needs_it(world: World) -> None:
    world.publish(labelled(1, "TOTAL"))
    segment = world.manifest.shards[0].segments[0]
    damage_flip(world.folder / segment.path)
    world.store.put(f"snapshots/words/{segment.path}", b"also wrong")
    with pytest.raises(SnapshotDamaged):
        world.merge(world.plan(labelled(1, "DATE")))
    with pytest.raises(SnapshotDamaged):
        world.fold()
    assert world.merge(world.plan(labelled(2, "DATE"))).counts == MergeCounts(updated=1, unchanged=3)


def test_verification_counts_base_and_segments_together(world: World) -> None:
    world.publish(labelled(1, "TOTAL"))
    manifest = world.manifest
    wrong = replace(manifest, shards=(replace(manifest.shards[0], records=11),))
    world.store.put(wrong.pointer.manifest_key, wrong.encode())
    (world.folder / "manifests" / f"{wrong.snapshot_id}.json").write_bytes(wrong.encode())
    with pytest.raises(ShardInvalid, match="conservation"):
        world.verify(wrong.pointer)


def test_a_segment_is_what_its_file_says(world: World) -> None:
    world.publish(labelled(1, "TOTAL"))
    segment = world.manifest.shards[0].segments[0]
    read = read_segment(world.folder / segment.path)
    assert read.receipts == (content_of(receipt(1).key, read.records),) == segment.receipts
    manifest: Manifest = load_manifest(world.store, world.manifest.pointer)
    assert Manifest.decode(manifest.encode()) == manifest


def test_every_receipt_of_a_round_is_in_one_segment(world: World) -> None:
    of = receipt_facts(4)
    upload(world, of, words_of(4))
    (report,) = world.publish(labelled(1, "TOTAL"), of, replace(receipt_facts(2), exists=False))
    assert [one.records for one in staged(report).receipts] == [4, 0, 4]
    assert len(world.records()) == 12


def without_line(content: bytes, key: str) -> bytes:
    lines = [line.removesuffix(b",") for line in content.split(b"\n")[1:-2] if key.encode() not in line]
    return b"[\n" + b",\n".join(lines) + b"\n]\n"


def other_count(content: bytes, key: str) -> bytes:
    return content.replace(f'"{key}", 0, 4'.encode(), f'"{key}", 0, 3'.encode())


def other_place(content: bytes, key: str) -> bytes:
    return content.replace(f'"{key}", 0, 4'.encode(), f'"{key}", 4, 4'.encode())


@pytest.mark.parametrize("damage", [without_line, other_count, other_place])
def test_a_wrong_line_of_a_base_s_index_is_put_right_by_a_merge_and_read_past_by_validation(
    world: World, damage: Callable[[bytes, str], bytes]
) -> None:
    key = receipt(1).key
    (path,) = (world.folder / "shards").rglob("receipts.json")
    good = path.read_bytes()
    wrong = damage(good, key)
    assert wrong != good
    path.write_bytes(wrong)
    plan = world.plan(labelled(1, "TOTAL"))
    report = world.merge(plan)
    assert (report.counts, path.read_bytes()) == (MergeCounts(updated=1, unchanged=3), good)
    path.write_bytes(wrong)
    world.validate(plan, report)
    assert path.read_bytes() == wrong, "validation may not write to EFS"
