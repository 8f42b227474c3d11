"""What the console's API module says of a stack, and does to it."""

import json
from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest
from receipt_dynamo_stream.keys import ReceiptId

from operate.api import Api
from operate.errors import ExecutionAmbiguous, ExecutionNotFound, PreviewMissing, SnapshotNotFound
from operate.models import EXECUTION_NAME

from ..toy_stack.toy import ToyStack

A = ReceiptId("aaaa", 1)


def test_a_stack_that_never_ran_is_empty_and_not_an_error(api: Api) -> None:
    status = api.status("words")
    assert (status.state, status.version, status.records, status.last_execution) == ("empty", 0, None, None)
    assert (status.pending, status.behind_seconds, status.quarantined) == (0, 0.0, 0)
    assert status.problem is None


def test_status_tells_the_published_version_and_its_records(stack: ToyStack, api: Api) -> None:
    stack.publish("words", 3, records=812, holder="arn:aws:states:us-east-1:1:execution:compaction:me")
    status = api.status("words")
    assert (status.state, status.version, status.records, status.dimension) == ("current", 3, 812, 8)
    assert status.committed_at == datetime(2026, 7, 28, 12, tzinfo=UTC)
    assert status.holder == "arn:aws:states:us-east-1:1:execution:compaction:me"
    assert api.status("lines").state == "empty"


def test_a_collection_is_behind_by_its_oldest_pending_change(stack: ToyStack) -> None:
    stack.publish("words", 3, records=1)
    moment = datetime(2026, 7, 28, 13, tzinfo=UTC)
    pending = stack.control.pending("words")
    marks = [(A, 90), (ReceiptId("bbbb", 1), 30)]
    for receipt, seconds in marks:
        when = (moment - timedelta(seconds=seconds)).isoformat()
        assert not pending.mark({receipt: ["INSERT"]}, now=when, new_token=iter("ab").__next__)
    status = Api(stack.connection, now=lambda: moment).status("words")
    assert (status.state, status.pending, status.behind_seconds) == ("behind", 2, 90.0)


def test_paused_is_said_before_anything_else(stack: ToyStack, api: Api) -> None:
    stack.publish("words", 3, records=1, paused="2026-07-28 for a look")
    stack.control.pending("words").mark({A: []}, now="2026-07-28T12:00:00+00:00", new_token=lambda: "t")
    assert api.status("words").state == "paused"


def test_quarantined_runs_are_counted_per_collection(stack: ToyStack, api: Api) -> None:
    quarantine = stack.control.quarantine("words")
    for run_id in ("r1", "r2"):
        quarantine.put(run_id, A, "DeltaCorrupt", "bad", "2026", order="1")
    quarantine.remove("r2", now="2026")
    assert (api.status("words").quarantined, api.status("lines").quarantined) == (1, 0)


@pytest.mark.parametrize("damage", ["manifest", "pointer"])
def test_a_pointer_that_leads_nowhere_is_a_problem_to_show(stack: ToyStack, api: Api, damage: str) -> None:
    stack.publish("words", 3, records=1)
    if damage == "manifest":
        key = "snapshots/words/manifests/0000000003-0000000003-0.json"
        stack.s3.delete_object(Bucket=stack.connection.bucket, Key=key)
    else:
        stack.head("words", version=3, projected_version=3, fence=3)
    status = api.status("words")
    assert status.records is None
    assert status.problem is not None
    with pytest.raises(SnapshotNotFound):
        api.manifest("words")


def test_the_manifest_of_an_unpublished_collection_is_missed_by_name(api: Api) -> None:
    with pytest.raises(SnapshotNotFound, match="no snapshot of lines yet"):
        api.manifest("lines")


def test_history_is_newest_first_with_outcome_version_and_error(stack: ToyStack, api: Api) -> None:
    names = [stack.start("words"), stack.start("words", toy="Fenced"), stack.start("words", toy="Crash")]
    stack.start("lines")
    executions = list(api.history("words"))
    assert [execution.name for execution in executions] == names[::-1]
    assert [(e.result, e.trigger, e.version, e.error) for e in executions] == [
        ("failed", "stream", None, "Runtime.ExitError"),
        ("fenced", "stream", None, "Fenced"),
        ("published", "stream", 3, None),
    ]
    assert all(e.ended_at is not None and e.started_at <= e.ended_at and e.mode == "compact" for e in executions)
    assert json.loads(json.dumps(executions[0].to_json()))["cause"].startswith("The worker")


