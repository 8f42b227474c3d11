"""A small change is a segment: what a publication writes, and what it means."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from receipt_chroma.digests import EMPTY_DIGEST
from receipt_chroma.errors import ShardInvalid
from receipt_chroma.folding import FoldBound
from receipt_chroma.records import content_of
from receipt_chroma.segment.file import read_segment
from receipt_chroma.snapshot.manifest import Manifest, load_manifest
from receipt_dynamo_stream.round.report import MergeCounts

from ..samples import DIMENSION, label, receipt, word
from ..uploads import publish_receipts, receipt_facts, upload, words_of
from ..world import World
from .labelled import files, labelled, plain, staged


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
