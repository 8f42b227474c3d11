"""Plans are merged into staged shards: what differs is written, and nothing else."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from receipt_chroma.digests import add_digests
from receipt_chroma.records import Record, metadata_bytes, record_hash
from receipt_chroma.shard.index import read_index
from receipt_dynamo_stream.facts import ReceiptFacts
from receipt_dynamo_stream.keys import parse_record_id
from receipt_dynamo_stream.round.report import MergeCounts, ShardReport
from receipt_dynamo_stream.sharding import shard_of

from .chroma_files import chroma_directory, tar_of
from .samples import DIMENSION, label, receipt, word
from .uploads import publish_receipts, receipt_facts, upload, words_of
from .world import World


def digest_of(records: Iterable[Record]) -> str:
    return add_digests(*(record_hash(record) for record in records))


def test_the_first_deltas_make_the_first_version(world: World) -> None:
    (of,) = publish_receipts(world, [1])
    published = world.read()
    assert set(published) == {record.id for record in words_of(1)}
    for delta in words_of(1):
        assert published[delta.id].same_vector(delta)
        assert published[delta.id].document == delta.document
        assert published[delta.id].metadata == {"text": "MILK", "label_status": "unvalidated"}
    manifest = world.manifest
    assert (manifest.version, manifest.records, manifest.dimension) == (1, 4, DIMENSION)
    assert manifest.digest == digest_of(published.values())
    assert of.receipt.key in (world.folder / str(manifest.shards[0].path) / "receipts.json").read_text()


def test_merging_again_what_is_merged_writes_nothing_and_stages_nothing(world: World) -> None:
    known = publish_receipts(world, [1, 2])
    before = sorted(world.efs.rglob("*"))
    (report,) = world.publish(*known)
    assert not report.changed
    assert report.staged is None
    assert report.counts == MergeCounts(unchanged=8)
    assert sorted(world.efs.rglob("*")) == before
    assert list(world.work.iterdir()) == []


def test_only_what_differs_is_written(world: World) -> None:
    publish_receipts(world, [1, 2])
    changed = words_of(1)
    changed[0] = word(1, 1, 999, of=receipt(1))
    changed[1] = word(1, 2, 52, of=receipt(1), document="EGGS")
    of = receipt_facts(1, 5, runs=(1, 2), labels=[label(1, 3, "TOTAL")])
    upload(world, of, [*changed[:2], word(1, 5, 55, of=receipt(1))], which=1)
    gone = receipt_facts(2, 2)
    (report,) = world.publish(of, gone)
    assert report.counts == MergeCounts(added=1, removed=2, replaced=2, updated=1, unchanged=3)
    assert {one.receipt: one.counts.added for one in report.receipts} == {receipt(1): 1, receipt(2): 0}
    published = world.read()
    assert len(published) == 7
    assert published[changed[0].id].same_vector(changed[0])
    assert published[changed[1].id].document == "EGGS"
    assert published[word(1, 3, of=receipt(1)).id].metadata["valid_labels_array"] == ["TOTAL"]


def test_keys_that_go_are_cleared_and_lists_may_change(world: World) -> None:
    of = receipt_facts(1, labels=[label(1, 1, "A"), label(1, 2, "A")], place={"merchant_name": "Shop"})
    upload(world, of, words_of(1))
    world.publish(of)
    (report,) = world.publish(replace(of, labels=(label(1, 2, "A"), label(1, 2, "B")), place=None))
    assert report.counts == MergeCounts(updated=4)
    published = world.read()
    assert published[word(1, 1, of=receipt(1)).id].metadata == {"text": "MILK", "label_status": "unvalidated"}
    assert published[word(1, 2, of=receipt(1)).id].metadata["valid_labels_array"] == ["A", "B"]


def test_a_receipt_that_is_gone_loses_its_records_and_others_stay(world: World) -> None:
    first, _ = publish_receipts(world, [1, 2])
    world.publish(replace(first, exists=False))
    assert {parse_record_id(record_id).receipt for record_id in world.read()} == {receipt(2)}


def test_an_emptied_collection_is_a_snapshot_that_fills_again(world: World) -> None:
    (of,) = publish_receipts(world, [1])
    world.publish(replace(of, exists=False))
    assert world.read() == {}
    assert (world.manifest.records, world.manifest.shards[0].tombstones, world.manifest.dimension) == (0, 4, DIMENSION)
    world.publish(of)
    assert len(world.read()) == 4
    assert world.manifest.shards[0].tombstones == 0


def test_a_collection_without_any_record_makes_no_version(world: World) -> None:
    (report,) = world.publish(receipt_facts(1, runs=()))
    assert not report.changed
    assert world.pointer is None


def test_past_a_fifth_of_tombstones_the_shard_is_written_anew(world: World) -> None:
    publish_receipts(world, [1, 2, 3])
    of = receipt_facts(1, runs=(1, 2))
    upload(world, of, words_of(1, 2, seed=1), which=1)
    world.publish(of)
    assert (world.manifest.records, world.manifest.shards[0].tombstones) == (12, 2)
    upload(world, of, words_of(1, 3, seed=2), which=1)
    world.publish(of)
    assert (world.manifest.records, world.manifest.shards[0].tombstones) == (12, 0)
    assert world.manifest.digest == digest_of(world.read().values())


def test_a_bad_delta_is_returned_while_the_rest_is_merged(world: World) -> None:
    good, bad, both = receipt_facts(1), receipt_facts(2), receipt_facts(3, runs=(1, 2))
    upload(world, good, words_of(1))
    world.s3.put_object(Bucket=world.bucket, Key=bad.runs[0].delta_prefix + "delta.arrow", Body=b"not arrow")
    upload(world, both, words_of(3))
    (report,) = world.publish(good, bad, both)
    assert [(one.receipt, one.run_id, one.error) for one in report.refusals] == [
        (receipt(2), "2-run-1", "DeltaCorrupt"),
        (receipt(3), "3-run-2", "DeltaMissing"),
    ]
    assert {one.receipt: dict(one.runs) for one in report.receipts} == {
        receipt(1): {"1-run-1": 4},
        receipt(2): {},
        receipt(3): {"3-run-1": 4},
    }
    assert {parse_record_id(record_id).receipt for record_id in world.read()} == {receipt(1), receipt(3)}


def test_a_run_s_vectors_are_those_that_stand(world: World) -> None:
    of = receipt_facts(1, 3, runs=(1, 2))
    upload(world, of, words_of(1, 4), which=0)
    upload(world, of, words_of(1, 1, seed=1), which=1)
    (report,) = world.publish(of)
    assert report.receipts[0].runs == {"1-run-1": 2, "1-run-2": 1}


def test_a_run_without_a_readable_time_is_refused_alone(world: World) -> None:
    of = receipt_facts(1, runs=(1, 2))
    upload(world, of, words_of(1), which=0)
    timeless = replace(of, runs=(of.runs[0], replace(of.runs[1], created_at="")))
    (report,) = world.publish(timeless)
    assert [one.error for one in report.refusals] == ["RunTimeInvalid"]
    assert len(world.read()) == 4


def test_shards_hold_what_is_routed_to_them_and_untouched_ones_are_referenced(world: World) -> None:
    world.shards = 4
    known = publish_receipts(world, range(12))
    before = world.manifest
    for shard in before.shards:
        folder = world.folder / str(shard.path)
        keys = list(read_index((folder / "receipts.json").read_bytes()))
        assert all(shard_of(key.split("#")[1], 1, 4) == shard.shard for key in keys)
    reports = world.publish(replace(known[0], place={"merchant_name": "Shop"}))
    touched = shard_of(known[0].receipt.image_id, 1, 4)
    assert [report.shard for report in reports] == [touched]
    moved = [old.path != new.path for old, new in zip(before.shards, world.manifest.shards, strict=True)]
    assert moved == [number == touched for number in range(4)]
    assert len(world.read()) == 48


def test_a_shard_that_holds_nothing_yet_is_empty_in_the_manifest(world: World) -> None:
    world.shards = 8
    publish_receipts(world, [1])
    assert sorted(shard.records for shard in world.manifest.shards) == [0] * 7 + [4]
    assert [shard.path for shard in world.manifest.shards if not shard.records] == [None] * 7


def test_a_chroma_tar_and_an_arrow_delta_of_the_same_records_are_the_same(world: World, tmp_path: Path) -> None:
    of = receipt_facts(1)
    world.s3.put_object(
        Bucket=world.bucket,
        Key=of.runs[0].delta_prefix + "delta.tar.gz",
        Body=tar_of(chroma_directory(tmp_path / "delta", words_of(1, x=0.9802897264899629))),
    )
    world.publish(of)
    upload(world, of, words_of(1, x=0.9802897264899629))
    (report,) = world.publish(of)
    assert report.counts == MergeCounts(unchanged=4)


def test_a_repeated_attempt_stages_beside_the_first_and_comes_to_the_same(world: World) -> None:
    of = receipt_facts(1)
    upload(world, of, words_of(1))
    plan = world.plan(of)
    reports = [world.merge(plan, attempt=attempt) for attempt in ("one", "two")]
    staged = [report.staged for report in reports]
    assert staged[0] is not None
    assert staged[1] is not None
    assert staged[0].path != staged[1].path
    assert (staged[0].digest, staged[0].records) == (staged[1].digest, staged[1].records)
    assert all(world.validate(plan, report).full for report in reports)


def test_one_plan_or_many_or_from_nothing_give_the_same_content(world: World, s3: Any, tmp_path: Path) -> None:
    known = publish_receipts(world, range(6))
    later = [
        replace(known[0], exists=False),
        replace(known[1], place={"merchant_name": "Shop"}),
        receipt_facts(2, 2),
        receipt_facts(3, runs=(1, 2), labels=[label(1, 1, "TOTAL")]),
        *known[4:],
    ]
    upload(world, later[3], words_of(3, 2, seed=5), which=1)
    for one in later:
        world.publish(one)
    s3.create_bucket(Bucket=f"{world.bucket}-fresh")
    fresh = World(s3, f"{world.bucket}-fresh", tmp_path / "fresh")
    fresh.delta_buckets = (world.bucket,)
    fresh.publish(*(with_uris(one, world.bucket) for one in later))
    assert shown(world.read()) == shown(fresh.read())
    assert world.manifest.digest == fresh.manifest.digest


def with_uris(of: ReceiptFacts, bucket: str) -> ReceiptFacts:
    return replace(of, runs=tuple(replace(one, delta_prefix=f"s3://{bucket}/{one.delta_prefix}") for one in of.runs))


def shown(records: dict[str, Record]) -> dict[str, tuple[bytes, str | None, bytes]]:
    return {
        name: (one.embedding.tobytes(), one.document, metadata_bytes(one.metadata)) for name, one in records.items()
    }


def test_the_report_survives_its_stored_form(world: World) -> None:
    of = receipt_facts(1)
    upload(world, of, words_of(1))
    plan = world.plan(of)
    report = world.merge(plan)
    assert ShardReport.decode(report.encode()) == report
    assert report.plan_key == plan.plan_key("attempt")
    assert set(report.seconds) == {"read", "write", "stage"}
