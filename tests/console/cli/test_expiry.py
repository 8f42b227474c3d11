"""`compaction expire`, and versions that expired long ago."""

import sys

import pytest

from ...toy_stack.toy import ToyStack
from .terminal import Terminal


def test_expire_is_a_dry_run_and_says_so(run, stack: ToyStack) -> None:
    said = run("expire", "words")
    assert said.code == 0
    assert "Expiry of words (dry run)" in said.out
    assert "12 MB" in said.out
    assert "--apply" in said.out
    assert [given["apply"] for given in stack.executions()] == [False]


def test_expire_apply_deletes_and_says_how_much(run, stack: ToyStack) -> None:
    said = run("expire", "words", "--apply", "--yes")
    assert said.code == 0
    assert "dry run" not in said.out
    assert "--apply" not in said.out
    assert "staging/x: Device or resource busy" in said.out
    assert "expire again" in said.out
    assert [given["apply"] for given in stack.executions()] == [True]
    answer = run("expire", "words", "--apply", "--yes", "--json").json
    assert answer["expired"] == {
        **{"dry_run": False, "fenced": False, "expired": 2, "manifests": 1},
        **{"shards": 3, "segments": 5, "staging": 0, "bytes": 12_345_678},
        **{"archived": 7, "unremovable": 1, "named": ["staging/x: Device or resource busy"], "more": True},
    }


def test_expire_before_a_version_tells_the_machine_its_number_and_refuses_while_an_older_one_is_pinned(
    run, stack: ToyStack
) -> None:
    stack.published("words", 3)
    assert run("expire", "words", "--before", "3", "--apply", "--yes").code == 0
    (given,) = stack.executions()
    assert (given["mode"], given["apply"], given["before"]) == ("expire", True, 3)
    run("pin", "words", "2")
    refused = run("expire", "words", "--before", "3", "--apply", "--yes")
    assert refused.code == 2
    assert "older than version 3 of words and pinned: 2; unpin what may go" in refused.error_line
    assert run("expire", "words", "--before", "2").code == 0
    assert len(stack.executions()) == 2


def test_on_a_terminal_expire_apply_shows_a_dry_run_before_it_asks(
    run, stack: ToyStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal("no\n"))
    said = run("expire", "words", "--apply")
    assert said.code == 1
    assert "(dry run)" in said.out
    assert [given["apply"] for given in stack.executions()] == [False]


def test_expiry_that_lost_the_lease_is_exit_code_1(run, stack: ToyStack) -> None:
    said = run("expire", "lines", "--apply", "--yes")
    assert said.code == 1
    assert "another execution took the lease" in said.err


def test_an_execution_that_never_got_to_expiry_is_exit_code_1(run, stack: ToyStack) -> None:
    said = run("expire", "lines")
    assert said.code == 1
    assert said.error_line.endswith(" did not get to expiry: it ended paused")


@pytest.fixture
def archived(stack: ToyStack) -> list[str]:
    """Nine versions; the first six expired long ago, but for the third, which was pinned in time."""
    ids = stack.published("words", 9)
    versions = stack.control.versions("words")
    versions.pin(ids[2], "audit")
    for snapshot_id in ids[:6]:
        versions.mark_expired(snapshot_id, now="2026-07-28T12:00:00+00:00")
    versions.archive(lambda _row: True, at_most=100)
    return ids


def test_what_expired_long_ago_is_listed_by_page_only(run, archived: list[str]) -> None:
    words = run("versions", "words", "--json").json["collections"]["words"]
    assert [one["version"] for one in words["versions"]] == [9, 8, 7, 3]
    assert {one["state"] for one in words["versions"]} == {"current", "committed"}
    page = run("versions", "words", "--archived", "--limit", "3", "--json").json["collections"]["words"]
    assert [one["version"] for one in page["versions"]] == [6, 5, 4]
    assert {one["state"] for one in page["versions"]} == {"expired"}
    rest = run("versions", "words", "--archived", page["older"], "--limit", "3", "--json").json["collections"]["words"]
    assert [one["version"] for one in rest["versions"]] == [2, 1]
    assert rest["older"] is None
    said = run("versions", "words", "--archived", "--limit", "3").out
    assert f"Older: compaction versions words --archived {archived[3]}" in said
    assert "No version of lines expired so long ago." in run("versions", "--archived").out


@pytest.mark.parametrize("command", ["rollback", "pin", "verify"])
@pytest.mark.parametrize("given", ["2", "0000000002-0000000002-0"])
def test_what_left_for_the_archive_is_refused_as_expired_by_name(
    run, archived: list[str], command: str, given: str
) -> None:
    said = run(command, "words", given, *(["--yes"] if command == "rollback" else []))
    assert said.code == 2
    assert "version 2 of words is EXPIRED for ever" in said.error_line
    assert "no version 99" in run(command, "words", "99", *(["--yes"] if command == "rollback" else [])).error_line


def test_a_pinned_version_below_a_gap_can_still_be_rolled_back_to(run, archived: list[str]) -> None:
    assert run("rollback", "words", "3", "--yes").code == 0
