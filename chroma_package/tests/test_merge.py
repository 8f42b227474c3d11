from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from receipt_chroma import run_deltas
from receipt_chroma.digests import add_digests
from receipt_chroma.errors import (
    DeltaCorrupt,
    DeltaNotGiven,
    DeltaPrefixForbidden,
    DeltaRefused,
    DeltaTooLarge,
    ForeignRecord,
    SnapshotDamaged,
)
from receipt_chroma.records import Record, metadata_bytes, record_hash
from receipt_chroma.shard.index import read_index
from receipt_dynamo_stream.facts import ReceiptFacts
from receipt_dynamo_stream.keys import parse_record_id
from receipt_dynamo_stream.round.report import MergeCounts, ShardReport
from receipt_dynamo_stream.sharding import shard_of

from .chroma_files import chroma_directory, tar_of
from .samples import DIMENSION, facts, label, receipt, run, word
from .world import World


def words_of(number: int, count: int = 4, *, seed: int = 0, **metadata: Any) -> list[Record]:
    of = receipt(number)
    return [word(1, w, seed * 1000 + number * 50 + w, of=of, **metadata) for w in range(1, count + 1)]


def receipt_facts(number: int, count: int = 4, *, runs: Iterable[int] = (1,), **more: Any) -> ReceiptFacts:
    """A receipt whose runs lie under its own prefixes."""
    own = [replace(run(n), delta_prefix=f"delta/{number}/{n}/", run_id=f"{number}-run-{n}") for n in runs]
    return facts([(1, w) for w in range(1, count + 1)], of=receipt(number), runs=own, **more)


def upload(world: World, of: ReceiptFacts, records: list[Record], which: int = 0) -> None:
    world.upload(of.runs[which], records)


def publish_receipts(world: World, numbers: Iterable[int], count: int = 4) -> list[ReceiptFacts]:
    known = [receipt_facts(number, count) for number in numbers]
    for number, of in zip(numbers, known, strict=True):
        upload(world, of, words_of(number, count))
    world.publish(*known)
    return known


def notes_of(report: ShardReport) -> list[tuple[str, str]]:
    return [(one.run_id, one.note) for one in report.notes]


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


def test_the_records_of_a_completed_run_outlive_its_delta(world: World) -> None:
    (of,) = publish_receipts(world, [1])
    world.s3.delete_object(Bucket=world.bucket, Key=of.runs[0].delta_prefix + "delta.arrow")
    done = replace(of, runs=(replace(of.runs[0], state="COMPLETED"),), place={"merchant_name": "Shop"})
    (report,) = world.publish(done)
    assert report.refusals == ()
    assert report.receipts[0].runs == {}
    assert {record.metadata["merchant_name"] for record in world.read().values()} == {"Shop"}
    (report,) = world.publish(replace(of, runs=(replace(of.runs[0], delta_prefix="", state="COMPLETED"),)))
    assert report.counts == MergeCounts(updated=4)
    (report,) = world.publish(of)
    assert [one.error for one in report.refusals] == ["DeltaMissing"]
    assert report.counts == MergeCounts(removed=4)


@pytest.mark.parametrize("refusal", [DeltaNotGiven, DeltaPrefixForbidden, DeltaTooLarge, DeltaCorrupt, ForeignRecord])
def test_the_records_of_a_completed_run_outlive_what_is_not_read_any_more_and_the_run_has_a_note(
    world: World, monkeypatch: pytest.MonkeyPatch, refusal: type[DeltaRefused]
) -> None:
    """A lifecycle rule archived the delta, a newer release has narrower bounds, its bytes are damaged now."""
    (of,) = publish_receipts(world, [1])

    def refused(*_: object, **__: object) -> None:
        raise refusal("not any more")

    monkeypatch.setattr(run_deltas, "fetch_delta", refused)
    done = replace(of, runs=(replace(of.runs[0], state="COMPLETED"),), place={"merchant_name": "Shop"})
    (report,) = world.publish(done)
    assert report.refusals == ()
    assert notes_of(report) == [("1-run-1", refusal.__name__)]
    assert "not any more; what is published of it stays" in report.notes[0].message
    assert {record.metadata["merchant_name"] for record in world.read().values()} == {"Shop"}
    (report,) = world.publish(of)
    assert [one.error for one in report.refusals] == [refusal.__name__]
    assert report.notes == ()


