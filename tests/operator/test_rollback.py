"""Rollback, pause and resume, from the command line to what readers see: nothing is lost, by the independent model."""

import pytest

from .desk import Desk

pytestmark = pytest.mark.slow  # the simulator and the pipeline tests hold the same laws in less time


def test_rollback_then_resume_loses_nothing(desk: Desk) -> None:
    """NoChangeLost, RowsConserved, VersionsOnlyGrow."""
    kept, relabelled, deleted, late, gone_while_paused, new_while_paused, *_ = desk.receipts
    desk.write(kept, relabelled, deleted, gone_while_paused)
    first = desk.settle_down()
    desk.run("pin", "words", str(first))  # the stack keeps few versions, and a burst may make several
    before = desk.published()

    desk.producer.delete_receipt(deleted)
    label = relabelled.labels[0]
    relabelled = desk.producer.relabel(relabelled, label, "LOYALTY_ID").receipt
    desk.write(late)
    second = desk.settle_down()
    assert desk.published() != before

    answer = desk.run("rollback", "words", str(first), "--yes", "--json").json
    assert (answer["result"], answer["version"]) == ("rolled_back", second + 1)
    assert desk.published() == before

    desk.producer.delete_receipt(gone_while_paused)
    desk.write(new_while_paused)
    desk.producer.announce(kept, "tar")
    assert desk.settle_down() == second + 1
    assert desk.published() == before
    status = desk.run("status", "--json").json["collections"]["words"]
    assert status["state"] == "paused"
    assert "rolled back to" in status["paused"]

    answer = desk.run("resume", "words", "--wait", "--json").json
    assert answer["result"] == "published"
    assert answer["receipts"] == 6  # four of the table, and the two that only the older snapshot knows
    desk.settle_down()
    assert [desk.verdict(collection).differences for collection in ("words", "lines")] == [(), ()]
    versions = desk.versions()
    assert list(versions) == sorted(versions, reverse=True)
    assert [v["parent"] for v in versions.values()] == [v["snapshot_id"] for v in [*versions.values()][1:]] + [None]


@pytest.mark.slow
def test_a_paused_collection_collects_changes_and_publishes_them_when_it_is_resumed(desk: Desk) -> None:
    first, second, *_ = desk.receipts
    desk.write(first)
    version = desk.settle_down()
    desk.run("pause", "words", "--why", "a look at the disk")
    desk.write(second)
    assert desk.settle_down() == version
    assert desk.run("start", "words", "--wait", "--json").json["result"] == "paused"
    assert "a look at the disk" in " ".join(desk.run("status").out.split())
    assert desk.verdict("lines").equal
    desk.run("resume", "words", "--wait")
    desk.settle_down()
    assert desk.verdict("words").equal
    assert desk.run("versions", "lines").code == 0


@pytest.mark.slow
def test_a_rollback_of_a_rollback_goes_forward_again(desk: Desk) -> None:
    first, second, *_ = desk.receipts
    desk.write(first)
    old = desk.settle_down()
    desk.run("pin", "words", str(old))
    desk.write(second)
    new = desk.settle_down()
    latest = desk.published()
    desk.run("rollback", "words", str(old), "--yes")
    assert desk.published() != latest
    desk.run("rollback", "words", desk.versions()[new]["snapshot_id"], "--yes")
    assert desk.published() == latest
    assert desk.head().version == new + 2
