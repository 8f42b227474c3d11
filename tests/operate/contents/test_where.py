"""Where a receipt's changes are: which version has them, what waits, what was refused, and from when readers see it."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from receipt_dynamo_stream.control.versions import Versions
from receipt_dynamo_stream.keys import ReceiptId
from receipt_dynamo_stream.round.report import MergeCounts
from receipt_dynamo_stream.sharding import shard_of

from operate.contents.contents import Contents
from operate.errors import ReceiptNotFound, UsageError
from operate.receipts import parse_receipt
from operate.stack import Stack
from operate.whereabouts import where
from operate.whereabouts.models import Where
from operate.whereabouts.where import where_is
from operate.whereabouts.wording import of_collection

from ...toy_stack.toy import ToyStack
from .test_merged import A as PLANNED
from .test_merged import B as OTHER
from .test_merged import Left, plan_of, report_of

NOON = datetime(2026, 7, 28, 12, tzinfo=UTC)
RUN = "7b1f7c1e-6f0a-4a3b-9a53-0d2b8f6a1c11"


def ask_for_words(stack: ToyStack, receipt: ReceiptId) -> Where:
    operator = Stack(stack.connection)
    with Contents(operator) as contents:
        (found,) = where_is(operator, contents, receipt, ["words"]).collections
    return found


def test_the_counts_are_those_of_the_attempt_that_was_published(stack: ToyStack) -> None:
    left = Left(stack)
    plan = left.plan(plan_of(PLANNED, OTHER, version=2))
    first, second = report_of(plan, 0, "a"), report_of(plan, 0, "b")
    left.reports(first, second)
    left.version(plan, second)
    words = ask_for_words(stack, PLANNED)
    (change,) = words.changes
    assert change.counts == MergeCounts(added=3).to_json()
    assert (change.version, change.runs, change.came_at) == (2, {"run-b": 3}, NOON)
    assert change.seen_at == datetime(2026, 7, 28, 12, 2, tzinfo=UTC)
    left.delete("reports/")
    assert ask_for_words(stack, PLANNED).changes[0].counts is None
    left.delete("plans/")
    assert ask_for_words(stack, PLANNED).changes == ()


def test_versions_that_others_made_are_looked_through_up_to_a_bound(
    stack: ToyStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    left, parent = Left(stack), None
    monkeypatch.setattr(where, "LOOKED_AT", 3)
    for version in range(1, 7):
        plan = plan_of(PLANNED if version < 3 else OTHER, version=version, execution=f"words-stream-{version}")
        parent = left.version(left.plan(replace(plan, base=parent)))
    operator, asked = left.operator, []
    plan_at = operator.stored.plan
    monkeypatch.setattr(operator.stored, "plan", lambda key: asked.append(key) or plan_at(key))
    stack.receipt(PLANNED.image_id, 1)
    put_run(stack, PLANNED, words_state="COMPLETED", words_version=2, words_merged_vectors=3)
    with Contents(operator) as contents:
        (words,) = where_is(operator, contents, PLANNED, ["words"]).collections
    assert len(asked) == 3 + 1, "the newest, and the one that its run names"
    assert [one.version for one in words.changes] == [2]


def put_run(stack: ToyStack, receipt: ReceiptId, **more: str | int) -> None:
    values = {"created_at": "2026-07-28T11:59:00+00:00", "words_delta_prefix": f"words/delta/{RUN}/", **more}
    item = {name: {"N": str(one)} if isinstance(one, int) else {"S": one} for name, one in values.items()}
    key = {"PK": {"S": receipt.pk}, "SK": {"S": f"{receipt.sk}#COMPACTION_RUN#{RUN}"}}
    stack.dynamodb.put_item(TableName=stack.connection.receipts_table, Item={**key, **item})


def test_what_waits_is_told_with_since_when_and_why(stack: ToyStack) -> None:
    receipt = ReceiptId("aaaa", 1)
    stack.receipt("aaaa", 1)
    put_run(stack, receipt, words_state="PENDING")
    marks = {receipt: ["INSERT COMPACTION_RUN"], ReceiptId("aaaa", 2): ["other"]}
    stack.control.pending("words").mark(marks, now=NOON.isoformat(), new_token=lambda: "once")
    words = ask_for_words(stack, receipt)
    assert (words.state, words.version, words.records, words.since) == ("waiting", 0, 0, None)
    assert words.pending is not None
    assert (words.pending.since, words.pending.reasons) == (NOON, ("INSERT COMPACTION_RUN",))
    assert [(run.run_id, run.state, run.version) for run in words.runs] == [(RUN, "pending", None)]
    assert of_collection(words, NOON.replace(minute=5)) == (
        "Nothing is published yet.",
        "Changes have waited for 5 min, the last came 5 min ago (INSERT COMPACTION_RUN).",
    )


def test_a_refused_run_and_a_note_are_told_of_their_receipt_alone(stack: ToyStack) -> None:
    for image_id in ("aaaa", "bbbb"):
        put_run(stack, ReceiptId(image_id, 1))
    stack.quarantine_of("words").put(
        RUN, ReceiptId("aaaa", 1), "DeltaCorrupt", "the footer is cut off", NOON.isoformat(), order="1"
    )
    stack.note("words", RUN, "DeltaGone", "its delta is gone", image_id="bbbb")
    refused, noted = (ask_for_words(stack, ReceiptId(image_id, 1)) for image_id in ("aaaa", "bbbb"))
    assert refused.state == "quarantined"
    assert [run.says for run in refused.runs] == ["DeltaCorrupt: the footer is cut off"]
    assert [(run.state, run.says) for run in noted.runs] == [("pending", "DeltaGone: its delta is gone")]


def test_a_run_older_than_its_receipt_is_of_an_earlier_one(stack: ToyStack) -> None:
    receipt = ReceiptId("aaaa", 1)
    item = {"PK": {"S": receipt.pk}, "SK": {"S": receipt.sk}, "timestamp_added": {"S": NOON.isoformat()}}
    stack.dynamodb.put_item(TableName=stack.connection.receipts_table, Item=item)
    put_run(stack, receipt, words_state="COMPLETED", words_version=3)
    assert [run.state for run in ask_for_words(stack, receipt).runs] == ["of an earlier receipt"]


def test_a_run_that_a_rollback_left_out_is_taken_back_until_a_round_brings_it_again(stack: ToyStack) -> None:
    left, receipt = Left(stack), PLANNED
    rows = Versions(stack.dynamodb, stack.connection.control_table, "words")
    put_run(stack, receipt, words_state="COMPLETED", words_version=2, words_merged_vectors=3)
    ids = stack.published("words", 3)
    row = rows.read(ids[2])
    assert row is not None
    key = {"PK": {"S": "COLLECTION#words"}, "SK": {"S": f"VERSION#{ids[2]}"}}
    stack.dynamodb.update_item(
        TableName=stack.connection.control_table,
        Key=key,
        UpdateExpression="SET #rollback = :first, kind = :kind",
        ExpressionAttributeNames={"#rollback": "rollback"},
        ExpressionAttributeValues={":first": {"S": ids[0]}, ":kind": {"S": "rollback"}},
    )
    (run,) = ask_for_words(stack, receipt).runs
    assert (run.state, run.version, run.says) == ("taken back", 2, "version 3 published an older one again")
    third = left.operator.collections.head("words")
    assert third is not None
    left.version(left.plan(replace(plan_of(receipt, version=4), base=third.pointer)))
    (run,) = ask_for_words(stack, receipt).runs
    assert (run.state, run.version, run.says) == ("completed", 4, None)


def test_a_version_whose_files_are_gone_is_a_problem_and_hides_nothing_else(stack: ToyStack) -> None:
    receipt = next(one for n in range(1, 20) if not shard_of((one := ReceiptId("aaaa", n)).image_id, n, 2))
    put_run(stack, receipt, words_state="COMPLETED", words_version=1)
    stack.published("words", 1)
    words = ask_for_words(stack, receipt)
    assert (words.records, words.since, len(words.runs)) == (None, None, 1)
    assert "Nobody can tell" in of_collection(words, NOON)[0]


def test_a_receipt_that_nothing_knows_is_an_error_that_says_what_to_do(stack: ToyStack) -> None:
    with pytest.raises(ReceiptNotFound, match="give the image's id whole"):
        ask_for_words(stack, ReceiptId("aaaa", 1))


@pytest.mark.parametrize("given", ["a/b/7", "IMAGE#a/b#RECEIPT#00007"])
def test_a_receipt_is_given_by_image_and_number_or_by_its_key(given: str) -> None:
    assert parse_receipt(given) == ReceiptId("a/b", 7)


@pytest.mark.parametrize("given", ["", "aaaa", "aaaa/", "/1", "aaaa/x", "aaaa/²", "a#b/1", "IMAGE#a#RECEIPT#x"])
def test_what_is_no_receipt_is_refused_with_an_example(given: str) -> None:
    with pytest.raises(UsageError, match="give IMAGE/RECEIPT, such as"):
        parse_receipt(given)
