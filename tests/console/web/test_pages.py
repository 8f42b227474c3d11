"""Every page, in every state that a stack can be in."""

import re
from pathlib import Path

import pytest
from receipt_dynamo_stream.control.history import ExecutionRow
from receipt_dynamo_stream.keys import ReceiptId

import console.web
from operate.connection import Connection

from ...toy_stack.toy import MACHINE, ToyStack
from .conftest import Visit, Visitor

PAGES = (
    "/",
    "/executions",
    "/snapshots/words",
    "/snapshots/lines",
    "/snapshots/words/archive",
    "/pending",
    "/search",
    "/start",
    "/watch",
)
TEMPLATES = sorted((Path(console.web.__file__).parent / "templates").glob("*.html"))
MARKUP = "<script>alert(1)</script><img src=x onerror=alert(2)>"


@pytest.mark.parametrize("page", PAGES)
def test_every_page_of_a_new_stack_says_that_there_is_nothing_and_what_to_do(visitor: Visitor, page: str) -> None:
    text = visitor.open(page)
    assert "<h1>" in text
    assert ">None<" not in text


def test_the_overview_says_what_is_wrong_with_each_collection(visitor: Visitor, stack: ToyStack) -> None:
    stack.published("words", 2)
    stack.head("lines", version=1, projected_version=1, fence=1, paused="2026-07-28 an audit")
    stack.start("words", toy="Crash")
    page = visitor.open("/")
    assert "an audit" in page
    assert "and none has made it good" in page
    assert page.count("✕ act") == 2, "a version without a pointer is wrong too"


def test_the_overview_says_that_readers_see_nothing_and_what_a_restored_table_forgot(
    visitor: Visitor, stack: ToyStack
) -> None:
    stack.publish("lines", 2, records=3)
    stack.publish("words", 2, records=3, unseen="readers see nothing, found today: gone", went_back="today")
    lines, words = visitor.open("/").split('id="card-words"')
    assert "✓ healthy" in lines
    assert "✕ act" in words
    assert "Readers see nothing, found today: gone." in words
    assert "compaction reconcile words" in words


def test_the_overview_folds_what_had_nothing_to_do_and_explains_every_tick(visitor: Visitor, stack: ToyStack) -> None:
    published = stack.start("words")
    for _ in range(3):
        stack.start("lines")
    lines, words = visitor.open("/").split('id="card-words"')
    assert "3 executions had nothing to do" in lines
    assert 'href="/executions?collection=lines&amp;idle=1"' in lines
    assert f'href="/executions/{published}"' in words
    legend = words[words.index("legend") :]
    assert all(word in legend for word in ("planned", "aborted", "had nothing pending, or coalesced"))


def test_waiting_runs_are_in_the_menu_of_every_page(visitor: Visitor, stack: ToyStack) -> None:
    assert "in quarantine</span>" not in visitor.open("/executions")
    for collection in ("lines", "words"):
        stack.quarantine(collection, "7b1f7c1e-6f0a-4a3b-9a53-0d2b8f6a1c11")
    visitor.client.application.extensions["site"].watch.forget()
    for page in ("/", "/executions", "/snapshots/words", "/search"):
        menu = visitor.open(page).split("</nav>")[0]
        assert '2 <span class="hidden">runs in quarantine' in menu


def test_a_menu_without_an_answer_is_a_menu(visitor: Visitor, stack: ToyStack) -> None:
    stack.dynamodb.delete_table(TableName=stack.connection.control_table)
    assert "Overview</a>" in visitor.open("/", 502)


def test_the_overview_says_in_which_unit_and_when_changes_waited(visitor: Visitor, stack: ToyStack) -> None:
    for snapshot_id in stack.published("words", 2):
        stack.dynamodb.update_item(
            TableName=stack.connection.control_table,
            Key={"PK": {"S": "COLLECTION#words"}, "SK": {"S": f"VERSION#{snapshot_id}"}},
            UpdateExpression="SET first_changed_at = :at",
            ExpressionAttributeValues={":at": {"S": "2026-07-28T12:00:35+00:00"}},
        )
    chart = visitor.open("/").split('class="chart"')[1].split("</div>")[0]
    assert ">30 s<" in chart
    assert "usually 25 s" in chart
    assert chart.count("2026-07-28 12:01:00 UTC") >= 4  # both bars, and both ends of the axis
    assert 'href="/snapshots/words/2"' in chart


