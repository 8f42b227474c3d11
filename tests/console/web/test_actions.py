"""What a person can do: asked first, done once, refused when reading only."""

import pytest

from console.web.actions import ACTIONS

from ...toy_stack.toy import ToyStack, until
from .conftest import Visit, Visitor

RUN = "7b1f7c1e-6f0a-4a3b-9a53-0d2b8f6a1c11"


def test_a_failed_execution_is_run_again_in_two_clicks_and_the_list_says_that_it_is_healed(
    visitor: Visitor, stack: ToyStack
) -> None:
    failed = stack.start("words", toy="Crash")
    page = visitor.open(f"/executions/{failed}")
    assert f"/do/rerun?execution={failed}" in page
    led_to = visitor.confirm(f"/do/rerun?execution={failed}")
    again = led_to.rpartition("/")[2]
    assert again != failed
    assert "is the re-run of" in visitor.open(led_to)
    assert stack.executions()[-1] == stack.executions()[0]


def test_what_a_rerun_of_another_mode_would_do_is_asked_elsewhere(visitor: Visitor, stack: ToyStack) -> None:
    stack.published("words", 2)
    name = stack.start("words", mode="rollback", snapshot_id="0000000001-0000000001-0")
    assert "rollback" in visitor.open(f"/do/rerun?execution={name}", 409)


def test_starting_by_hand_shows_the_plan_before_anything_is_changed(visitor: Visitor, stack: ToyStack) -> None:
    page = visitor.open("/start?collection=words")
    token = page.partition('name="action_token" value="')[2].partition('"')[0]
    planned = visitor.post("/start", action_token=token, collection="words", mode="compact")
    assert planned.startswith("/start/words-operator-")
    stack.executions()  # until none runs
    assert [given["mode"] for given in stack.executions()] == ["plan"]
    page = visitor.open(planned)
    assert "Nothing is pending" in page
    visitor.confirm(planned)
    assert [given["mode"] for given in stack.executions()] == ["plan", "compact"]


@pytest.mark.parametrize(
    ("mode", "given"),
    [
        ("verify", {"mode": "verify", "snapshot_id": "0000000002-0000000002-0"}),
        ("expire", {"mode": "expire", "apply": False}),
        ("fold", {"mode": "fold", "all": True}),
    ],
)
def test_other_modes_of_the_form_change_nothing(
    visitor: Visitor, stack: ToyStack, mode: str, given: dict[str, object]
) -> None:
    stack.published("words", 2)
    page = visitor.open("/start?collection=words")
    token = page.partition('name="action_token" value="')[2].partition('"')[0]
    visitor.post("/start", action_token=token, collection="words", mode=mode)
    (started,) = stack.executions()
    assert started == {"collection": "words", "trigger": "operator", **given}
    assert "cannot start mode" in visitor.post("/start", 400, action_token=token, collection="words", mode="rollback")


def test_a_reshard_shows_its_plan_and_starts_with_the_number_that_was_asked_for(
    visitor: Visitor, stack: ToyStack
) -> None:
    stack.published("words", 3)
    page = visitor.open("/start?collection=words&mode=reshard")
    token = page.partition('name="action_token" value="')[2].partition('"')[0]
    question = visitor.post("/start", action_token=token, collection="words", mode="reshard", shards="4")
    assert question == "/do/reshard?collection=words&shards=4"
    assert stack.executions() == []
    asked = visitor.open(question)
    for part in (
        "Re-shard words from 2 to 4?",
        "30 records of version 3",
        "read from EFS",
        "of memory",
        "its next refresh",
    ):
        assert part in asked
    visitor.confirm(question)
    assert stack.executions() == [{"collection": "words", "mode": "reshard", "trigger": "operator", "shards": 4}]


@pytest.mark.parametrize(
    ("shards", "says", "status"),
    [
        ("2", "has 2 shards already", 409),
        ("0", "from 1 to 256", 409),
        ("x", "A number", 400),
        ("", "lacks shards", 400),
    ],
)
def test_a_number_that_no_reshard_can_go_to_is_refused_before_the_question(
    visitor: Visitor, stack: ToyStack, shards: str, says: str, status: int
) -> None:
    stack.published("words", 3)
    assert says in visitor.open(f"/do/reshard?collection=words&shards={shards}", status)


