"""From a table whose deltas have expired and an old Chroma directory to a snapshot that has every record."""

from pathlib import Path
from typing import Any

import pytest
from receipt_chroma import announce_batch
from receipt_chroma.errors import DeltaCorrupt, WrongCollection, WrongSpace
from receipt_chroma.records import Record
from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.keys import ReceiptId, word_record_id
from receipt_dynamo_stream.runs import run_key

from local.demo.exporting import export_current
from operate.adopt.adopted import adopted_run_id
from operate.adopt.adoption import (
    ADOPTED_OTHERWISE,
    NO_ID,
    NO_RECEIPT,
    NOT_OLDEST,
    OTHER_COLLECTION,
    OTHER_DIMENSION,
    Adoption,
    plan_adoption,
    source_directory,
    write_adoption,
)
from operate.adopt.bucket import BucketSigns, look_at_bucket
from operate.adopt.diagnosis import DELTA_EXPIRED, DELTA_MISSING, NOT_MERGED, ONLY_THE_SNAPSHOT
from operate.adopt.table import Models, scan_table
from operate.errors import UsageError

from .conftest import NewRounds
from .old_world import (
    ADDED,
    RECEIPTS,
    WORDS,
    before_a_stack,
    chroma_directory,
    deployed,
    differences,
    old_receipt,
    published,
    reasons,
    records_of,
    stream,
    write,
)
from .rounds import Rounds, vector

NOW = "2026-08-01T00:00:00+00:00"


@pytest.fixture
def old(new_rounds: NewRounds) -> Rounds:
    """Three receipts of four words, whose runs are COMPLETED and whose deltas have expired; nothing is pending."""
    rounds = new_rounds(1)
    write(rounds, [item for receipt in RECEIPTS for item in old_receipt(receipt)])
    return rounds


def plan(old: Rounds, directory: Path, *, dimension: int | None = None) -> Adoption:
    facts = scan_table(old.dynamodb, old.receipts_table, {"words": Models()})["words"].facts
    with plan_adoption(directory, facts, "words", dimension=dimension, now=NOW) as adoption:
        return adoption


def adopt(old: Rounds, directory: Path) -> int:
    facts = scan_table(old.dynamodb, old.receipts_table, {"words": Models()})["words"].facts
    with plan_adoption(directory, facts, "words", dimension=None, now=NOW) as adoption:
        written = write_adoption(
            adoption,
            bucket=Bucket(old.s3, old.bucket),
            dynamodb=old.dynamodb,
            receipts_table=old.receipts_table,
        )
        stream(old, [one.run.receipt for one in adoption.runs])
    return written


def test_what_expired_is_named_adopted_and_then_as_any_other_record(old: Rounds, tmp_path: Path) -> None:
    stream(old, RECEIPTS)
    old.merge_all()  # a first deployment, reconciled: nothing is published, and nothing waits
    told = deployed(old)
    assert (told.version, reasons(told), told.clean) == (0, {DELTA_EXPIRED: 3}, False)

    records = records_of(RECEIPTS)
    assert adopt(old, chroma_directory(tmp_path / "old", records)) == 3
    assert deployed(old).states["waiting"] == 3
    old.merge_all()
    told = deployed(old)
    assert (told.states["served"], reasons(told), told.clean) == (3, {}, True)
    served = published(old)
    assert {one: (record.vector, record.document) for one, record in served.items()} == {
        record.id: (record.embedding.tobytes(), record.document) for record in records
    }
    assert {record.metadata["label_status"] for record in served.values()} == {"unvalidated"}  # the table decides
    assert differences(old, served) == []


def test_after_an_adoption_runs_and_edits_are_merged_as_ever(old: Rounds, tmp_path: Path) -> None:
    adopt(old, chroma_directory(tmp_path / "old", records_of(RECEIPTS)))
    old.merge_all()
    new, edited, embedded_again = ReceiptId("image-c", 1), RECEIPTS[0], RECEIPTS[1]
    write(old, old_receipt(new)[:-1])
    announce_batch(
        old.dynamodb,
        old.receipts_table,
        Bucket(old.s3, old.bucket),
        created_at=old.time(),
        words=records_of([new], seed=50) + records_of([embedded_again], seed=60)[:1],
    )
    stream(old, [new, embedded_again])
    label = {"validation_status": "VALID", "timestamp_added": old.time()}
    old.put(edited, "#LINE#00001#WORD#00001#LABEL#TAX", "RECEIPT_WORD_LABEL", **label)
    old.remove(edited, "#LINE#00002#WORD#00002")
    old.merge_all()
    served = published(old)
    assert differences(old, served) == []
    assert served[word_record_id(edited, 1, 1)].metadata["valid_labels_array"] == ["TAX"]
    assert served[word_record_id(embedded_again, 1, 1)].vector == vector(60).tobytes()
    assert word_record_id(new, 2, 2) in served
    assert word_record_id(edited, 2, 2) not in served
    assert deployed(old).clean