def test_the_overview_leads_to_what_failed_and_tells_a_lease_that_was_left_from_one_that_is_held(
    visitor: Visitor, stack: ToyStack
) -> None:
    crashed, running = stack.start("words", toy="Crash"), stack.start("lines", toy="Hold")
    executions = MACHINE.replace(":stateMachine:", ":execution:")
    for collection, name in (("words", crashed), ("lines", running)):
        stack.head(collection, version=0, fence=1, holder=f"{executions}:{name}")
    page = visitor.open("/")
    lines, words = page.split('id="card-words"')
    assert f'href="/executions/{crashed}"' in words[words.index("verdict") : words.index("facts")]
    assert "left by" in words
    assert f'href="/executions/{running}"' in lines
    assert "left by" not in lines


def test_the_list_folds_idle_ones_away_and_tells_failures_from_fenced_ones(visitor: Visitor, stack: ToyStack) -> None:
    idle, crashed, fenced = stack.start("lines"), stack.start("words", toy="Crash"), stack.start("words", toy="Fenced")
    page = visitor.open("/executions")
    assert crashed in page
    assert fenced in page
    assert idle not in page
    assert "Folded away: 1" in page
    assert idle in visitor.open("/executions?idle=1")
    unhealed = visitor.open("/executions?result=unhealed")
    assert crashed in unhealed
    assert fenced not in unhealed
    first = visitor.open("/executions?first=failures")
    assert first.index("Failures that nothing has made good") < first.index(crashed) < first.index(fenced)


def test_idle_executions_that_are_but_counted_have_a_line_a_day_on_the_page_of_that_day(
    visitor: Visitor, stack: ToyStack
) -> None:
    for collection, days in (("words", (("2026-07-28", 12_000), ("2026-07-29", 7))), ("lines", (("2026-07-28", 345),))):
        for day, count in days:
            key = {"PK": {"S": f"EXECUTIONS_IDLE#{collection}"}, "SK": {"S": day}}
            table = stack.connection.control_table
            stack.dynamodb.put_item(TableName=table, Item={**key, "executions": {"N": str(count)}})
    lines = re.findall(r"<li>([\d,]+ idle executions? on) <time[^>]*>([-\d]+)", visitor.open("/executions"))
    assert lines == [("7 idle executions on", "2026-07-29"), ("12,345 idle executions on", "2026-07-28")]
    older = visitor.open("/executions?before=2026-07-28T12:00:00")
    assert "12,345 idle executions" in older
    assert "2026-07-29" not in older
    assert "345 idle executions" in visitor.open("/executions?collection=lines")
    assert "idle executions" not in visitor.open("/executions?since=2026-07-30T00:00")
    assert "idle executions" not in visitor.open("/executions?trigger=stream")


def test_a_filter_that_does_not_exist_is_refused(visitor: Visitor) -> None:
    assert "choose one of" in visitor.open("/executions?result=nonsense", 400)
    assert "write it like" in visitor.open("/executions?since=yesterday", 400)


def test_a_failed_execution_shows_first_what_failed_with_its_input(visitor: Visitor, stack: ToyStack) -> None:
    name = stack.start("words", toy="Crash")
    page = visitor.open(f"/executions/{name}")
    failure = page[page.index('id="failure"') : page.index('id="graph"')]
    assert "Runtime.ExitError" in failure
    assert "The worker ended [bold]early[/bold]." in failure
    assert "Crash" in failure
    assert "toy" in failure, "the input of the failed state"
    assert "Re-run" in page