def test_a_running_execution_is_stopped(visitor: Visitor, stack: ToyStack) -> None:
    name = stack.start("lines", toy="Hold")
    arn = f"{stack.connection.state_machine_arn.replace(':stateMachine:', ':execution:')}:{name}"
    # As it comes, moto loses a stop that is too early, and does not stop at once.
    until(lambda: "WaitStateEntered" in str(stack.sfn.get_execution_history(executionArn=arn)["events"]), "Hold")
    led_to = visitor.confirm(f"/do/stop?execution={name}", reason="it was the wrong one")
    until(lambda: stack.sfn.describe_execution(executionArn=arn)["status"] != "RUNNING", "the stop")
    assert stack.sfn.describe_execution(executionArn=arn)["status"] == "ABORTED"
    assert "aborted" in visitor.open(led_to)


def test_a_reason_must_be_given_where_one_is_asked_for(visitor: Visitor, stack: ToyStack) -> None:
    stack.head("words", version=1, fence=1)
    page = visitor.open("/do/pause?collection=words")
    token = page.partition('name="action_token" value="')[2].partition('"')[0]
    assert "Write down why" in visitor.post("/do/pause?collection=words", 400, action_token=token, reason="  ")
    assert visitor.open("/snapshots/words").count("paused") == 0


def test_pause_and_resume_are_there_and_back(visitor: Visitor, stack: ToyStack) -> None:
    stack.published("words", 2)
    stack.receipt("aaaa", 1)
    led_to = visitor.confirm("/do/pause?collection=words", reason="an audit")
    assert "an audit" in visitor.open(led_to)
    assert "was paused already" in visitor.open(visitor.confirm("/do/pause?collection=words", reason="again"))
    led_to = visitor.confirm("/do/resume?collection=words")
    assert led_to.startswith("/executions/words-operator-")
    assert stack.pending("words") == ["aaaa"]
    head = stack.control.head("words").read()
    assert head is not None
    assert head.paused is None


def test_a_rollback_says_what_it_will_publish_and_starts_an_execution(visitor: Visitor, stack: ToyStack) -> None:
    first, *_ = stack.published("words", 3)
    question = visitor.open("/do/rollback?collection=words&version=1")
    assert "10 records are published again as version 4" in question
    visitor.confirm("/do/rollback?collection=words&version=1")
    assert stack.executions()[-1]["snapshot_id"] == first


def test_versions_are_verified_pinned_and_unpinned(visitor: Visitor, stack: ToyStack) -> None:
    stack.published("words", 2)
    visitor.confirm("/do/verify?collection=words&version=2")
    assert stack.executions()[-1]["mode"] == "verify"
    led_to = visitor.confirm("/do/pin?collection=words&version=1", reason="the audit of July")
    assert "the audit of July" in visitor.open(led_to)
    led_to = visitor.confirm("/do/unpin?collection=words&version=1")
    assert "the audit of July" not in visitor.open(led_to)


def test_expiry_deletes_only_when_the_address_says_so(visitor: Visitor, stack: ToyStack) -> None:
    assert "dry run" in visitor.open("/do/expire?collection=words")
    visitor.confirm("/do/expire?collection=words")
    visitor.confirm("/do/expire?collection=words&apply=1")
    assert [given["apply"] for given in stack.executions()] == [False, True]


def test_a_restore_is_offered_where_readers_do_not_see_what_is_published_and_its_page_says_what_came_back(
    visitor: Visitor, stack: ToyStack
) -> None:
    stack.published("lines", 2)
    stack.publish("words", 2, records=3, unseen="readers see nothing, found today: gone")
    lines, words = visitor.open("/").split('id="card-words"')
    assert "/do/restore" not in lines
    assert "/do/restore?collection=words" in words
    assert "/do/restore?collection=lines" in visitor.open("/snapshots/lines")
    assert "brings back from the bucket what is missing or wrong" in visitor.open("/do/restore?collection=words")
    led_to = visitor.confirm("/do/restore?collection=words")
    assert stack.executions() == [{"collection": "words", "mode": "restore", "trigger": "operator"}]
    page = visitor.open(led_to)
    assert "Found: CURRENT is gone. Brought back 3 files (2.0 KB), and CURRENT was written: readers of words" in page


