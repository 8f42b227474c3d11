"""`compaction quarantine`: look at refused runs, give them another chance, or give them up."""

import pytest

from ...toy_stack.toy import ToyStack

RUN, OTHER = "7b1f7c1e-6f0a-4a3b-9a53-0d2b8f6a1c11", "7b1f0000-6f0a-4a3b-9a53-0d2b8f6a1c11"


def test_an_empty_quarantine_says_so(run, stack: ToyStack) -> None:
    assert run("quarantine", "list").out == "No run is in quarantine.\n"
    assert run("quarantine", "list", "--json").json == {"runs": []}


def test_the_list_tells_receipt_and_reason_per_collection(run, stack: ToyStack) -> None:
    stack.quarantine("words", RUN)
    stack.quarantine("lines", OTHER, "bbbb")
    said = run("quarantine", "list")
    assert said.code == 0
    text = " ".join(said.out.split())
    assert "7b1f7c1e aaaa 1" in text
    assert "DeltaCorrupt: the footer is cut off" in text
    assert text.index("lines") < text.index("words")
    assert run("quarantine", "list", "words", "--json").json["runs"] == [
        {
            "run_id": RUN,
            "receipt": "IMAGE#aaaa#RECEIPT#00001",
            "error": "DeltaCorrupt",
            "message": "the footer is cut off",
            "quarantined_at": "2026-07-28T12:00:00+00:00",
            "collection": "words",
        }
    ]


def test_notes_are_listed_when_they_are_asked_for_beside_the_runs_that_were_refused(run, stack: ToyStack) -> None:
    assert "No run has a note." in run("quarantine", "list", "--notes").out
    assert run("quarantine", "list", "--notes", "--json").json == {"runs": [], "notes": [], "more_notes": 0}
    stack.quarantine("lines", OTHER, "bbbb")
    stack.note("words", RUN, "RecordsLeftOut", "3 of its records are not in the snapshot", more=12)
    text = " ".join(run("quarantine", "list", "--notes").out.split())
    assert "7b1f7c1e aaaa 1" in text
    assert "RecordsLeftOut: 3 of its records are not in the snapshot" in text
    assert "12 more runs have a note" in text
    assert "uploaded again the table says nothing: `compaction reconcile --image ID` looks again" in text
    assert "DeltaCorrupt: the footer is cut off" in text
    receipt = {"collection": "words", "receipt": "IMAGE#aaaa#RECEIPT#00001"}
    note = {"run_id": RUN, "note": "RecordsLeftOut", "message": "3 of its records are not in the snapshot"}
    said = run("quarantine", "list", "words", "--notes", "--json").json
    assert said == {
        "runs": [],
        "notes": [{**note, "noted_at": "2026-07-28T12:00:00+00:00", **receipt}],
        "more_notes": 12,
    }
    assert "RecordsLeftOut" not in run("quarantine", "list").out
    assert "notes" not in run("quarantine", "list", "--json").json


def test_retry_marks_the_receipt_resets_the_run_and_starts(run, stack: ToyStack) -> None:
    stack.quarantine("words", RUN)
    said = run("quarantine", "retry", RUN)
    assert said.code == 0
    assert f"Run {RUN} of words is PENDING again" in " ".join(said.out.split())
    assert stack.run(RUN, "words") == ("PENDING", None)
    assert stack.pending("words") == ["aaaa"]
    assert stack.quarantine_of("words").list() == []
    assert stack.executions() == [{"collection": "words", "mode": "compact", "trigger": "operator"}]


def test_a_run_that_both_collections_refused_is_retried_in_both_unless_told(run, stack: ToyStack) -> None:
    for collection in ("lines", "words"):
        stack.quarantine(collection, RUN)
    assert list(run("quarantine", "retry", RUN, "--collection", "lines", "--json").json["executions"]) == ["lines"]
    assert [one.run_id for one in stack.quarantine_of("words").list()] == [RUN]
    stack.quarantine("lines", RUN)
    assert list(run("quarantine", "retry", RUN, "--json").json["executions"]) == ["lines", "words"]


def test_the_beginning_of_an_id_is_enough_when_it_fits_one(run, stack: ToyStack) -> None:
    stack.quarantine("words", RUN)
    stack.quarantine("words", OTHER, "bbbb")
    said = run("quarantine", "retry", "7b1f")
    assert said.code == 2
    assert said.error_line.endswith("give more of the id")
    assert run("quarantine", "retry", "7b1f7").code == 0
    said = run("quarantine", "retry", "7b1f7")
    assert said.code == 2
    assert said.error_line == "compaction: no run 7b1f7 in quarantine: `compaction quarantine list` shows them"


def test_drop_leaves_the_run_failed_with_the_reason_in_its_error(run, stack: ToyStack) -> None:
    stack.quarantine("words", RUN)
    said = run("quarantine", "drop", RUN, "--why", "the upload was cut off", "--yes")
    assert said.code == 0
    assert "it is FAILED" in " ".join(said.out.split())
    error = "Dropped: the upload was cut off; it was refused as DeltaCorrupt: the footer is cut off"
    assert stack.run(RUN, "words") == ("FAILED", error)
    assert stack.quarantine_of("words").list() == []
    # a round that merged it meanwhile may have published it: the next one leaves it out again
    assert (stack.pending("words"), stack.executions()) == (["aaaa"], [])