def test_adopting_again_writes_nothing_and_the_rest_after_a_crash(old: Rounds, tmp_path: Path) -> None:
    directory = chroma_directory(tmp_path / "old", records_of(RECEIPTS))
    assert adopt(old, directory) == 3
    again = plan(old, directory)
    assert (again.runs, again.there, again.misfits) == ([], 3, {})
    key = run_key(RECEIPTS[0], adopted_run_id(RECEIPTS[0], "words"))
    old.dynamodb.delete_item(TableName=old.receipts_table, Key=key)  # as if it had ended before that run
    assert [one.run.receipt for one in plan(old, directory).runs] == RECEIPTS[:1]
    assert adopt(old, directory) == 1


def test_what_does_not_fit_is_named_and_the_rest_is_adopted(old: Rounds, tmp_path: Path) -> None:
    fitting = records_of(RECEIPTS[:1])
    gone = ReceiptId("image-z", 1)
    strange = {
        NO_ID: "a thing",
        OTHER_COLLECTION: f"{RECEIPTS[0].key}#LINE#00001",
        NO_RECEIPT: word_record_id(gone, 1, 1),
        "record without word": word_record_id(RECEIPTS[0], 7, 7),
    }
    others = [Record(one, vector(1), "x", {"x": 1.0}) for one in strange.values()]
    zero = Record(word_record_id(RECEIPTS[1], 1, 1), vector(1) * 0, "x", {"x": 1.0})
    adoption = plan(old, chroma_directory(tmp_path / "old", [*fitting, *others, zero]))
    assert adoption.adopted == len(fitting)
    left = {misfit.why: misfit.examples for misfit in adoption.misfits.values()}
    assert left == {**{why: [one] for why, one in strange.items()}, "refused: InvalidVector": [zero.id]}
    assert adoption.to_json()["adopted"] == len(fitting)


def test_records_of_another_dimension_than_what_is_published_are_left(old: Rounds, tmp_path: Path) -> None:
    adoption = plan(old, chroma_directory(tmp_path / "old", records_of(RECEIPTS[:1])), dimension=7)
    assert {misfit.why: misfit.records for misfit in adoption.misfits.values()} == {OTHER_DIMENSION: 4}


def test_a_readable_run_wins_over_what_is_adopted_whenever_that_was_written(old: Rounds, tmp_path: Path) -> None:
    old.announce(RECEIPTS[0], WORDS[:1], seed=90)
    adopt(old, chroma_directory(tmp_path / "old", records_of(RECEIPTS)))
    old.merge_all()
    served = published(old)
    assert served[word_record_id(RECEIPTS[0], 1, 1)].vector == vector(90).tobytes()
    assert differences(old, served) == []


def test_another_directory_of_an_adopted_receipt_is_refused_and_so_is_a_receipt_as_old_as_its_runs(
    old: Rounds, tmp_path: Path
) -> None:
    adopt(old, chroma_directory(tmp_path / "old", records_of(RECEIPTS[:1])))
    late = ReceiptId("image-d", 1)
    write(old, old_receipt(late, run_id="!", announced=ADDED))
    other = [*records_of(RECEIPTS[:1], seed=9), *records_of([late])[:1]]
    adoption = plan(old, chroma_directory(tmp_path / "other", other))
    assert {misfit.why: misfit.records for misfit in adoption.misfits.values()} == {ADOPTED_OTHERWISE: 4, NOT_OLDEST: 1}
    assert adoption.runs == []


