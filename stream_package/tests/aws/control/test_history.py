"""EXECUTIONS rows: written in any order, read page by page."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from receipt_dynamo_stream.control.history import ExecutionRow, History, Page
from receipt_dynamo_stream.history import list_executions

from ...samples import text
from ..conftest import Tables, make_tables

COUNT = 230


def started(number: int) -> str:
    return f"2026-07-28T12:{number // 60:02d}:{number % 60:02d}+00:00"


def row(number: int = 0, **changes: Any) -> ExecutionRow:
    values: dict[str, Any] = {
        "collection": "words",
        "name": f"words-stream-{number}",
        "arn": f"arn:aws:states:us-east-1:123456789012:execution:compaction:words-stream-{number}",
        "status": "RUNNING",
        "started_at": started(number),
    }
    return ExecutionRow(**{**values, **changes})


FAILED = {"status": "FAILED", "ended_at": started(500), "error": "ShardInvalid", "cause": "a page"}
SUCCEEDED = {"status": "SUCCEEDED", "ended_at": started(600), "outcome": "published", "version": 7}


class Counting:
    """The real client, with the number of its calls."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(**request: Any) -> Any:
            self.calls.append(name)
            return getattr(self._client, name)(**request)

        return call


def put(tables: Tables, row: ExecutionRow) -> bool:
    return tables.control_table.history(row.collection).put(row)


def read(tables: Tables, **more: Any) -> Page:
    return tables.control_table.history("words").page(**{"limit": 9, **more})


@pytest.fixture(scope="module")
def many(aws: dict[str, Any]) -> Tables:
    """Tables with some hundred rows, for tests that only read."""
    tables = make_tables(aws)
    for number in range(COUNT):
        assert put(tables, row(number))
    put(tables, row(collection="lines"))
    return tables


def test_a_row_is_read_back_whole(tables: Tables) -> None:
    whole = row(mode="rollback", trigger="stream", snapshot_id="0000000003-0000000005-0", **SUCCEEDED)
    assert put(tables, whole) is True
    assert read(tables) == Page((whole,), None)
    assert whole.key == f"{started(0)}#words-stream-0"


def test_a_start_has_no_attribute_that_it_does_not_know(tables: Tables) -> None:
    put(tables, row())
    item = tables.control_item("EXECUTIONS#words", row().key)
    assert item is not None
    assert set(item) == {"PK", "SK", "name", "arn", "status", "started_at", "mode", "trigger"}
    assert read(tables).rows == (row(),)


def test_a_late_start_or_an_older_end_writes_nothing(tables: Tables) -> None:
    assert put(tables, row(**SUCCEEDED)) is True
    assert put(tables, row()) is False
    assert put(tables, row(**FAILED)) is False
    assert read(tables).rows == (row(**SUCCEEDED),)


def test_a_redriven_execution_that_succeeds_has_no_error_left(tables: Tables) -> None:
    put(tables, row(**FAILED))
    assert put(tables, row(**SUCCEEDED)) is True
    assert read(tables).rows == (row(**SUCCEEDED),)


def test_the_same_end_twice_is_written_twice_alike(tables: Tables) -> None:
    for _ in range(2):
        assert put(tables, row(**FAILED)) is True
    assert read(tables).rows == (row(**FAILED),)


def test_an_end_without_its_time_is_an_end(tables: Tables) -> None:
    put(tables, row())
    assert put(tables, row(status="ABORTED")) is True
    assert read(tables).rows[0].status == "ABORTED"


@pytest.mark.parametrize("newest_first", [True, False])
def test_pages_go_through_every_row_once_at_one_query_each(many: Tables, newest_first: bool) -> None:
    client = Counting(many.client)
    names: list[str] = []
    sizes: list[int] = []
    bound: dict[str, str] = {}
    while True:
        page = list_executions(client, many.control, "words", newest_first=newest_first, limit=50, **bound)
        names += [each.name for each in page.rows]
        sizes.append(len(page.rows))
        if page.next_key is None:
            break
        bound = {"before" if newest_first else "after": page.next_key}
    expected = [f"words-stream-{number}" for number in range(COUNT)]
    assert names == (expected[::-1] if newest_first else expected)
    assert sizes == [50, 50, 50, 50, 30]
    assert client.calls == ["query"] * 5


