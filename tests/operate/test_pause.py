"""Pause and resume: the first reason stays, and nothing is unpaused before every receipt is marked."""

import itertools

import pytest

from operate.collections import Collections
from operate.errors import ResumeRefused, VersionUnreadable
from operate.stack import Stack

from ..toy_stack.toy import ToyStack

WHEN = "2026-07-28T12:00:00+00:00 rolled back"


def paused(stack: ToyStack) -> str | None:
    head = stack.control.head("words").read()
    assert head is not None
    return head.paused


def test_pause_says_why_and_the_first_reason_stays(run, stack: ToyStack) -> None:
    stack.publish("words", 3, records=1)
    assert run("pause", "words", "--why", "a bad [import]").code == 0
    reason = paused(stack)
    assert reason is not None
    assert reason.endswith("+00:00 a bad [import]")
    said = run("pause", "words", "--why", "another")
    assert said.code == 0
    assert f"paused already, and stays so: {reason}" in " ".join(said.out.split())
    answer = run("pause", "words", "--json").json
    assert answer == {"collection": "words", "paused": reason, "was_paused": True}
    assert paused(stack) == reason


def test_status_tells_the_reason_and_how_to_go_on(run, stack: ToyStack) -> None:
    stack.publish("words", 3, records=1)
    run("pause", "words", "--why", "a bad import")
    text = " ".join(run("status").out.split())
    assert "a bad import" in text
    assert "until `compaction resume words`" in text
    assert "resume lines" not in text


def test_a_collection_that_never_ran_cannot_be_paused(run, stack: ToyStack) -> None:
    said = run("pause", "words")
    assert said.code == 2
    assert said.error_line.endswith("there is nothing to pause yet")


def test_resume_marks_everything_unpauses_and_starts(run, stack: ToyStack) -> None:
    stack.receipt("aaaa", 1)
    stack.publish("words", 3, records=1, receipts=["IMAGE#gone#RECEIPT#00001"], paused=WHEN)
    said = run("resume", "words")
    assert said.code == 0
    assert WHEN in " ".join(said.out.split())
    assert paused(stack) is None
    assert stack.pending("words") == ["aaaa", "gone"]
    assert stack.pending("lines") == []
    assert stack.executions() == [{"collection": "words", "mode": "compact", "trigger": "operator"}]


def test_resume_in_json_waits_and_tells_the_outcome(run, stack: ToyStack) -> None:
    stack.receipt("aaaa", 1)
    stack.publish("words", 3, records=1, paused=WHEN)
    answer = run("resume", "words", "--wait", "--json").json
    assert (answer["was_paused"], answer["receipts"], answer["result"]) == (WHEN, 1, "published")


def test_what_is_not_paused_is_left_alone(run, stack: ToyStack) -> None:
    stack.receipt("aaaa", 1)
    said = run("resume", "words")
    assert (said.code, said.out) == (0, "words is not paused: nothing was done.\n")
    stack.publish("words", 3, records=1)
    assert run("resume", "words", "--json").json["execution"] is None
    assert (stack.pending("words"), stack.executions()) == ([], [])


def test_a_crash_before_everything_is_marked_leaves_it_paused(
    stack: ToyStack, operator: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack.receipt("aaaa", 1)
    stack.publish("words", 3, records=1, paused=WHEN)

    def crash(*_: object) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Collections, "reconcile", crash)
        with pytest.raises(KeyboardInterrupt):
            operator.collections.resume("words")
    assert (paused(stack), stack.executions()) == (WHEN, [])
    assert operator.collections.resume("words").receipts == 1


def test_a_rollback_during_a_resume_is_reconciled_too(
    stack: ToyStack, operator: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The older snapshot knows a receipt that was deleted long ago: nobody else would ever mark it."""
    stack.publish("words", 3, records=1, paused=WHEN)
    reconcile = Collections.reconcile
    calls = []

    def rolled_back_meanwhile(self: Collections, collections: list[str]) -> int:
        calls.append(marked := reconcile(self, collections))
        if len(calls) == 1:
            stack.publish("words", 4, records=1, receipts=["IMAGE#gone#RECEIPT#00001"], paused=WHEN)
        return marked

    monkeypatch.setattr(Collections, "reconcile", rolled_back_meanwhile)
    operator.collections.resume("words")
    assert calls == [0, 1]
    assert stack.pending("words") == ["gone"]
    assert paused(stack) is None


def test_a_head_that_changes_with_every_look_stays_paused(
    stack: ToyStack, operator: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack.publish("words", 3, records=1, paused=WHEN)

    reasons = map(str, itertools.count())

    def paused_anew(self: Collections, _collections: list[str]) -> int:
        stack.publish("words", 3, records=1, paused=next(reasons))
        return 0

    monkeypatch.setattr(Collections, "reconcile", paused_anew)
    with pytest.raises(ResumeRefused, match="still paused"):
        operator.collections.resume("words")
    assert paused(stack) is not None
    assert stack.executions() == []


def test_without_its_manifest_a_collection_stays_paused(stack: ToyStack, operator: Stack) -> None:
    stack.publish("words", 3, records=1, paused=WHEN)
    stack.s3.delete_object(Bucket=stack.connection.bucket, Key="snapshots/words/manifests/0000000003-0000000003-0.json")
    with pytest.raises(VersionUnreadable, match="is not there"):
        operator.collections.resume("words")
    assert paused(stack) == WHEN


def test_a_flag_of_another_type_is_a_flag(stack: ToyStack, operator: Stack) -> None:
    stack.head("words", version=0)
    stack.dynamodb.update_item(
        TableName=stack.connection.control_table,
        Key={"PK": {"S": "COLLECTION#words"}, "SK": {"S": "HEAD"}},
        UpdateExpression="SET paused = :flag",
        ExpressionAttributeValues={":flag": {"BOOL": True}},
    )
    assert operator.collections.pause("words", "again") == "set"
    assert operator.collections.resume("words").was_paused == "set"
    assert paused(stack) is None