def test_dropping_a_run_whose_item_is_gone_creates_no_ghost(run, stack: ToyStack) -> None:
    stack.quarantine("words", RUN)
    key = {"PK": {"S": "IMAGE#aaaa"}, "SK": {"S": f"RECEIPT#00001#COMPACTION_RUN#{RUN}"}}
    stack.dynamodb.delete_item(TableName=stack.connection.receipts_table, Key=key)
    answer = run("quarantine", "drop", RUN, "--yes", "--json").json
    assert answer["states"] == {"words": None}
    assert "Item" not in stack.dynamodb.get_item(TableName=stack.connection.receipts_table, Key=key)
    assert stack.quarantine_of("words").list() == []


@pytest.mark.parametrize("state", ["COMPLETED", "PENDING"])
def test_a_run_that_was_retried_meanwhile_is_dropped_only_while_it_is_not_merged(
    run, stack: ToyStack, state: str
) -> None:
    """A retry that ended half-way leaves a PENDING run in quarantine; a round may have merged it since."""
    stack.quarantine("words", RUN)
    stack.dynamodb.update_item(
        TableName=stack.connection.receipts_table,
        Key={"PK": {"S": "IMAGE#aaaa"}, "SK": {"S": f"RECEIPT#00001#COMPACTION_RUN#{RUN}"}},
        UpdateExpression="SET words_state = :state, words_error = :none",
        ExpressionAttributeValues={":state": {"S": state}, ":none": {"NULL": True}},
    )
    answer = run("quarantine", "drop", RUN, "--yes", "--json").json
    assert answer["states"] == {"words": "COMPLETED" if state == "COMPLETED" else "FAILED"}


def test_all_runs_or_those_of_one_reason_are_retried_at_once(run, stack: ToyStack) -> None:
    stack.quarantine("words", RUN)
    stack.quarantine("lines", OTHER, "bbbb")
    assert run("quarantine", "retry", "--all", "--reason", "MergeKeepsFailing").out.startswith(
        "No run is in quarantine as"
    )
    said = run("quarantine", "retry", "--all", "--reason", "DeltaCorrupt", "--json").json
    assert [one["run_id"] for one in said["runs"]] == [OTHER, RUN]
    assert (stack.run(RUN, "words")[0], stack.run(OTHER, "lines", "bbbb")[0]) == ("PENDING", "PENDING")
    assert sorted(one["collection"] for one in stack.executions()) == ["lines", "words"]
    assert run("quarantine", "list", "--json").json == {"runs": []}


@pytest.mark.parametrize("arguments", [[], [RUN, "--all"], [RUN, "--reason", "DeltaCorrupt"]])
def test_a_run_or_all_but_not_both_and_a_reason_only_of_all(run, stack: ToyStack, arguments: list[str]) -> None:
    stack.quarantine("words", RUN)
    said = run("quarantine", "retry", *arguments)
    assert said.code == 2
    assert "--all --reason NAME" in said.error_line
    assert stack.executions() == []


def test_all_runs_of_one_reason_are_dropped_at_once_with_the_same_words(run, stack: ToyStack) -> None:
    stack.quarantine("words", RUN)
    stack.quarantine("lines", OTHER, "bbbb")
    assert run("quarantine", "drop", "--all", "--reason", "MergeKeepsFailing", "--yes").out.startswith("No run is in")
    answer = run("quarantine", "drop", "--all", "--why", "a bad upload", "--yes", "--json").json
    assert [(one["collection"], one["run_id"], one["state"]) for one in answer["runs"]] == [
        ("lines", OTHER, "FAILED"),
        ("words", RUN, "FAILED"),
    ]
    assert "a bad upload" in str(stack.run(RUN, "words")[1])
    assert run("quarantine", "drop", "--yes").code == 2
    assert run("quarantine", "drop", RUN, "--all", "--yes").code == 2


def test_a_run_id_of_two_receipts_is_refused_by_their_names_until_one_is_given(run, stack: ToyStack) -> None:
    for image in ("aaaa", "bbbb"):
        stack.receipt(image, 1)
        stack.quarantine("words", RUN, image)
    assert len(run("quarantine", "list", "words", "--json").json["runs"]) == 2
    for action in (("retry",), ("drop", "--yes")):
        said = run("quarantine", action[0], RUN, *action[1:])
        assert said.code == 2
        assert "aaaa/1, bbbb/1" in " ".join(said.err.split())
    assert run("quarantine", "retry", RUN, "--receipt", "cccc/1").code == 2
    assert run("quarantine", "retry", "--all", "--receipt", "aaaa/1").code == 2
    assert run("quarantine", "drop", RUN, "--receipt", "bbbb/1", "--yes").code == 0
    (left,) = run("quarantine", "list", "--json").json["runs"]
    assert left["receipt"] == "IMAGE#aaaa#RECEIPT#00001"
    assert run("quarantine", "retry", RUN[:8], "--receipt", left["receipt"]).code == 0
    assert stack.run(RUN, "words", "aaaa")[0] == "PENDING"
    assert stack.pending("words") == ["aaaa", "bbbb"]
