"""What `compaction erase` deletes of a bucket, what it keeps a copy of, and what it leaves."""

import gzip
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from botocore.stub import Stubber
from receipt_chroma.delta.arrow import encode_arrow
from receipt_chroma.records import Record
from receipt_chroma.remains import Sought
from receipt_dynamo_stream.keys import ReceiptId, word_record_id

from operate.checked_deltas import Belongs, check_path
from operate.erased_objects import delete_objects
from operate.errors import EraseRefused
from operate.remains import BUCKET, Remnant, objects_with_ids
from operate.services import Services
from operate.stack import Stack
from tests.pipeline.world import vector

from ..toy_stack.toy import ToyStack

GONE, OTHER = ReceiptId("aaaa", 1), ReceiptId("bbbb", 1)
RECORD = Record(word_record_id(GONE, 1, 1), vector(1), "MILK", {})
OTHERS = Record(word_record_id(OTHER, 1, 1), vector(2), "EGGS", {})
ITS_ID = RECORD.id.encode()


@pytest.fixture
def versioned(stack: ToyStack) -> ToyStack:
    stack.s3.put_bucket_versioning(Bucket=stack.connection.bucket, VersioningConfiguration={"Status": "Enabled"})
    return stack


@pytest.fixture
def copies(tmp_path: Path) -> Path:
    return tmp_path / "copies"


def put(stack: ToyStack, key: str, content: bytes) -> None:
    stack.s3.put_object(Bucket=stack.connection.bucket, Key=key, Body=content)


def left(stack: ToyStack) -> list[str]:
    """The keys of every object version, an older one with a star."""
    found = stack.s3.list_object_versions(Bucket=stack.connection.bucket).get("Versions", [])
    return sorted(one["Key"] + ("" if one["IsLatest"] else "*") for one in found)


def deleted(stack: ToyStack, copies: Path) -> int:
    operated = Stack(stack.connection)
    return delete_objects(operated, GONE, objects_with_ids(operated, GONE), copies)


def test_what_is_its_own_goes_with_all_versions_and_its_deltas_are_kept_aside(
    versioned: ToyStack, copies: Path
) -> None:
    for _ in range(2):
        put(versioned, "plans/words/an-execution/1.json.gz", gzip.compress(ITS_ID))
        put(versioned, "poison/a-record.json", ITS_ID)
        put(versioned, "words/delta/run/delta.arrow", encode_arrow([RECORD]))
    older = replace(RECORD, embedding=vector(3))
    put(versioned, "words/delta/older/delta.arrow", encode_arrow([older]))
    versioned.s3.delete_object(Bucket=versioned.connection.bucket, Key="words/delta/older/delta.arrow")
    put(versioned, "snapshots/words/manifests/x.json", ITS_ID)
    put(versioned, "snapshots/words/manifests/x.json", b"without it")
    assert deleted(versioned, copies) >= 8
    assert left(versioned) == ["snapshots/words/manifests/x.json"]
    kept = [row for folder in copies.iterdir() for row in check_path(folder, Belongs(receipt=GONE)).rows]
    assert {row.embedding.tobytes() for row in kept} == {vector(1).tobytes(), vector(3).tobytes()}
    assert deleted(versioned, copies) == 0, "and once more is harmless"


def test_what_others_need_is_left(versioned: ToyStack, copies: Path) -> None:
    put(versioned, "words/delta/both/delta.arrow", encode_arrow([RECORD, OTHERS]))
    put(versioned, "words/delta/others/delta.arrow", encode_arrow([OTHERS]))
    put(versioned, "snapshots/words/segments/0000/x/segment.arrow", ITS_ID)
    put(versioned, "notes/of-a-producer.txt", ITS_ID)
    before = left(versioned)
    assert deleted(versioned, copies) == 0
    assert left(versioned) == before
    assert not copies.exists()


def test_what_s3_does_not_delete_is_named(stack: ToyStack, tmp_path: Path) -> None:
    operated = Stack(stack.connection)
    services = Services(stack.connection)
    with Stubber(services.bucket.s3) as stubbed, pytest.MonkeyPatch.context() as patched:
        patched.setattr("operate.erased_objects.Services", lambda _: services)
        version = {"Key": "plans/p", "VersionId": "v", "IsLatest": True}
        stubbed.add_response("list_object_versions", {"Versions": [version], "IsTruncated": False})
        problem = {"Key": "plans/p", "Code": "AccessDenied", "Message": "an object lock"}
        stubbed.add_response("delete_objects", {"Errors": [problem]})
        with pytest.raises(EraseRefused, match="S3 does not delete plans/p: an object lock"):
            delete_objects(operated, GONE, [Remnant(BUCKET, "plans/p", "its ids", "")], tmp_path)


def test_the_row_of_an_erasure_has_no_byte_of_its_receipt(stack: ToyStack) -> None:
    erasures, now = stack.control.erasures(), datetime(2026, 11, 27, 12, tzinfo=UTC)
    assert erasures.read(GONE) is None
    erasures.begin(GONE, now)
    erasures.set_folded(GONE, "words-2", 7)
    row = erasures.read(GONE)
    assert row is not None
    assert (row.folded, row.erased_at) == ({"words-2": 7}, None)
    erasures.set_erased(GONE, now)
    assert getattr(erasures.read(GONE), "erased_at", None) == "2026-11-27T12:00:00+00:00"
    items = stack.dynamodb.scan(TableName=stack.connection.control_table)["Items"]
    assert any(item["SK"] == {"S": "ERASURE"} for item in items)
    assert not any(Sought(GONE).in_bytes(repr(item).encode()) for item in items)
    erasures.begin(GONE, now)
    assert getattr(erasures.read(GONE), "folded", None) == {}