def test_each_step_has_a_page_with_its_input_and_output(visitor: Visitor, stack: ToyStack) -> None:
    name = stack.start("words")
    page = visitor.open(f"/executions/{name}?whole=1")
    address = page[page.index("data-src=") + 10 :].partition('"')[0]
    step = visitor.open(address)
    assert "Input" in step
    assert "compact" in step
    assert "no step 999" in visitor.open(f"/executions/{name}/steps/999", 404)


def test_all_events_are_there_as_they_were_recorded(visitor: Visitor, stack: ToyStack) -> None:
    page = visitor.open(f"/executions/{stack.start('words')}/events")
    assert "ExecutionStarted" in page
    assert "ExecutionSucceeded" in page


def test_an_execution_that_step_functions_forgot_is_told_by_its_row(visitor: Visitor, stack: ToyStack) -> None:
    name = "words-stream-" + "0" * 32
    row = ExecutionRow(
        collection="words",
        name=name,
        arn=f"{MACHINE.replace(':stateMachine:', ':execution:')}:{name}",
        status="FAILED",
        started_at="2026-01-01T12:00:00+00:00",
        ended_at="2026-01-01T12:01:00+00:00",
        error="ShardInvalid",
        cause="labels: 3 are missing",
    )
    stack.control.history(row.collection).put(row)
    page = visitor.open(f"/executions/{name}")
    assert "Step Functions has forgotten this execution" in page
    assert "labels: 3 are missing" in page


@pytest.mark.parametrize(
    "path",
    [
        "/executions/words-stream-nobody",
        "/executions/words-stream-nobody/events",
        "/snapshots/words/7",
        "/snapshots/nothing",
        "/snapshots/nothing/1",
        "/executions/x/log/MergeDeltas",
        "/nowhere",
    ],
)
def test_what_is_not_there_is_said_to_be_so(visitor: Visitor, path: str) -> None:
    page = visitor.open(path, 404)
    assert "Overview" in page
    assert "Traceback" not in page


def test_versions_are_a_line_with_what_each_brought_and_who_made_it(visitor: Visitor, stack: ToyStack) -> None:
    stack.published("words", 3)
    stack.version("words", 4, parent=3, committed=False)
    page = visitor.open("/snapshots/words")
    assert page.index("version-0000000003") < page.index("version-0000000002") < page.index("version-0000000001")
    assert "+12" in page
    assert "1 attempt that never became a version" in page


def test_a_version_whose_files_are_gone_says_so_and_still_tells_its_story(visitor: Visitor, stack: ToyStack) -> None:
    stack.published("words", 2)
    page = visitor.open("/snapshots/words/1")
    assert "0000000001-0000000001-0" in page
    assert 'class="empty"' in page[page.index('id="records"') :]


@pytest.mark.parametrize(
    ("content", "said"),
    [(b'{"schema_version"', "its pointer says"), (b'{"records": 999999}', "its pointer says"), (None, "is not there")],
    ids=["truncated", "another", "missing"],
)
def test_a_damaged_manifest_is_said_on_the_overview_and_on_the_versions_page(
    visitor: Visitor, stack: ToyStack, content: bytes | None, said: str
) -> None:
    stack.published("words", 2)
    where = {"Bucket": stack.connection.bucket, "Key": "snapshots/words/manifests/0000000002-0000000002-0.json"}
    stack.s3.delete_object(**where)
    if content is not None:
        stack.s3.put_object(**where, Body=content)
    page = visitor.open("/")
    assert f"The manifest of version 2 cannot be read: s3://{where['Bucket']}/{where['Key']}" in page
    assert said in page
    assert "999,999" not in page
    assert "✕ act" in page
    assert "cannot be read" in visitor.open("/snapshots/words/2")


