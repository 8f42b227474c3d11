"""The commands that list, pin, verify and fold versions, and end a pause."""

import pytest
from receipt_dynamo_stream.control.table import ControlTable

from ...toy_stack.toy import ToyStack


def test_versions_lists_both_collections_and_hides_what_was_never_published(run, stack: ToyStack) -> None:
    stack.published("words", 3)
    stack.version("words", 3, parent=2, fence=8, committed=False)
    said = run("versions")
    assert (said.code, said.err) == (0, "")
    assert "No version of lines yet." in said.out
    assert "Not shown: 1 of attempts that were never published (--all)." in said.out
    (first, *_) = [line.split() for line in said.out.splitlines() if "words-stream" in line]
    assert first[:5] == ["3", "current", "30", "1.0", "MB"]
    assert "0000000003-0000000008-0" in run("versions", "words", "--all").out


def test_versions_in_json_has_everything_and_counts_what_is_hidden(run, stack: ToyStack) -> None:
    ids = stack.published("words", 4)
    stack.version("words", 5, parent=4, committed=False)
    words = run("versions", "words", "--limit", "3", "--json").json["collections"]["words"]
    assert [version["snapshot_id"] for version in words["versions"]] == ids[:0:-1]
    assert words["hidden"] == 2
    newest = words["versions"][0]
    assert (newest["state"], newest["readers"], newest["trigger"]) == ("current", True, "stream")
    assert newest["counts"] == {"added": 12, "removed": 2, "replaced": 0, "updated": 0, "unchanged": 5}
    assert newest["made_at"] == "2026-07-28T12:01:00+00:00"
    assert "Not shown: 1 older (--limit)." in run("versions", "words", "--limit", "3").out


def test_a_pin_is_kept_shown_and_taken_away(run, stack: ToyStack) -> None:
    first, _ = stack.published("words", 2)
    said = run("pin", "words", "1", "--why", "the audit")
    assert (said.code, said.out) == (0, "Version 1 of words is kept until it is unpinned.\n")
    assert "pinned" in run("versions", "words").out
    table = stack.connection.control_table
    assert not ControlTable(stack.dynamodb, table).versions("words").mark_expired(first)
    pinned = ControlTable(stack.dynamodb, table).versions("words").read(first)
    assert pinned is not None
    assert (pinned.pinned or "").endswith("+00:00 the audit")
    assert run("unpin", "words", first, "--json").json == {
        "collection": "words",
        "version": 1,
        "snapshot_id": first,
        "pinned": False,
    }
    assert ControlTable(stack.dynamodb, table).versions("words").mark_expired(first)
    said = run("pin", "words", "1")
    assert said.code == 2
    assert "EXPIRED for ever" in said.error_line


def test_verify_takes_the_current_version_unless_told_and_says_what_was_checked(run, stack: ToyStack) -> None:
    ids = stack.published("words", 3)
    said = run("verify", "words")
    assert said.code == 0
    assert said.out.splitlines() == [
        "Version 3 of words is whole: 1,812 records in 4 shards.",
        "Checked: sha256, labels.",
    ]
    answer = run("verify", "words", "1", "--json").json
    assert (answer["result"], answer["records"], answer["checks"]) == ("verified", 1812, ["sha256", "labels"])
    assert [given["snapshot_id"] for given in stack.executions()] == [ids[2], ids[0]]


@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
def test_a_damaged_version_is_exit_code_1_with_what_did_not_hold(run, stack: ToyStack, as_json: bool) -> None:
    stack.published("lines", 1)
    said = run("verify", "lines", *(["--json"] if as_json else []))
    assert said.code == 1
    assert said.err.endswith(" failed: ShardInvalid: labels: 3 are missing\n")


def test_fold_folds_whatever_lies_in_segments_and_asks_nothing(run, stack: ToyStack) -> None:
    assert run("fold", "words", "--wait").code == 0
    (given,) = stack.executions()
    assert given == {"collection": "words", "mode": "fold", "trigger": "operator", "all": True}


def test_a_fold_that_rebuilds_says_so_to_the_machine(run, stack: ToyStack) -> None:
    assert run("fold", "words", "--rebuild").code == 0
    (given,) = stack.executions()
    assert (given["mode"], given["rebuild"]) == ("fold", True)


def test_resume_without_a_name_ends_every_pause_and_leaves_the_rest(run, stack: ToyStack) -> None:
    assert "Nothing is paused" in run("resume").out
    for collection in ("lines", "words"):
        stack.published(collection, 1)
    assert run("pause", "words").code == 0
    said = run("resume", "--wait", "--json")
    assert (said.code, list(said.json["collections"])) == (0, ["words"])
    assert said.json["collections"]["words"]["status"] == "succeeded"
    assert "Nothing is paused" in run("resume").out
