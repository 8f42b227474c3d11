"""The judge is judged: it accepts what is right, and names whatever one thing is broken."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from receipt_chroma import write_arrow_delta

from local.demo.naive.deltas import Records
from local.demo.naive.model import Expected, Verdict, check_collection, compare, expect
from local.demo.naive.published import NaiveRecord, PublishedDamaged
from local.demo.naive.table import scan_receipts
from local.demo.samples.delta_files import CORRUPT_KINDS, CorruptKind
from local.demo.samples.model import Receipt
from local.demo.samples.producer import COLLECTIONS, Producer, Upload
from tests.demo.conftest import BUCKET, DIMENSION, TABLE, Cloud
from tests.demo.publishing import publish, write_manifest


def expected_of(cloud: Cloud, collection: str) -> Expected:
    receipts = scan_receipts(cloud.dynamodb, TABLE)
    return expect(receipts, cloud.s3, bucket=BUCKET, collection=collection, dimension=DIMENSION)


def verdict_of(cloud: Cloud, efs: Path, collection: str) -> Verdict:
    receipts = scan_receipts(cloud.dynamodb, TABLE)
    return check_collection(receipts, cloud.s3, bucket=BUCKET, efs=efs, collection=collection, dimension=DIMENSION)


def settle_runs(cloud: Cloud, collection: str, state: str = "COMPLETED", run_id: str = "") -> None:
    """Give every run this state, or one of them."""
    for item in cloud.items():
        if f"#COMPACTION_RUN#{run_id}" in item["SK"]["S"]:
            cloud.dynamodb.update_item(
                TableName=TABLE,
                Key={"PK": item["PK"], "SK": item["SK"]},
                UpdateExpression="SET #state = :state",
                ExpressionAttributeNames={"#state": f"{collection}_state"},
                ExpressionAttributeValues={":state": {"S": state}},
            )


def test_a_right_snapshot_is_equal_however_many_shards_it_has(
    cloud: Cloud, producer: Producer, receipts: list[Receipt], tmp_path: Path
) -> None:
    producer.put_receipts(producer.plan_uploads(receipts))
    for collection, shards in (("lines", 1), ("words", 3)):
        settle_runs(cloud, collection)
        publish(tmp_path, collection, expected_of(cloud, collection).records, shards)
        verdict = verdict_of(cloud, tmp_path, collection)
        assert verdict.equal, verdict.differences
        per_receipt = (receipt.records(collection) for receipt in receipts)
        assert verdict.records == verdict.expected_records == sum(per_receipt)
        assert verdict.version == 1


def a_record(**changes: object) -> NaiveRecord:
    record = NaiveRecord(np.ones(4, dtype="<f4").tobytes(), "MILK", {"text": "MILK", "x": 0.1, "n": 1, "labels": ["A"]})
    return dataclasses.replace(record, **changes)  # type: ignore[arg-type]


def with_metadata(**changes: object) -> NaiveRecord:
    return a_record(metadata=a_record().metadata | changes)


def flip_one_bit(record: NaiveRecord) -> NaiveRecord:
    bits = np.frombuffer(record.vector, dtype="<u4").copy()
    bits[-1] ^= 1
    return dataclasses.replace(record, vector=bits.tobytes())


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (flip_one_bit(a_record()), "b: its vector has other bits"),
        (a_record(vector=a_record().vector[:-4]), "b: its vector has 3 dimensions, expected 4"),
        (a_record(document="milk"), "b: its document is 'milk', expected 'MILK'"),
        (a_record(document=None), "b: its document is None, expected 'MILK'"),
        (a_record(metadata={}), "b: its labels is None, expected ['A']"),
        (with_metadata(merchant_name="X"), "b: its merchant_name is 'X', expected None"),
        (with_metadata(n=2), "b: its n is 2, expected 1"),
        (with_metadata(n=1.0), "b: its n is 1.0, expected 1"),
        (with_metadata(n=True), "b: its n is True, expected 1"),
        (with_metadata(x=0.1000000001), "b: its x is 0.1000000001, expected 0.1"),
        (with_metadata(labels=["B"]), "b: its labels is ['B'], expected ['A']"),
        (with_metadata(labels=["A", "A"]), "b: its labels is ['A', 'A'], expected ['A']"),
    ],
)
def test_one_broken_record_is_named(broken: NaiveRecord, said: str) -> None:
    expected = {"a": a_record(), "b": a_record()}
    found = compare(expected, {"a": a_record(), "b": broken})
    assert said in found
    assert all(line.startswith("b: ") for line in found)


def test_a_missing_and_an_extra_record_are_named() -> None:
    assert compare({"a": a_record()}, {"b": a_record()}) == ["a is missing", "b must not be there"]


def test_the_last_place_of_a_double_is_chromas_own_affair() -> None:
    assert compare({"a": with_metadata(x=0.1 + 0.2)}, {"a": with_metadata(x=0.3)}) == []


def drop_one(records: Records) -> Records:
    return dict(list(records.items())[1:])


def flip_in_one(records: Records) -> Records:
    first = next(iter(records))
    return records | {first: flip_one_bit(records[first])}


def relabel_one(records: Records) -> Records:
    first = next(iter(records))
    changed = records[first].metadata | {"label_status": "?"}
    return records | {first: dataclasses.replace(records[first], metadata=changed)}


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_one_broken_record_of_a_published_snapshot_is_seen(
    collection: str, cloud: Cloud, producer: Producer, receipts: list[Receipt], tmp_path: Path
) -> None:
    producer.put_receipt(Upload(receipts[0], "run-1"))
    settle_runs(cloud, collection)
    right = expected_of(cloud, collection).records
    for version, break_it in enumerate((drop_one, flip_in_one, relabel_one), start=1):
        publish(tmp_path, collection, break_it(right), version=version)
        verdict = verdict_of(cloud, tmp_path, collection)
        assert not verdict.equal
        assert len(verdict.differences) == 1


def test_a_published_file_that_is_not_what_its_manifest_says_is_refused(
    cloud: Cloud, producer: Producer, receipts: list[Receipt], tmp_path: Path
) -> None:
    producer.put_receipt(Upload(receipts[0], "run-1"))
    manifest = publish(tmp_path, "words", expected_of(cloud, "words").records)
    sqlite = tmp_path / "words" / manifest["shards"][0]["path"] / "chroma.sqlite3"
    sqlite.write_bytes(sqlite.read_bytes() + b"\0")
    with pytest.raises(PublishedDamaged, match=r"chroma\.sqlite3 is not what the manifest says"):
        verdict_of(cloud, tmp_path, "words")


def test_a_record_that_two_shards_have_is_refused(
    cloud: Cloud, producer: Producer, receipts: list[Receipt], tmp_path: Path
) -> None:
    producer.put_receipt(Upload(receipts[0], "run-1"))
    manifest = publish(tmp_path, "words", expected_of(cloud, "words").records)
    write_manifest(tmp_path / "words", manifest | {"shards": manifest["shards"] * 2})
    with pytest.raises(PublishedDamaged, match="is in two shards"):
        verdict_of(cloud, tmp_path, "words")


def test_a_manifest_that_current_does_not_name_or_that_miscounts_is_seen(
    cloud: Cloud, producer: Producer, receipts: list[Receipt], tmp_path: Path
) -> None:
    producer.put_receipt(Upload(receipts[0], "run-1"))
    settle_runs(cloud, "words")
    manifest = publish(tmp_path, "words", expected_of(cloud, "words").records)
    write_manifest(tmp_path / "words", manifest | {"records": 1})
    assert "the manifest counts 1 records" in verdict_of(cloud, tmp_path, "words").differences[0]
    (tmp_path / f"words/manifests/{manifest['snapshot_id']}.json").write_text("{}")
    with pytest.raises(PublishedDamaged, match="CURRENT names another manifest"):
        verdict_of(cloud, tmp_path, "words")


def test_a_corrupt_delta_of_any_kind_is_found_without_being_told_and_hides_nothing(
    cloud: Cloud, producer: Producer, receipts: list[Receipt]
) -> None:
    producer.put_receipt(Upload(receipts[0], "run-1"))
    before = {collection: expected_of(cloud, collection) for collection in COLLECTIONS}
    corrupt = {producer.announce(receipts[0], kind).run_id for kind in CORRUPT_KINDS}
    for collection, expected in before.items():
        assert not expected.refused
        after = expected_of(cloud, collection)
        assert after.refused.keys() == corrupt
        assert after.records == expected.records


@pytest.mark.parametrize(
    ("kind", "state", "said"),
    [
        ("arrow", "FAILED", "is FAILED in words, and its delta is good"),
        ("arrow", "PENDING", "is PENDING in words, and its delta is good"),
        ("twice", "COMPLETED", "is COMPLETED in words, and its delta must be refused"),
    ],
)
def test_a_run_whose_state_contradicts_its_delta_is_seen(
    kind: CorruptKind, state: str, said: str, cloud: Cloud, producer: Producer, receipts: list[Receipt]
) -> None:
    producer.put_receipt(Upload(receipts[0], "run-1", kind))
    settle_runs(cloud, "words", state)
    (problem,) = expected_of(cloud, "words").problems
    assert said in problem


def test_a_run_that_brings_nothing_is_good(cloud: Cloud, producer: Producer, receipts: list[Receipt]) -> None:
    producer.put_receipt(Upload(receipts[0], "run-1"))
    empty = write_arrow_delta([])
    cloud.s3.put_object(Bucket=BUCKET, Key="words/delta/run-1/delta.arrow", Body=empty)
    assert (expected_of(cloud, "words").records, expected_of(cloud, "words").refused) == ({}, {})


def test_runs_of_an_earlier_receipt_do_not_count(cloud: Cloud, producer: Producer, receipts: list[Receipt]) -> None:
    producer.put_receipt(Upload(receipts[3], "run-1"))
    again = producer.recreate(receipts[3], receipts[0]).receipt
    expected = expected_of(cloud, "words").records
    words = [word for word in again.words if not word.noise]
    assert expected.keys() == {f"{again.key}#LINE#{word.line_id:05d}#WORD#{word.word_id:05d}" for word in words}
    texts = {word.text for word in words}
    assert {record.document for record in expected.values()} == texts


def test_nothing_is_expected_of_a_deleted_receipt_and_of_deleted_words(
    cloud: Cloud, producer: Producer, receipts: list[Receipt]
) -> None:
    producer.put_receipts([Upload(receipts[0], "run-1"), Upload(receipts[1], "run-2")])
    producer.delete_receipt(receipts[0], keep_runs=True)
    word = next(word for word in receipts[1].words if not word.noise)
    gone = f"{receipts[1].sk}#LINE#{word.line_id:05d}#WORD#{word.word_id:05d}"
    cloud.dynamodb.delete_item(TableName=TABLE, Key={"PK": {"S": receipts[1].pk}, "SK": {"S": gone}})
    expected = expected_of(cloud, "words").records
    assert len(expected) == receipts[1].records("words") - 1
    assert f"{receipts[1].pk}#{gone}" not in expected