def test_pending_receipts_say_why_they_wait_and_since_when(visitor: Visitor, stack: ToyStack) -> None:
    pending = stack.control.pending("words")
    receipt = ReceiptId("3f52804b-2fad-4e00-92c8-b593da3a8ed3", 1)
    pending.mark({receipt: ["INSERT RECEIPT_PLACE"]}, now="2026-07-28T12:00:00+00:00", new_token=lambda: "once")
    stack.quarantine("lines", "7b1f7c1e-6f0a-4a3b-9a53-0d2b8f6a1c11")
    stack.note("words", "noted-run", "RecordsLeftOut", "3 of its records are not in the snapshot", more=12)
    page = visitor.open("/pending")
    assert "noted-run" in page
    assert "RecordsLeftOut" in page
    assert "3 of its records are not in the snapshot" in page
    assert "12 more" in page
    assert "3f52804b 1" in page
    assert "INSERT RECEIPT_PLACE" in page
    assert "7b1f7c1e-6f0a" in page
    assert "the footer is cut off" in page
    assert "Nothing waits." in page


def test_nothing_from_a_stack_is_ever_markup(visitor: Visitor, stack: ToyStack) -> None:
    stack.published("words", 2)
    stack.head("lines", version=0, fence=1, paused=MARKUP)
    stack.quarantine_of("words").put(
        "run-1", ReceiptId("aaaa", 1), MARKUP, MARKUP, "2026-07-28T12:00:00+00:00", order="1"
    )
    stack.note("words", MARKUP, MARKUP, MARKUP)
    name = stack.start("words", toy="Crash", note=MARKUP)
    row = ExecutionRow(
        collection="words",
        name="odd",
        arn=f"{MACHINE.replace(':stateMachine:', ':execution:')}:odd",
        status="FAILED",
        started_at="2026-01-01T12:00:00+00:00",
        error=MARKUP,
        cause=MARKUP,
    )
    stack.control.history(row.collection).put(row)
    pages = ("/", "/executions", "/pending", f"/executions/{name}", f"/executions/{name}/events", "/executions/odd")
    told = [visitor.open(page) for page in (*pages, "/snapshots/lines", f"/search?text={MARKUP}&collection=words")]
    for page in told:
        assert "<script>alert" not in page
        assert "<img src=x" not in page
    assert sum("&lt;script&gt;alert(1)" in page for page in told) >= 5


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template.name)
def test_no_template_escapes_from_escaping_or_needs_an_exception_from_the_policy(template: Path) -> None:
    text = template.read_text()
    for forbidden in ("| safe", "|safe", "autoescape false", "Markup(", " style=", "<style", " onclick", "javascript:"):
        assert forbidden not in text
    assert text.count("<script") == text.count("<script src=")


def test_a_page_that_did_not_change_is_not_sent_twice(visitor: Visitor) -> None:
    first = visitor.fetch("/start")
    assert visitor.fetch("/start", first.headers["ETag"]).status_code == 304
    assert visitor.fetch("/start", '"another"').status_code == 200


def test_a_stack_that_does_not_answer_is_said_to_be_the_trouble(visit: Visit, stack: ToyStack) -> None:
    stack.dynamodb.delete_table(TableName=stack.connection.control_table)
    page = visit().open("/", 502)
    assert "The stack did not answer" in page
    assert "ResourceNotFoundException" in page


def test_the_name_of_the_stack_is_on_every_page(visitor: Visitor, connection: Connection) -> None:
    assert connection.endpoint_url is not None
    assert all('title="The stack that this console shows">toy<' in visitor.open(page) for page in PAGES)


def test_what_expired_long_ago_is_paged_and_a_version_of_it_still_says_what_it_brought(
    visitor: Visitor, stack: ToyStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = stack.published("words", 9)
    versions = stack.control.versions("words")
    for snapshot_id in ids[:6]:
        versions.mark_expired(snapshot_id, now="2026-07-28T12:00:00+00:00")
    versions.archive(lambda _row: True, at_most=100)
    monkeypatch.setattr("console.web.pages.snapshots.SHOWN", 4)
    kept = visitor.open("/snapshots/words")
    assert [number for number in range(1, 10) if f"version-{ids[number - 1]}" in kept] == [7, 8, 9]
    page = visitor.open("/snapshots/words/archive")
    assert ("/words/6" in page, "/words/3" in page, "/words/2" in page) == (True, True, False)
    assert "/words/2" in visitor.open(f"/snapshots/words/archive?before={ids[2]}")
    assert "12 added" in visitor.open("/snapshots/words/2").replace("+12", "12 added")
