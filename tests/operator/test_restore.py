"""What readers lost comes back: by a command, and after a lost control table by the steps that docs/deploy.md says."""

import shutil
from pathlib import Path

import pytest
from receipt_chroma.errors import NoSnapshotYet, SnapshotUnavailable

from .desk import Desk

GUIDE = Path(__file__).parents[2] / "docs/deploy.md"


def test_status_is_red_when_readers_see_nothing_and_restore_brings_it_back_and_says_what(desk: Desk) -> None:
    desk.write(*desk.receipts[:2])
    version = desk.settle_down()
    before = desk.published()
    shutil.rmtree(desk.efs / "words")
    with pytest.raises((SnapshotUnavailable, NoSnapshotYet)):
        desk.published()
    status = desk.run("status", "--json").json["collections"]
    assert (status["words"]["state"], status["lines"]["state"]) == ("unseen", "current")
    assert "readers see nothing" in status["words"]["unseen"]
    assert "CURRENT is gone" in " ".join(desk.run("status").out.split())
    answer = desk.run("restore", "words", "--json").json
    assert (answer["result"], answer["version"], answer["moved"]) == ("restored", version, True)
    assert answer["files"] > 0
    assert answer["bytes"] > 0
    assert desk.published() == before
    status = desk.run("status", "--json").json["collections"]["words"]
    assert (status["state"], status["unseen"]) == ("current", None)
    assert "and CURRENT" in status["restored"]
    assert "nothing was to be brought back" in " ".join(desk.run("restore", "words").out.split())
    (desk.efs / "words/CURRENT").write_text("{")
    assert "Brought back 0 files (0 B), and CURRENT was written" in " ".join(desk.run("restore", "words").out.split())


def test_nothing_is_to_be_restored_before_the_first_publication(desk: Desk) -> None:
    assert "nothing to bring back" in " ".join(desk.run("restore", "words").out.split())


@pytest.mark.slow
def test_a_lost_control_table_comes_back_from_the_bucket_as_the_guide_says(desk: Desk) -> None:
    """NoChangeLost, RowsConserved: what changed since the version that is found is derived again."""
    kept, deleted, late, *_ = desk.receipts
    desk.write(kept, deleted)
    desk.settle_down()
    version = desk.settle_down()
    desk.lose_control_table()
    desk.producer.delete_receipt(deleted)
    desk.write(late)
    desk.stack.poller.wait_caught_up(timeout=60)
    desk.until(lambda: not desk.stack.executions.running, "the executions to end")
    assert desk.head().version == 0
    said = desk.try_to("start", "words", "--wait")
    assert said.code == 1
    assert "PointerMissing" in said.err
    steps = [f"compaction restore {collection} --head-from-bucket" for collection in ("words", "lines")]
    assert all(step in GUIDE.read_text() for step in steps)
    for step in steps:
        answer = desk.run(*step.split()[1:], "--yes", "--json").json
        assert answer["result"] == "restored"
        assert answer["receipts"] == 3
    assert desk.head().version >= version
    for collection in ("words", "lines"):
        desk.run("start", collection, "--wait")
    desk.settle_down()
    assert [desk.verdict(collection).differences for collection in ("words", "lines")] == [(), ()]
    states = {number: row["state"] for number, row in desk.versions().items()}
    assert states[desk.head().version] == "current"
    assert states[version] in ("committed", "expired")
    refused = desk.try_to("restore", "words", "--head-from-bucket", "--yes")
    assert refused.code == 2
    assert "its manifest is there" in " ".join(refused.err.split())