class TestNotes:
    """What a run is not refused for, and what is still not as its producer would think."""

    def test_a_run_that_is_older_than_its_receipt_is_not_merged_and_says_so(self, world: World) -> None:
        of = receipt_facts(1, runs=(1, 2), added="2026-01-02T12:00:00+00:00")
        for which in (0, 1):
            upload(world, of, words_of(1, seed=which), which=which)
        (report,) = world.publish(of)
        assert notes_of(report) == [("1-run-1", "OlderThanReceipt")]
        assert "2026-01-02T00:00:00+00:00 is before" in report.notes[0].message
        assert report.receipts[0].runs == {"1-run-2": 4}
        failed = (replace(of.runs[0], state="FAILED"), of.runs[1])
        for healed in (replace(of, timestamp_added=None), replace(of, runs=failed), replace(of, exists=False)):
            (report,) = world.publish(healed)
            assert report.notes == ()

    def test_records_whose_word_is_not_in_the_table_are_counted_until_it_is(self, world: World) -> None:
        of = receipt_facts(1, 2)
        upload(world, of, words_of(1, 4))
        (report,) = world.publish(of)
        assert notes_of(report) == [("1-run-1", "RecordsLeftOut")]
        assert report.notes[0].message.startswith("2 of its records are not in the snapshot")
        assert words_of(1)[2].id in report.notes[0].message
        assert report.receipts[0].runs == {"1-run-1": 2}
        (report,) = world.publish(receipt_facts(1, 4))
        assert report.notes == ()
        assert len(world.read()) == 4

    @pytest.mark.parametrize("merged", [0, 4])
    def test_a_completed_run_whose_delta_is_gone_says_so_when_nothing_of_it_is_there(
        self, world: World, merged: int
    ) -> None:
        of = receipt_facts(1)
        lost = replace(of, runs=(replace(of.runs[0], state="COMPLETED", merged=merged),))
        (report,) = world.publish(lost)
        assert (notes_of(report), report.refusals) == ([("1-run-1", "DeltaMissing")], ())
        assert "nothing of it is in the snapshot" in report.notes[0].message
        upload(world, of, words_of(1))
        (report,) = world.publish(lost)
        assert report.notes == ()
        assert report.receipts[0].runs == {"1-run-1": 4}

    def test_also_beside_a_newer_run_that_brings_less_than_it_did(self, world: World) -> None:
        of = receipt_facts(1, runs=(1, 2))
        upload(world, of, words_of(1, 1), which=1)
        lost = replace(of, runs=(replace(of.runs[0], state="COMPLETED", merged=4), of.runs[1]))
        for _ in range(2):
            (report,) = world.publish(lost)
            assert notes_of(report) == [("1-run-1", "DeltaMissing")]
        assert len(world.read()) == 1

    def test_a_run_that_a_newer_one_replaced_needs_its_delta_no_more(self, world: World) -> None:
        of = receipt_facts(1, runs=(1, 2))
        upload(world, of, words_of(1, 4), which=1)
        for merged in (0, 4):
            (report,) = world.publish(
                replace(of, runs=(replace(of.runs[0], state="COMPLETED", merged=merged), of.runs[1]))
            )
            assert (report.notes, report.refusals) == ((), ())

    def test_a_completed_run_is_refused_when_its_delta_is_corrupt_and_nothing_of_it_is_there(
        self, world: World
    ) -> None:
        """There is nothing to keep, and COMPLETED would be wrong: it waits for a person."""
        of = receipt_facts(1)
        world.s3.put_object(Bucket=world.bucket, Key=of.runs[0].delta_prefix + "delta.arrow", Body=b"ARROW1")
        (report,) = world.publish(replace(of, runs=(replace(of.runs[0], state="COMPLETED", merged=4),)))
        assert [one.error for one in report.refusals] == ["DeltaCorrupt"]
        assert report.notes == ()

    def test_damage_after_publication_takes_nothing_back_and_an_edit_is_published(self, world: World) -> None:
        (of,) = publish_receipts(world, [1])
        before = world.read()
        world.s3.put_object(Bucket=world.bucket, Key=of.runs[0].delta_prefix + "delta.arrow", Body=b"ARROW1")
        done = replace(of.runs[0], state="COMPLETED", merged=4)
        (report,) = world.publish(replace(of, runs=(done,), labels=(label(1, 1, "TOTAL"),)))
        assert (notes_of(report), report.refusals) == ([("1-run-1", "DeltaCorrupt")], ())
        assert report.counts == MergeCounts(updated=1, unchanged=3)
        now = world.read()
        assert all(now[key].same_vector(record) for key, record in before.items())
        (report,) = world.publish(replace(of, runs=(replace(done, created_at="yesterday"),)))
        assert [one.error for one in report.refusals] == ["RunTimeInvalid"]