def test_a_page_reads_little_more_than_it_shows(many: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    scanned: list[int] = []
    original = many.client.query

    def query(**request: Any) -> Any:
        answer = original(**request)
        scanned.append(answer["ScannedCount"])
        return answer

    monkeypatch.setattr(many.client, "query", query)
    read(many, limit=20)
    assert scanned == [23]


def test_the_last_page_says_that_it_is_the_last(many: Tables) -> None:
    assert read(many, limit=COUNT).next_key is None
    assert read(many, limit=COUNT - 1).next_key == row(1).key


def test_bounds_are_left_out_themselves_and_may_be_times(many: Tables) -> None:
    def numbers(**bounds: Any) -> list[int]:
        return [int(each.name.rpartition("-")[2]) for each in read(many, newest_first=False, **bounds).rows]

    assert numbers(after=row(3).key, before=row(6).key) == [4, 5]
    assert numbers(after=row(COUNT - 2).key) == [COUNT - 1]
    assert numbers(before=row(2).key) == [0, 1]
    assert numbers(after=started(3), before=started(5)) == [3, 4]
    assert numbers(after="2026-07-28T12:03:45", before="2026-07-28T12:03:48") == [225, 226, 227]
    assert numbers(after=row(6).key, before=row(3).key) == []
    assert numbers(after="2027") == []


def test_where_dynamodb_cuts_a_page_at_a_megabyte_the_next_one_goes_on(tables: Tables) -> None:
    for number in range(12):
        put(tables, row(number, status="FAILED", cause="x" * 200_000))
    names: list[str] = []
    page = read(tables, limit=12)
    assert 0 < len(page.rows) < 12
    while page.next_key is not None:
        names += [each.name for each in page.rows]
        page = read(tables, limit=12, before=page.next_key)
    names += [each.name for each in page.rows]
    assert names == [f"words-stream-{number}" for number in range(11, -1, -1)]


def test_a_page_of_no_rows_is_refused(tables: Tables) -> None:
    with pytest.raises(ValueError, match="a page of 0 rows"):
        read(tables, limit=0)


def test_a_row_with_its_key_only_is_read_with_defaults(tables: Tables) -> None:
    tables.put_control("EXECUTIONS#words", row().key, status=text("ABORTED"))
    assert read(tables).rows == (row(status="ABORTED", arn=""),)


def test_a_row_goes_into_the_history_of_its_own_collection_alone(tables: Tables) -> None:
    with pytest.raises(ValueError, match="a row of words in the history of lines"):
        tables.control_table.history("lines").put(row())


def idle(number: int, started_at: datetime, **changes: Any) -> ExecutionRow:
    ended = (started_at + timedelta(milliseconds=300)).isoformat()
    values = {"status": "SUCCEEDED", "ended_at": ended, "outcome": "nothing_pending", "trigger": "schedule"}
    return row(number, started_at=started_at.isoformat(), **{**values, **changes})


NOON = datetime(2026, 7, 29, 12, 0, tzinfo=UTC)


def test_idle_executions_are_one_row_a_day_after_an_hour_and_others_keep_theirs(tables: Tables) -> None:
    history = tables.control_table.history("words")
    for number in range(150):  # one every ten minutes: a day and an hour, the last ones within the hour
        history.put(idle(number, NOON - timedelta(minutes=10 * (149 - number))))
    published = idle(500, NOON - timedelta(hours=7), outcome="published", version=7)
    running = row(501, started_at=(NOON - timedelta(hours=6)).isoformat())
    failed = idle(502, NOON - timedelta(hours=5), status="FAILED", outcome=None, error="ShardInvalid")
    for one in (published, running, failed):
        history.put(one)
    folded = [history.fold_idle(NOON) for _ in range(3)]
    assert sum(folded) == 142  # the first good end after the failure stays: it tells that the failure is healed
    assert folded[-1] == 0
    left = history.page(limit=500).rows
    assert {published.name, running.name, failed.name} <= {one.name for one in left}
    assert len(left) == 3 + 7 + 1
    assert [(day.day, day.executions) for day in history.idle_days(9)] == [("2026-07-29", 65), ("2026-07-28", 77)]
    assert [day.day for day in history.idle_days(9, first="2026-07-29")] == ["2026-07-29"]
    assert [day.day for day in history.idle_days(9, last="2026-07-28")] == ["2026-07-28"]
    assert history.idle_days(9, first="2026-07-30", last="2026-07-29") == []


def test_idle_rows_are_looked_for_from_time_to_time_only(tables: Tables) -> None:
    counting = Counting(tables.client)
    history = History(counting, tables.control, "words")  # type: ignore[arg-type]
    history.put(idle(1, NOON - timedelta(hours=2)))
    assert history.fold_idle(NOON) == 1
    counting.calls.clear()
    for minutes in range(10):
        assert history.fold_idle(NOON + timedelta(minutes=minutes)) == 0
    assert counting.calls == ["get_item"] * 10
    history.put(idle(2, NOON - timedelta(minutes=59)))
    assert history.fold_idle(NOON + timedelta(minutes=11)) == 1
    assert [day.executions for day in history.idle_days(1)] == [2]


def test_of_two_that_fold_the_same_rows_one_counts_them(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    history = tables.control_table.history("words")
    for number in range(5):
        history.put(idle(number, NOON - timedelta(hours=2, seconds=number)))
    real = tables.client.transact_write_items
    folded: list[int] = []

    def beaten(**request: Any) -> Any:
        monkeypatch.undo()
        folded.append(history.fold_idle(NOON))
        return real(**request)

    monkeypatch.setattr(tables.client, "transact_write_items", beaten)
    assert (history.fold_idle(NOON), folded) == (0, [5])
    assert [day.executions for day in history.idle_days(1)] == [5]


def test_an_end_that_is_told_before_its_start_is_no_running_execution_for_ever(tables: Tables) -> None:
    history = tables.control_table.history("words")
    one = idle(1, NOON - timedelta(minutes=5))
    assert history.put(one)
    assert history.put(row(1, started_at=one.started_at)) is False
