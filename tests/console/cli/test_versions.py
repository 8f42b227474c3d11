"""Versions: which are listed and found, and the commands that pin, verify, roll back and expire."""

import sys
from collections.abc import Sequence
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from receipt_dynamo_stream.control.head import Head, Pointer, snapshot_id_of
from receipt_dynamo_stream.control.table import ControlTable
from receipt_dynamo_stream.control.versions import VersionRow

from operate.errors import VersionNotFound, VersionRefused
from operate.lineage import find_version, lineage

from ...toy_stack.toy import ToyStack


def row(version: int, parent: int | None = None, *, fence: int = 0, state: str = "committed") -> VersionRow:
    parent_id = snapshot_id_of(parent, parent, 0) if parent is not None else None
    return VersionRow(snapshot_id_of(version, fence or version, 0), state=state, parent=parent_id)


def head(version: int, *, projected: int | None = None) -> Head:
    pointer = Pointer(version, snapshot_id_of(version, version, 0), "manifest", "sha")
    return Head(
        "words", pointer=pointer, version=version, projected_version=version if projected is None else projected
    )


def seen(rows: Sequence[VersionRow], at: Head | None) -> list[tuple[int, str]]:
    return [(version.version, version.state) for version in lineage(at, rows)]


def test_the_chain_goes_from_head_back_and_lost_attempts_come_after_it() -> None:
    rows = [row(1), row(2, 1), row(2, 1, fence=9, state="candidate"), row(3, 2), row(4, 3, state="candidate")]
    assert seen(rows, head(3)) == [
        (3, "current"),
        (2, "committed"),
        (1, "committed"),
        (4, "candidate"),
        (2, "candidate"),
    ]


def test_a_published_version_whose_row_was_never_settled_is_published_all_the_same() -> None:
    assert seen([row(1, state="candidate"), row(2, 1, state="candidate")], head(2)) == [
        (2, "current"),
        (1, "committed"),
    ]


def test_before_the_first_version_nothing_is_published() -> None:
    assert seen([row(1, state="candidate")], None) == [(1, "candidate")]
    assert seen([], Head("words")) == []


def test_readers_see_the_projected_version_until_the_newest_is_swapped_in() -> None:
    versions = lineage(head(2, projected=1), [row(1), row(2, 1)])
    assert [(version.version, version.readers) for version in versions] == [(2, False), (1, True)]


@given(st.data())
def test_every_row_is_listed_once_and_the_published_ones_are_heads_ancestors(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 8))
    parents = {1: None} | {n: data.draw(st.integers(1, n - 1)) for n in range(2, count + 1)}
    rows = data.draw(st.permutations([row(n, parent) for n, parent in parents.items()]))
    current = data.draw(st.integers(1, count))
    ancestors, at = [], current
    while at is not None:
        ancestors.append(at)
        at = parents[at]
    versions = lineage(head(current), rows)
    assert sorted(version.version for version in versions) == sorted(parents)
    assert [version.version for version in versions if version.published] == ancestors


@pytest.mark.parametrize(("given", "found"), [(None, 3), ("2", 2), ("0002", 2), (snapshot_id_of(2, 2, 0), 2), ("3", 3)])
def test_a_version_is_found_by_number_by_snapshot_id_and_as_the_current_one(given: str | None, found: int) -> None:
    versions = lineage(head(3), [row(1, state="EXPIRED"), row(2, 1), row(2, 1, fence=9), row(3, 2)])
    assert find_version("words", versions, given).snapshot_id == snapshot_id_of(found, found, 0)


@pytest.mark.parametrize("given", ["4", "", "x", "²", snapshot_id_of(2, 9, 0), "-1"])
def test_what_was_never_published_is_not_found(given: str) -> None:
    versions = lineage(head(3), [row(1), row(2, 1), row(2, 1, fence=9, state="EXPIRED"), row(3, 2)])
    with pytest.raises(VersionNotFound, match="compaction versions words"):
        find_version("words", versions, given)


def test_an_expired_version_is_refused() -> None:
    with pytest.raises(VersionRefused, match="EXPIRED for ever"):
        find_version("words", lineage(head(2), [row(1, state="EXPIRED"), row(2, 1)]), "1")


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


def test_a_rollback_says_what_it_will_do_does_it_and_says_how_to_go_on(run, stack: ToyStack) -> None:
    ids = stack.published("words", 3)
    said = run("rollback", "words", "2", "--yes")
    assert said.code == 0
    text = " ".join(said.out.split())
    for fact in ("version 3, 30 records", "version 2, 20 records", "-10", "version 4", "rolled back version 4"):
        assert fact in text
    assert "`compaction resume words`" in text
    (given,) = stack.executions()
    assert given == {"collection": "words", "mode": "rollback", "trigger": "operator", "snapshot_id": ids[1]}


def test_the_plan_of_a_reshard_says_what_it_takes_and_starts_nothing(run, stack: ToyStack) -> None:
    stack.published("words", 3)
    said = run("reshard", "words", "--shards", "4", "--plan")
    assert (said.code, said.err) == (0, "")
    text = " ".join(said.out.split())
    for part in (
        "2, then 4",
        "Takes about 10 s",
        "Read from EFS",
        "Written to EFS",
        "Costs about $0.0",
        "every reader",
    ):
        assert part in text
    assert "Memory per function 251 MB" in text
    plan = run("reshard", "words", "--shards", "4", "--plan", "--json").json["plan"]
    assert (plan["shards"], plan["into"], plan["records"], plan["warnings"]) == (2, 4, 30, [])
    assert stack.executions() == []