@pytest.mark.slow
def test_what_only_the_snapshot_has_is_adopted_from_an_export_of_it(new_rounds: NewRounds, tmp_path: Path) -> None:
    rounds, receipt = new_rounds(1), RECEIPTS[0]
    rounds.create(receipt, WORDS)
    rounds.announce(receipt, WORDS, seed=5)
    rounds.put(receipt, "#PLACE", "RECEIPT_PLACE", merchant_name="Sprouts")
    rounds.merge_all()
    bucket = Bucket(rounds.s3, rounds.bucket)
    bucket.delete_all([one.key for one in bucket.list("words/delta/")])
    told = deployed(rounds)
    assert (reasons(told), told.clean, told.states["served"]) == ({ONLY_THE_SNAPSHOT: 1}, True, 1)
    before = published(rounds)
    export_current(rounds.efs, "words", tmp_path / "words")
    assert adopt(rounds, tmp_path / "words") == 1
    rounds.merge_all()
    assert rounds.pointers["words"].version == told.version  # the same records: nothing to publish
    assert published(rounds) == before
    assert reasons(deployed(rounds)) == {}
    assert differences(rounds, before) == []  # the model builds it from nothing: by what was adopted


def test_pending_runs_whose_deltas_are_elsewhere_are_named_before_a_deployment(old: Rounds) -> None:
    receipt = ReceiptId("image-e", 1)
    write(old, old_receipt(receipt, state="PENDING"))
    told = before_a_stack(old)
    found = {finding.why: finding for finding in told.findings}
    assert reasons(told) == {DELTA_EXPIRED: 3, DELTA_MISSING: 1}
    assert found[DELTA_MISSING].examples == [receipt.key]
    assert "-c bucket=NAME" in found[DELTA_MISSING].do


def test_a_change_that_the_stream_lost_is_named(old: Rounds) -> None:
    old.announce(RECEIPTS[0], WORDS, seed=3)
    (waiting,) = old.pending("words").read()
    old.pending("words").settle(RECEIPTS[0], waiting.change)
    assert reasons(deployed(old)) == {NOT_MERGED: 1, DELTA_EXPIRED: 2}


@pytest.mark.parametrize(
    ("spoil", "error"), [({"name": "others"}, WrongCollection), ({"space": "cosine"}, WrongSpace)], ids=str
)
def test_a_directory_that_is_none_of_ours_is_refused_by_name(
    old: Rounds, tmp_path: Path, spoil: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        plan(old, chroma_directory(tmp_path / "old", records_of(RECEIPTS[:1]), **spoil))
    with pytest.raises(DeltaCorrupt, match="no Chroma directory"):
        plan(old, tmp_path)


def test_a_directory_in_a_bucket_is_read_there(old: Rounds, tmp_path: Path) -> None:
    directory = chroma_directory(tmp_path / "old", records_of(RECEIPTS[:1]))
    for path in directory.rglob("*"):
        if path.is_file():
            key = f"backups/words/{path.relative_to(directory).as_posix()}"
            old.s3.upload_file(str(path), old.bucket, key)
    with source_directory(f"s3://{old.bucket}/backups/words", lambda: old.s3) as there:
        assert plan(old, there).adopted == 4
    for source in (f"s3://{old.bucket}/nothing", str(tmp_path / "nothing")):
        with pytest.raises(UsageError), source_directory(source, lambda: old.s3):
            pass


def test_a_bucket_that_takes_deltas_or_is_taken_is_named_before_a_deployment(old: Rounds) -> None:
    bucket = Bucket(old.s3, old.bucket)
    assert look_at_bucket(bucket, deployed=False) == BucketSigns(())
    rules = [
        {"ID": "old-deltas", "Status": "Enabled", "Filter": {"Prefix": "words/"}, "Expiration": {"Days": 30}},
        {"ID": "plans", "Status": "Enabled", "Filter": {"Prefix": "plans/"}, "Expiration": {"Days": 30}},
        {"ID": "off", "Status": "Disabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 30}},
        {"ID": "cold", "Status": "Enabled", "Filter": {"Prefix": "lines/delta/2024"}, "Transitions": [
            {"Days": 30, "StorageClass": "GLACIER"}]},
    ]  # fmt: skip
    old.s3.put_bucket_lifecycle_configuration(Bucket=old.bucket, LifecycleConfiguration={"Rules": rules})
    old.s3.put_object(Bucket=old.bucket, Key="snapshots/words/old.tar", Body=b"x")
    told = look_at_bucket(bucket, deployed=False).troubles
    assert len(told) == 3
    assert [name for name in ("snapshots/,", "old-deltas", "cold", "plans ", "off") if name in " ".join(told)] == [
        "snapshots/,",
        "old-deltas",
        "cold",
    ]
    assert len(look_at_bucket(bucket, deployed=True).troubles) == 2
