"""The list of executions over ten thousand rows: a page, a filter and a search by name ask for little."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, cast

import pytest
from receipt_dynamo_stream.attributes import number, string
from receipt_dynamo_stream.control.table import ControlTable

from operate.history import History, Wanted
from operate.models import UNHEALED, Execution, listed_execution
from operate.services import Services
from operate.state_machine import StateMachine

START = datetime(2026, 7, 28, tzinfo=UTC)
ROWS = 10_000
PAGE_ROWS = 1_800
"""So many rows of an execution are a megabyte, what DynamoDB gives at most."""

Say = Callable[[int], dict[str, Any]]


class LongTable:
    """A client of a control table with ten thousand EXECUTIONS rows, of `words` only; `say` gives what a row says."""

    def __init__(self, say: Say) -> None:
        self.requests: Counter[str] = Counter()
        self._items = _items(say)
        self.folded_until = ""

    def drop_newest(self, count: int) -> None:
        """These were idle, and are counted by day."""
        self._items = self._items[:-count]

    def query(self, **asked: Any) -> dict[str, Any]:
        self.requests["query"] += 1
        values = {name: value["S"] for name, value in asked["ExpressionAttributeValues"].items()}
        if values[":pk"] != "EXECUTIONS#words":
            return {"Items": []}
        after, before = values.get(":after", ""), values.get(":before", "~")
        found = [item for item in self._items if after < item["SK"]["S"] < before]
        if not asked["ScanIndexForward"]:
            found.reverse()
        page = found[: min(asked["Limit"], PAGE_ROWS)]
        return {"Items": page, **({"LastEvaluatedKey": {"SK": page[-1]["SK"]}} if len(found) > len(page) else {})}

    def get_item(self, **_: Any) -> dict[str, Any]:
        self.requests["get"] += 1
        return {"Item": {"until": string(self.folded_until)}} if self.folded_until else {}


@lru_cache
def _items(say: Say) -> list[dict[str, Any]]:
    return [_item(place, say(place)) for place in range(ROWS)]


def _item(place: int, said: dict[str, Any]) -> dict[str, Any]:
    started = (START + timedelta(seconds=place)).isoformat()
    name = f"words-stream-{place:032x}"
    values = {"arn": f"arn:execution:compaction:{name}", "status": "SUCCEEDED", "ended_at": started, **said}
    key = {"PK": string("EXECUTIONS#words"), "SK": string(f"{started}#{name}")}
    typed = {name: number(value) if isinstance(value, int) else string(value) for name, value in values.items()}
    return {**key, **typed, "name": string(name), "started_at": string(started)}


@dataclass
class Machine:
    """Step Functions as it lists the newest; describing one is counted."""

    listed: list[Execution]

    def newest_and_running(self) -> list[Execution]:
        return self.listed

    def describe(self, _arn: str) -> dict[str, Any]:
        raise AssertionError("every row is as Step Functions says")


@dataclass
class Few:
    control: ControlTable

    def now(self) -> datetime:
        return START + timedelta(seconds=ROWS)


def history_of(say: Say) -> tuple[History, LongTable]:
    table = LongTable(say)
    control = ControlTable(cast("Any", table), "control")
    newest = [
        listed_execution(
            {
                "executionArn": f"arn:execution:compaction:words-stream-{place:032x}",
                "name": f"words-stream-{place:032x}",
                "status": say(place).get("status", "SUCCEEDED"),
                "startDate": START + timedelta(seconds=place),
                "stopDate": START + timedelta(seconds=place),
            }
        )
        for place in range(ROWS - 1, ROWS - 101, -1)
    ]
    machine = Machine(newest)
    return History(cast("Services", Few(control)), cast("StateMachine", machine)), table


SAYS: dict[str, Say] = {
    "all published": lambda _place: {"outcome": "verified"},
    "all idle": lambda _place: {"outcome": "nothing_pending"},
    "all failed": lambda _place: {"status": "FAILED", "error": "ShardInvalid"},
    "every second one failed": lambda place: (
        {"status": "FAILED", "error": "ShardInvalid"} if place % 2 else {"outcome": "unchanged"}
    ),
}
ASKED = {
    "the newest": (Wanted(), None),
    "of one collection": (Wanted(collection="words"), None),
    "a page in the middle": (Wanted(), f"{(START + timedelta(seconds=5_000)).isoformat()}"),
    "what nobody made good": (Wanted(result=UNHEALED), None),
    "what is not there": (Wanted(text="nowhere"), None),
    "idle ones too": (Wanted(idle=True), None),
}


@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize("rows", SAYS)
def test_a_page_over_ten_thousand_executions_asks_for_little(rows: str, asked: str) -> None:
    history, table = history_of(SAYS[rows])
    wanted, before = ASKED[asked]
    history.page(wanted, before)
    assert table.requests.total() <= 18, table.requests


def test_what_succeeded_before_idle_rows_were_folded_and_has_no_row_is_not_described_again() -> None:
    history, table = history_of(SAYS["all published"])
    table.drop_newest(30)
    table.folded_until = (START + timedelta(seconds=ROWS)).isoformat()
    assert history.page(Wanted()).rows[0].execution.name == f"words-stream-{ROWS - 31:032x}"
    table.folded_until = ""
    with pytest.raises(AssertionError, match="as Step Functions says"):
        history.page(Wanted())


def test_an_execution_is_found_by_name_among_the_newest_with_few_questions() -> None:
    history, table = history_of(SAYS["all published"])
    assert history.find(f"words-stream-{ROWS - 1_900:032x}") is not None
    assert history.find("words-stream-nowhere") is None
    assert table.requests["query"] <= 20


@pytest.mark.slow
def test_a_failure_is_healed_by_the_same_one_whichever_page_it_is_on() -> None:
    history, _ = history_of(
        lambda place: {"outcome": "published"} if place in (ROWS - 20, ROWS - 500) else {"status": "FAILED"}
    )
    healers: dict[str, str | None] = {}
    before: str | None = None
    for _ in range(13):
        page = history.page(Wanted(), before)
        healers |= {row.execution.name: row.healed_by and row.healed_by.name for row in page.rows}
        before = page.older
    assert healers[f"words-stream-{ROWS - 5:032x}"] is None
    assert healers[f"words-stream-{ROWS - 21:032x}"] == f"words-stream-{ROWS - 20:032x}"
    assert healers[f"words-stream-{ROWS - 300:032x}"] == f"words-stream-{ROWS - 20:032x}"
    assert healers[f"words-stream-{ROWS - 501:032x}"] == f"words-stream-{ROWS - 500:032x}"
    for name, healer in healers.items():
        one = history.find(name)
        assert one is not None
        alone = history.healed_by(replace(one))
        assert (alone.name if alone else None) == healer, "as the page of the execution says it"