def test_a_reshard_shows_its_plan_first_and_then_what_became_of_it(run, stack: ToyStack) -> None:
    stack.published("words", 3)
    said = run("reshard", "words", "--shards", "4", "--wait")
    assert said.code == 0
    assert said.out.index("Memory per function") < said.out.index("resharded version 4")
    answer = run("reshard", "words", "--shards", "4", "--wait", "--json").json
    assert (answer["result"], answer["version"], answer["plan"]["into"]) == ("resharded", 4, 4)
    assert stack.executions()[0] == {"collection": "words", "mode": "reshard", "trigger": "operator", "shards": 4}


def test_a_reshard_that_has_lost_is_exit_code_1_and_says_to_start_it_again(run, stack: ToyStack) -> None:
    stack.published("lines", 2)
    said = run("reshard", "lines", "--shards", "4", "--wait")
    assert said.code == 1
    assert said.err.endswith("nothing of it was published, start it again\n")


@pytest.mark.parametrize(("shards", "says"), [("2", "has 2 shards already"), ("0", "from 1 to 256"), ("257", "257")])
def test_a_number_that_no_reshard_can_go_to_is_exit_code_2(run, stack: ToyStack, shards: str, says: str) -> None:
    stack.published("words", 3)
    said = run("reshard", "words", "--shards", shards)
    assert said.code == 2
    assert says in said.error_line
    assert stack.executions() == []


def test_before_the_first_version_there_is_nothing_to_reshard(run, stack: ToyStack) -> None:
    said = run("reshard", "words", "--shards", "4", "--plan")
    assert (said.code, "no snapshot of words yet" in said.error_line) == (2, True)


def test_a_rollback_in_json_names_both_versions(run, stack: ToyStack) -> None:
    stack.published("words", 3)
    answer = run("rollback", "words", "1", "--yes", "--json").json
    assert (answer["result"], answer["version"]) == ("rolled_back", 4)
    assert (answer["from"]["version"], answer["to"]["version"]) == (3, 1)


@pytest.mark.parametrize(
    "argv",
    [
        ["rollback", "words", "2"],
        ["rollback", "words", "2", "--json"],
        ["expire", "words", "--apply"],
        ["quarantine", "drop", "r"],
    ],
    ids=" ".join,
)
def test_without_a_terminal_what_is_hard_to_take_back_needs_yes(run, stack: ToyStack, argv: list[str]) -> None:
    stack.published("words", 3)
    stack.quarantine("words", "r")
    said = run(*argv)
    assert said.code == 2
    assert "needs --yes" in said.error_line
    assert stack.executions() == []
    assert len(stack.quarantine_of("words").list()) == 1


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("answer", ["n\n", "\n", "", "perhaps\n"], ids=["no", "nothing", "end", "perhaps"])
def test_on_a_terminal_it_asks_and_anything_but_yes_does_nothing(
    run, stack: ToyStack, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    stack.published("words", 3)
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    said = run("rollback", "words", "2")
    assert said.code == 1
    assert "version 2, 20 records" in said.out
    assert said.err == "Roll words back to version 2? [y/N] compaction: nothing was done\n"
    assert stack.executions() == []


def test_on_a_terminal_yes_does_it(run, stack: ToyStack, monkeypatch: pytest.MonkeyPatch) -> None:
    stack.published("words", 3)
    monkeypatch.setattr(sys, "stdin", Terminal("Yes\n"))
    assert run("rollback", "words", "2").code == 0
    assert len(stack.executions()) == 1


def test_a_rollback_to_the_current_version_is_refused(run, stack: ToyStack) -> None:
    stack.published("words", 3)
    said = run("rollback", "words", "3", "--yes")
    assert said.code == 2
    assert said.error_line.endswith("version 3 of words is the current one: name an older version")


def test_a_rollback_that_the_machine_refuses_is_exit_code_1(run, stack: ToyStack) -> None:
    stack.published("lines", 2)
    said = run("rollback", "lines", "1", "--yes")
    assert said.code == 1
    assert said.err.endswith(" failed: RollbackRefused: It is EXPIRED.\n")
    assert "paused: changes wait" not in said.out


def test_fold_folds_whatever_lies_in_segments_and_asks_nothing(run, stack: ToyStack) -> None:
    assert run("fold", "words", "--wait").code == 0
    (given,) = stack.executions()
    assert given == {"collection": "words", "mode": "fold", "trigger": "operator", "all": True}


def test_a_fold_that_rebuilds_says_so_to_the_machine(run, stack: ToyStack) -> None:
    assert run("fold", "words", "--rebuild").code == 0
    (given,) = stack.executions()
    assert (given["mode"], given["rebuild"]) == ("fold", True)


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


def test_a_rollback_is_not_re_run_without_being_asked_for(run, stack: ToyStack) -> None:
    stack.published("words", 2)
    name = run("rollback", "words", "1", "--yes", "--json").json["name"]
    said = run("rerun", str(name))
    assert said.code == 2
    assert said.error_line.endswith("`compaction rollback` does that, and asks first")
    assert len(stack.executions()) == 1


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


def test_resume_without_a_name_ends_every_pause_and_leaves_the_rest(run, stack: ToyStack) -> None:
    assert "Nothing is paused" in run("resume").out
    for collection in ("lines", "words"):
        stack.published(collection, 1)
    assert run("pause", "words").code == 0
    said = run("resume", "--wait", "--json")
    assert (said.code, list(said.json["collections"])) == (0, ["words"])
    assert said.json["collections"]["words"]["status"] == "succeeded"
    assert "Nothing is paused" in run("resume").out
