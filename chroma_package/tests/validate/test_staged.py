"""A staged shard is proved from its files and objects alone."""

import shutil
from dataclasses import replace

import pytest
from receipt_chroma.errors import ShardInvalid
from receipt_dynamo_stream.sharding import shard_of

from ..samples import receipt
from .good import Staged


def test_a_staged_shard_is_valid_from_its_files_alone_and_stays_untouched(staged: Staged) -> None:
    before = {path: path.read_bytes() for path in staged.folder.rglob("*") if path.is_file()}
    proof = staged.validate()
    assert (proof.records, proof.full) == (40, True)
    assert "digest" in proof.checks
    assert {path: path.read_bytes() for path in staged.folder.rglob("*") if path.is_file()} == before
    assert list(staged.world.work.iterdir()) == []


def test_above_the_setting_a_sample_is_read_and_said_to_be_one(staged: Staged) -> None:
    proof = staged.validate(full_read_records=39)
    assert not proof.full
    assert "digest" not in proof.checks


def test_an_unchanged_shard_is_valid_by_itself(staged: Staged) -> None:
    assert staged.world.validate(staged.plan, replace(staged.report, staged=None, changed=False)).records == 0


def test_what_was_renamed_into_place_already_is_validated_there(staged: Staged) -> None:
    staged.world.write_manifest(staged.plan, [staged.report])
    assert not staged.folder.exists()
    assert staged.validate().records == 40


STAGED_FILES = (
    *("chroma.sqlite3", "header.bin", "data_level0.bin", "length.bin", "link_lists.bin"),
    *("index_metadata.pickle", "receipts.json", "vector_rows.bin"),
)


@pytest.mark.parametrize("name", STAGED_FILES)
@pytest.mark.parametrize("damage", ["cut", "flip", "drop"])
def test_every_damaged_file_is_refused(staged: Staged, name: str, damage: str) -> None:
    (path,) = staged.folder.rglob(name)
    if damage == "drop":
        path.unlink()
    else:
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content if damage == "flip" else content[:-1])
    with pytest.raises(ShardInvalid, match="file_sha256" if damage == "flip" else "files"):
        staged.validate()


def test_a_file_too_many_is_refused(staged: Staged) -> None:
    (staged.folder / "chroma.sqlite3-journal").write_bytes(b"x")
    with pytest.raises(ShardInvalid, match="files"):
        staged.validate()


def test_a_staged_shard_that_is_gone_is_refused(staged: Staged) -> None:
    shutil.rmtree(staged.folder)
    with pytest.raises(ShardInvalid, match="files"):
        staged.validate()


@pytest.mark.parametrize("how", ["missing", "shorter", "extra"])
def test_a_durable_copy_that_is_not_whole_is_refused(staged: Staged, how: str) -> None:
    s3, bucket = staged.world.s3, staged.world.bucket
    assert staged.report.staged is not None
    key = f"snapshots/words/shards/0000/{staged.report.staged.shard_version}/"
    if how == "missing":
        s3.delete_object(Bucket=bucket, Key=key + "chroma.sqlite3")
    else:
        s3.put_object(Bucket=bucket, Key=key + ("chroma.sqlite3" if how == "shorter" else "more"), Body=b"x")
    with pytest.raises(ShardInvalid, match="objects"):
        staged.validate()


def test_a_report_of_another_shard_is_refused(staged: Staged) -> None:
    plan = replace(staged.plan, shards=2)
    report = replace(staged.report, shard=1 - shard_of(receipt(0).image_id, 1, 2))
    with pytest.raises(ShardInvalid):
        staged.world.validate(plan, report)