def test_history_asks_for_no_more_than_is_looked_at(stack: ToyStack, api: Api) -> None:
    for _ in range(3):
        stack.start("lines")
    newest = stack.start("words")
    asked: list[str] = []
    describe = api._sfn.describe_execution
    api._sfn.describe_execution = lambda **given: asked.append(given["executionArn"]) or describe(**given)
    assert [execution.name for execution in islice(api.history("words"), 1)] == [newest]
    assert [arn.rpartition(":")[2] for arn in asked] == [newest]


def test_history_goes_on_past_the_first_page(stack: ToyStack, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("operate.api._PAGE", 2)
    names = [stack.start("lines") for _ in range(5)]
    assert [execution.name for execution in api.history("lines")] == names[::-1]


def test_an_execution_under_a_strange_name_is_known_by_its_input(stack: ToyStack, api: Api) -> None:
    stack.start("words", name="by-hand", trigger="operator")
    (execution,) = api.history("words")
    assert (execution.collection, execution.trigger) == ("words", "operator")
    assert list(api.history("lines")) == []


def test_started_executions_have_fresh_names_that_listings_can_filter(api: Api) -> None:
    executions = [api.wait(api.start("words")) for _ in range(2)]
    assert len({execution.name for execution in executions}) == 2
    for execution in executions:
        named = EXECUTION_NAME.fullmatch(execution.name)
        assert named is not None
        assert (named["collection"], named["trigger"]) == ("words", "operator")
        assert (execution.result, execution.version) == ("published", 3)


def test_waiting_asks_until_the_execution_has_ended(stack: ToyStack) -> None:
    slept: list[float] = []

    def stop_it(seconds: float) -> None:
        slept.append(seconds)
        stack.sfn.stop_execution(executionArn=arn)

    api = Api(stack.connection, sleep=stop_it)
    arn = api.resolve(stack.start("lines", toy="Hold"))
    assert api.wait(arn, poll_seconds=0.25).status == "aborted"
    assert slept == [0.25]


def test_a_rerun_is_a_new_execution_with_the_very_same_input(stack: ToyStack, api: Api) -> None:
    old = stack.start("words", toy="Fenced")
    again = api.wait(api.rerun(old))
    assert again.name != old
    assert again.name.startswith("words-operator-")
    assert again.error == "Fenced"
    inputs = [stack.sfn.describe_execution(executionArn=api.resolve(name))["input"] for name in (old, again.name)]
    assert inputs[0] == inputs[1]


def test_executions_are_found_by_arn_by_name_and_by_the_beginning_of_a_name(stack: ToyStack, api: Api) -> None:
    first, second = stack.start("words"), stack.start("words")
    arn = api.resolve(first)
    assert arn.endswith(f":execution:compaction:{first}")
    assert api.resolve(arn) == arn
    assert api.resolve(second[: len("words-stream-") + 8]).endswith(second)
    with pytest.raises(ExecutionAmbiguous, match="2 executions begin with words-stream-"):
        api.resolve("words-stream-")


@pytest.mark.parametrize(
    "given",
    ["lines-stream-00", "not a name", "", "arn:aws:states:us-east-1:123456789012:execution:compaction:none", "arn:x"],
)
def test_what_is_not_an_execution_is_refused_by_name(stack: ToyStack, api: Api, given: str) -> None:
    stack.start("words")
    with pytest.raises(ExecutionNotFound, match="history"):
        api.resolve(given)


def test_a_preview_without_anything_pending_plans_nothing(api: Api) -> None:
    preview = api.preview(api.wait(api.start("words", "plan")))
    assert (preview.base_version, preview.version, preview.receipts, preview.more) == (3, None, (), False)


def test_an_execution_that_planned_nothing_has_no_preview(api: Api) -> None:
    with pytest.raises(PreviewMissing, match="nothing_pending"):
        api.preview(api.wait(api.start("lines")))
