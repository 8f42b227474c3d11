"""Versions are listed, verified, pinned and expired through the real machine."""

import shutil
from pathlib import Path

import pytest

from .desk import Desk

pytestmark = pytest.mark.slow  # the simulator and the pipeline tests hold the same laws in less time


def test_every_retained_version_verifies_and_a_damaged_one_is_named(desk: Desk) -> None:
    """RetainedIsReadable."""
    for receipt in desk.receipts[:2]:
        desk.write(receipt)
        desk.settle_down()
    versions = {number: version for number, version in desk.versions().items() if version["state"] != "expired"}
    current = max(versions)
    assert versions[current]["state"] == "current"
    for number, version in versions.items():
        answer = desk.run("verify", "words", str(number), "--json").json
        assert (answer["result"], answer["version"], answer["records"]) == ("verified", number, version["records"])
    assert "is whole" in desk.run("verify", "words").out
    (segment,) = (desk.efs / "words" / "segments").glob(f"*/{versions[current]['snapshot_id']}*")
    damage(segment)
    said = desk.try_to("verify", "words")
    assert said.code == 1
    assert "failed: SegmentInvalid" in said.err


def damage(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


@pytest.mark.slow
def test_old_versions_expire_but_pinned_ones_and_what_expired_is_refused(desk: Desk) -> None:
    """The stack keeps two versions and nothing for its age."""
    desk.write(desk.receipts[0])
    first = desk.settle_down()
    desk.run("pin", "words", str(first), "--why", "for the audit")
    receipt = desk.receipts[0]
    for name in ("ITEM_ONE", "ITEM_TWO", "ITEM_THREE"):
        receipt = desk.producer.relabel(receipt, receipt.labels[0], name).receipt
        desk.settle_down()
    versions = desk.versions()
    assert versions[first]["state"] == "committed"
    assert "for the audit" in versions[first]["pinned"]
    expired = [number for number, version in versions.items() if version["state"] == "expired"]
    assert expired
    assert max(expired) == max(versions) - 2
    for command in ("rollback", "verify", "pin"):
        said = desk.try_to(command, "words", str(expired[0]), *(["--yes"] if command == "rollback" else []))
        assert said.code == 2
        assert "EXPIRED" in said.err
    assert desk.run("verify", "words", str(first), "--json").json["result"] == "verified"
    desk.run("unpin", "words", str(first))
    assert desk.run("expire", "words", "--json").json["expired"]["expired"] == 1
    assert desk.versions()[first]["state"] == "committed"
    assert desk.run("expire", "words", "--apply", "--yes", "--json").json["expired"]["expired"] == 1
    assert desk.versions()[first]["state"] == "expired"


def test_expire_deletes_what_no_version_names_and_only_when_told(desk: Desk) -> None:
    desk.write(desk.receipts[0])
    desk.settle_down()
    segment = next((desk.efs / "words" / "segments" / "0000").iterdir())
    lost = "0000000009-0000000009-0-lost"
    orphans = [desk.efs / "words" / "shards" / "0000" / lost, segment.with_name(f"{lost}.arrow")]
    orphans[0].mkdir(parents=True)
    shutil.copyfile(segment, orphans[0] / "chroma.sqlite3")
    shutil.copyfile(segment, orphans[1])
    expired = desk.run("expire", "words", "--json").json["expired"]
    assert (expired["dry_run"], expired["shards"], expired["segments"]) == (True, 1, 1)
    assert expired["bytes"] > 0
    assert all(orphan.exists() for orphan in orphans)
    assert "(dry run)" not in desk.run("expire", "words", "--apply", "--yes").out
    assert not any(orphan.exists() for orphan in orphans)
    assert desk.verdict().equal