def test_reconcile_marks_every_receipt(visitor: Visitor, stack: ToyStack) -> None:
    stack.receipt("aaaa", 1)
    stack.receipt("bbbb", 1)
    assert "2 receipts of lines are pending now" in visitor.open(visitor.confirm("/do/reconcile?collection=lines"))
    assert stack.pending("lines") == ["aaaa", "bbbb"]
    assert stack.pending("words") == []


def test_a_quarantined_run_is_retried_or_dropped_with_the_reason_written_down(
    visitor: Visitor, stack: ToyStack
) -> None:
    stack.receipt("aaaa", 1)
    stack.quarantine("words", RUN)
    led_to = visitor.confirm(f"/do/retry?collection=words&run={RUN}")
    assert led_to.startswith("/executions/words-operator-")
    assert stack.quarantine_of("words").list() == []
    stack.quarantine("words", RUN)
    visitor.confirm(f"/do/drop?collection=words&run={RUN}", reason="the upload was cut off")
    state, error = stack.run(RUN, "words")
    assert state == "FAILED"
    assert "the upload was cut off" in str(error)
    assert stack.quarantine_of("words").list() == []


def test_all_runs_of_one_reason_are_dropped_at_once(visitor: Visitor, stack: ToyStack) -> None:
    other = "7b1f0000-6f0a-4a3b-9a53-0d2b8f6a1c11"
    stack.quarantine("words", RUN)
    stack.quarantine("lines", other, "bbbb")
    assert "dropall?reason" not in visitor.open("/pending"), "all of them have the one reason"
    visitor.confirm("/do/dropall?reason=MergeKeepsFailing", reason="none")
    assert [one.run_id for one in stack.quarantine_of("words").list()] == [RUN]
    led_to = visitor.confirm("/do/dropall?reason=DeltaCorrupt", reason="a bad upload")
    assert "2 runs are dropped." in visitor.open(led_to)
    assert (stack.quarantine_of("words").list(), stack.quarantine_of("lines").list()) == ([], [])
    assert "a bad upload" in str(stack.run(RUN, "words")[1])


def test_each_reason_is_offered_by_itself_where_there_are_several(visitor: Visitor, stack: ToyStack) -> None:
    stack.quarantine("words", RUN)
    stack.quarantine("lines", RUN, error="WrongSpace")
    page = visitor.open("/pending")
    for action in ("retryall", "dropall"):
        assert f'href="/do/{action}"' in page
        for reason in ("DeltaCorrupt", "WrongSpace"):
            assert f'href="/do/{action}?reason={reason}"' in page


def test_what_is_gone_meanwhile_is_said_and_nothing_is_done(visitor: Visitor, stack: ToyStack) -> None:
    assert "no run" in visitor.open(f"/do/retry?collection=words&run={RUN}", 409)
    visitor.open("/do/verify?collection=words&version=9", 404)
    visitor.open("/do/stop?execution=words-stream-nobody", 404)
    assert stack.executions() == []


def test_redrive_says_why_it_cannot_be_had(visitor: Visitor, stack: ToyStack) -> None:
    name = stack.start("words", toy="Crash")
    assert "Redrive is not offered: this service does not offer it" in visitor.open(f"/executions/{name}")
    assert "a re-run starts a new one" in visitor.open(f"/do/redrive?execution={name}", 409)
    token = visitor._guard.action_token("/do/redrive")
    assert "a re-run starts a new one" in visitor.post(f"/do/redrive?execution={name}", 409, action_token=token)


