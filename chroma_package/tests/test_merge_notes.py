"""What a merge notes of runs that were not refused, and what outlives their deltas."""

from dataclasses import replace

import pytest
from receipt_chroma import run_deltas
from receipt_chroma.errors import (
    DeltaCorrupt,
    DeltaNotGiven,
    DeltaPrefixForbidden,
    DeltaRefused,
    DeltaTooLarge,
    ForeignRecord,
)
from receipt_dynamo_stream.round.report import MergeCounts

from .samples import label
from .uploads import notes_of, publish_receipts, receipt_facts, upload, words_of
from .world import World


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