class TestDimension:
    """The dimension of a collection comes from its first delta."""

    def two(self, world: World, first: int, second: int) -> tuple[ReceiptFacts, ReceiptFacts]:
        one, two = receipt_facts(1), receipt_facts(2, runs=(2,))
        upload(world, one, [word(1, 1, 7, of=receipt(1), dimension=first)])
        upload(world, two, [word(1, 1, 7, of=receipt(2), dimension=second)])
        return one, two

    def test_of_two_first_deltas_that_disagree_the_later_is_refused_in_whatever_shard(self, world: World) -> None:
        world.shards = 8
        one, two = self.two(world, 5, 6)
        assert shard_of(one.receipt.image_id, 1, 8) != shard_of(two.receipt.image_id, 1, 8)
        reports = world.publish(two, one)
        assert [(r.run_id, r.error) for report in reports for r in report.refusals] == [("2-run-2", "WrongDimension")]
        assert world.manifest.dimension == 5

    def test_an_unreadable_first_delta_does_not_decide(self, world: World) -> None:
        one, two = self.two(world, 5, 6)
        world.s3.put_object(Bucket=world.bucket, Key=one.runs[0].delta_prefix + "delta.arrow", Body=b"broken")
        world.publish(one, two)
        assert world.manifest.dimension == 6

    def test_a_later_delta_of_another_dimension_is_refused(self, world: World) -> None:
        one, two = self.two(world, 5, 6)
        world.publish(one)
        (report,) = world.publish(two)
        assert [refusal.error for refusal in report.refusals] == ["WrongDimension"]


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


def damage_truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def damage_flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [damage_truncate, damage_flip, Path.unlink])
@pytest.mark.parametrize("name", ["chroma.sqlite3", "data_level0.bin", "receipts.json"])
def test_a_damaged_base_is_fetched_from_s3_and_put_right_on_efs(
    world: World, damage: Callable[[Path], None], name: str
) -> None:
    (of,) = publish_receipts(world, [1])
    (path,) = (world.folder / "shards").rglob(name)
    good = path.read_bytes()
    damage(path)
    report = world.merge(world.plan(replace(of, labels=(label(1, 1, "TOTAL"),))))
    assert report.counts == MergeCounts(updated=1, unchanged=3)
    assert path.read_bytes() == good
    assert not list((world.folder / "staging").glob("repair-*"))


def test_a_base_that_is_wrong_on_s3_too_stops_the_merge(world: World) -> None:
    (of,) = publish_receipts(world, [1])
    (path,) = (world.folder / "shards").rglob("chroma.sqlite3")
    damage_flip(path)
    damaged = path.read_bytes()
    key = f"snapshots/words/{path.relative_to(world.folder).as_posix()}"
    world.s3.put_object(Bucket=world.bucket, Key=key, Body=b"also wrong")
    of = replace(of, labels=(label(1, 1, "TOTAL"),))
    with pytest.raises(SnapshotDamaged, match="roll back"):
        world.merge(world.plan(of))
    world.s3.delete_object(Bucket=world.bucket, Key=key)
    with pytest.raises(SnapshotDamaged, match="is not there"):
        world.merge(world.plan(of))
    assert path.read_bytes() == damaged


def test_a_base_manifest_that_is_gone_or_other_is_never_taken_as_empty(world: World) -> None:
    (of,) = publish_receipts(world, [1])
    assert world.pointer is not None
    world.pointer = replace(world.pointer, manifest_sha256="0" * 64)
    with pytest.raises(SnapshotDamaged, match="sha256"):
        world.merge(world.plan(of))
    world.pointer = replace(world.pointer, manifest_key="snapshots/words/manifests/none.json")
    with pytest.raises(SnapshotDamaged, match="is not there"):
        world.merge(world.plan(of))


def test_another_shard_count_than_the_snapshot_s_is_refused(world: World) -> None:
    (of,) = publish_receipts(world, [1])
    world.shards = 2
    with pytest.raises(SnapshotDamaged, match="HEAD says 2"):
        world.merge(world.plan(of), shard=0)


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


def test_a_shard_that_the_plan_does_not_have_is_a_mistake_of_the_caller(world: World) -> None:
    with pytest.raises(ValueError, match="no shard 3"):
        world.merge(world.plan(), shard=3)
