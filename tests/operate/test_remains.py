"""`compaction remains`: what is left of a deleted receipt is found in every kind of place, and named."""

import gzip
from dataclasses import replace
from pathlib import Path

import pytest
from receipt_chroma.delta.arrow import encode_arrow
from receipt_chroma.records import Record
from receipt_dynamo_stream.keys import ReceiptId, word_record_id

from operate.connection import save_local
from tests.pipeline.world import vector

from ..toy_stack.toy import ToyStack

GONE = ReceiptId("aaaa", 1)
RECORD = Record(word_record_id(GONE, 1, 1), vector(1), "MILK", {})
ITS_ID = RECORD.id.encode()


@pytest.fixture
def efs(stack: ToyStack, tmp_path: Path) -> Path:
    root = tmp_path / "efs"
    (root / "words").mkdir(parents=True)
    save_local(replace(stack.connection, efs_root=str(root)))
    return root


@pytest.fixture
def delta(tmp_path: Path) -> Path:
    """A copy of the receipt's delta."""
    file = tmp_path / "delta.arrow"
    file.write_bytes(encode_arrow([RECORD]))
    return file


def put(stack: ToyStack, key: str, content: bytes) -> None:
    stack.s3.put_object(Bucket=stack.connection.bucket, Key=key, Body=content)


def test_where_nothing_is_left_it_says_so_and_what_it_looked_for(run, stack: ToyStack, efs: Path, delta: Path) -> None:
    (efs / "words" / "CURRENT").write_bytes(b"{}")
    put(
        stack,
        "words/delta/another/delta.arrow",
        encode_arrow([replace(RECORD, id=RECORD.id.replace("aaaa", "b"), embedding=vector(2))]),
    )
    said = run("remains", "aaaa/1", "--delta", str(delta))
    assert (said.code, said.err) == (0, "")
    assert "Nothing is left of IMAGE#aaaa#RECEIPT#00001." in said.out
    assert "Looked for its ids and 1 vector" in said.out
    found = run("remains", "aaaa/1", "--delta", str(delta), "--json").json
    assert (found["nothing_left"], found["remnants"]) == (True, [])
    assert found["searched"].items() >= {"efs": 1, "bucket": 1}.items()


def plant_file(stack: ToyStack, efs: Path) -> str:
    (efs / "words" / "staging" / "x").mkdir(parents=True)
    (efs / "words" / "staging" / "x" / "data_level0.bin").write_bytes(b"ab" + RECORD.embedding.tobytes())
    return "no version names it: `compaction expire words --apply`"


def plant_plan(stack: ToyStack, efs: Path) -> str:
    put(stack, "plans/words/an-execution/1.json.gz", gzip.compress(ITS_ID))
    return "one of the pipeline's plans"


def plant_delta(stack: ToyStack, efs: Path) -> str:
    put(stack, "words/delta/run/delta.arrow", encode_arrow([RECORD]))
    return "a delta or another object of a producer"


def plant_snapshot(stack: ToyStack, efs: Path) -> str:
    put(stack, "snapshots/words-2/segments/0000/x/segment.arrow", ITS_ID)
    return "`compaction expire words-2 --apply`"


def plant_old_version(stack: ToyStack, efs: Path) -> str:
    status = {"Status": "Enabled"}
    stack.s3.put_bucket_versioning(Bucket=stack.connection.bucket, VersioningConfiguration=status)
    put(stack, "elsewhere", ITS_ID)
    put(stack, "elsewhere", b"nothing of it")
    put(stack, "deleted", ITS_ID)
    stack.s3.delete_object(Bucket=stack.connection.bucket, Key="deleted")
    return "delete it, or leave it to the bucket's lifecycle rule"


def plant_row(stack: ToyStack, efs: Path) -> str:
    item = {"PK": {"S": "QUARANTINE#words"}, "SK": {"S": "run"}, "receipt": {"S": GONE.key}}
    stack.dynamodb.put_item(TableName=stack.connection.control_table, Item=item)
    return "compaction quarantine drop"


def plant_item(stack: ToyStack, efs: Path) -> str:
    item = {"PK": {"S": GONE.pk}, "SK": {"S": f"{GONE.sk}#LINE#00001"}}
    stack.dynamodb.put_item(TableName=stack.connection.receipts_table, Item=item)
    return "an item that was left"


def plant_damaged(stack: ToyStack, efs: Path) -> str:
    put(stack, "reports/words/x.json.gz", gzip.compress(ITS_ID)[:-9])
    return "one of the pipeline's reports"


PLANTS = {
    "efs": plant_file,
    "plans/": plant_plan,
    "words/delta/": plant_delta,
    "snapshots/": plant_snapshot,
    "elsewhere version": plant_old_version,
    "QUARANTINE#": plant_row,
    GONE.pk: plant_item,
    "reports/": plant_damaged,
}


def test_what_is_left_is_named_with_what_keeps_it(run, stack: ToyStack, efs: Path, delta: Path) -> None:
    planted = {path: plant(stack, efs) for path, plant in PLANTS.items()}
    said = run("remains", "aaaa/1", "--delta", str(delta), "--json")
    assert said.code == 1
    assert said.json["nothing_left"] is False
    remnants = said.json["remnants"]
    for path, kept_by in planted.items():
        (found,) = [one for one in remnants if f"{one['where']} {one['path']}".find(path) >= 0]
        assert kept_by in found["kept_by"]
    deleted = [one for one in remnants if one["path"].startswith("deleted version ")]
    assert len(remnants) == len(planted) + len(deleted) == len(planted) + 1
    assert next(one["what"] for one in remnants if one["where"] == "efs") == "1 of its vectors"
    shown = run("remains", "aaaa/1")
    assert shown.code == 1
    assert f"Something of {GONE.key} is in {len(remnants) - 1} places" in " ".join(shown.out.split())
    assert "Nothing is left" not in shown.out


def test_what_cannot_be_looked_at_or_for_is_never_said_to_be_empty(run, stack: ToyStack) -> None:
    said = run("remains", "aaaa/1")
    assert said.code == 1
    words = " ".join(said.out.split())
    assert "Not searched: the file system, which is not mounted here: pass --efs FOLDER." in words
    assert "Not searched: its vectors" in words
    assert "Nothing is left" not in said.out


def test_a_receipt_that_exists_or_waits_is_refused_and_so_is_what_is_no_delta_of_it(
    run, stack: ToyStack, efs: Path, delta: Path
) -> None:
    waiting = ReceiptId("bbbb", 1)
    stack.receipt("aaaa", 1)
    stack.control.pending("lines").mark({waiting: ["REMOVE"]}, now="2026-07-28T12:00:00+00:00", new_token=lambda: "t")
    there, pending = run("remains", "aaaa/1"), run("remains", "bbbb/1")
    assert (there.code, pending.code) == (1, 1)
    assert "delete its items first" in there.error_line
    assert "no version of lines has yet: wait for it" in pending.error_line
    other = run("remains", "cccc/1", "--delta", str(delta))
    assert other.code == 2
    assert "is no delta of IMAGE#cccc#RECEIPT#00001" in other.error_line
    assert run("remains", "cccc/1", "--efs", str(delta)).code == 2


def test_a_current_version_that_cannot_be_read_is_named_before_anything_is_looked_for(
    run, stack: ToyStack, efs: Path, delta: Path
) -> None:
    stack.published("words", 1)
    said = run("remains", "aaaa/1", "--delta", str(delta))
    assert said.code == 1
    assert "compaction: what words has now cannot be read: " in said.error_line
