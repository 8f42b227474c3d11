"""What readers lost comes back by a command. What else is lost: tests/howto."""

import shutil

import pytest
from receipt_chroma.errors import NoSnapshotYet, SnapshotUnavailable

from .desk import Desk


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