def test_what_has_ended_is_not_stopped_and_what_is_current_not_rolled_back_to(
    visitor: Visitor, stack: ToyStack
) -> None:
    stack.published("words", 2)
    name = stack.start("words")
    assert "has ended already" in visitor.open(f"/do/stop?execution={name}", 409)
    assert "is the current one" in visitor.open("/do/rollback?collection=words&version=2", 409)


@pytest.mark.parametrize("action", ["reconcile", "resume"])
def test_without_the_manifest_nothing_is_marked_and_the_page_says_why(
    visitor: Visitor, stack: ToyStack, action: str
) -> None:
    stack.receipt("aaaa", 1)
    stack.publish("words", 3, records=1, paused="2026-07-28 an audit")
    stack.s3.delete_object(Bucket=stack.connection.bucket, Key="snapshots/words/manifests/0000000003-0000000003-0.json")
    visitor.open(f"/do/{action}?collection=words")
    token = visitor._guard.action_token(f"/do/{action}")
    page = visitor.post(f"/do/{action}?collection=words", 409, action_token=token)
    assert "restore it from a copy of the bucket, or roll back" in page
    assert (stack.pending("words"), stack.executions()) == ([], [])


@pytest.mark.parametrize("action", sorted(set(ACTIONS) - {"retryall", "dropall"}))  # of all runs, they lack nothing
def test_an_address_that_lacks_something_is_refused(visitor: Visitor, action: str) -> None:
    visitor.open(f"/do/{action}", 400)


@pytest.mark.parametrize("action", sorted(ACTIONS))
def test_reading_only_refuses_every_action_in_the_server(visit: Visit, stack: ToyStack, action: str) -> None:
    stack.published("words", 2)
    reader = visit(read_only=True)
    asked = f"/do/{action}?collection=words&version=1&run={RUN}&execution=x"
    assert "only reads" in reader.open(asked, 403)
    token = visit()._guard.action_token(f"/do/{action}")
    reader.post(asked, 403, action_token=token)
    assert "only reads" in reader.post(asked, 403, action_token=reader._guard.action_token(f"/do/{action}"))
    assert stack.executions() == []


def test_reading_only_starts_nothing_by_the_form(visit: Visit, stack: ToyStack) -> None:
    reader = visit(read_only=True)
    token = reader._guard.action_token("/start")
    assert "only reads" in reader.post("/start", 403, action_token=token, collection="words", mode="compact")
    assert stack.executions() == []


def test_reading_only_offers_no_action(visit: Visit, stack: ToyStack) -> None:
    stack.published("words", 2)
    stack.quarantine("words", RUN)
    name = stack.start("words", toy="Crash")
    reader = visit(read_only=True)
    for page in (
        "/",
        "/executions",
        f"/executions/{name}",
        "/snapshots/words",
        "/snapshots/words/1",
        "/pending",
        "/start",
    ):
        text = reader.open(page)
        assert "/do/" not in text
        assert 'method="post"' not in text
    assert "read only" in reader.open("/")


def test_of_two_receipts_whose_runs_have_one_id_each_is_retried_or_dropped_on_its_own(
    visitor: Visitor, stack: ToyStack
) -> None:
    for image in ("aaaa", "bbbb"):
        stack.receipt(image, 1)
        stack.quarantine("words", RUN, image)
    page = visitor.open("/pending")
    for image in ("aaaa", "bbbb"):
        assert f"run={RUN}&amp;receipt=IMAGE%23{image}%23RECEIPT%2300001" in page
    assert "aaaa/1, bbbb/1" in visitor.open(f"/do/retry?collection=words&run={RUN}", 409)
    visitor.confirm(f"/do/drop?collection=words&run={RUN}&receipt=IMAGE%23bbbb%23RECEIPT%2300001", reason="bad")
    assert [one.receipt.image_id for one in stack.quarantine_of("words").list()] == ["aaaa"]
    assert stack.pending("words") == ["bbbb"]
    visitor.confirm(f"/do/retry?collection=words&run={RUN}&receipt=aaaa/1")
    assert stack.pending("words") == ["aaaa", "bbbb"]
    assert [stack.run(RUN, "words", image)[0] for image in ("aaaa", "bbbb")] == ["PENDING", "FAILED"]
