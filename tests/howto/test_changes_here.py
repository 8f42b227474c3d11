"""The same pages to their end: their tests, and the whole machine with the change, in a copy."""

import json
import re
from pathlib import Path

import pytest

from local.aws.executions import wait_until
from tests.console.cli.running import Up, up

from .pages import Desk, checkout, commands, up_options

pytestmark = pytest.mark.slow


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return checkout(tmp_path)


def settled(running: Up, collection: str = "words") -> int:
    """Until nothing of a collection waits, and something is published; how many records."""

    def is_settled() -> int | None:
        status = running.stack.collections.status(collection)
        return status.records if status.version and not status.pending else None

    return wait_until(is_settled, 300, f"{collection} is not published")


def found(desk: Desk, query: str) -> int:
    return len(json.loads(desk.type(f"{query} --json"))["hits"])


def test_records_from_before_get_a_new_key_by_reconcile_and_not_before(desk: Desk) -> None:
    page = "new-metadata-key.md"
    desk.save(page)
    first, status, price, tests, red, rule, green, second, reconcile, query = commands(page)
    with up(desk.folder, *up_options(first), environment=desk.environment) as running:
        settled(running)
        desk.type(status)
        desk.type(price)
        assert not found(desk, query)
    desk.type(tests)
    assert "KeyError: 'price_level'" in desk.type(red, code=1)
    desk.type(rule)
    assert "1 passed" in desk.type(green)
    with up(desk.folder, *up_options(second), environment=desk.environment) as running:
        assert not found(desk, query)
        desk.type(reconcile)
        settled(running)
        assert found(desk, query)


def test_a_new_entity_wakes_the_machine_and_is_on_the_records(desk: Desk) -> None:
    page = "new-entity.md"
    desk.save(page)
    applied, _table, *tests, make, total, history, query = commands(page)
    desk.type(applied)
    for line in tests:
        assert re.search(r"\d+ passed", desk.type(line))
    with up(desk.folder, *up_options(make), environment=desk.environment) as running:
        settled(running)
        assert not found(desk, query)
        desk.type(total)
        wait_until(lambda: found(desk, query) or None, 300, "the totals are not published")
        desk.type(history)


def test_a_third_collection_is_published_and_searched_by_the_same_commands(desk: Desk) -> None:
    page = "third-collection.md"
    desk.save(page)
    applied, _table, *tests, make, quarantine, sections, status, query = commands(page)
    desk.type(applied)
    for line in tests:
        assert re.search(r"\d+ passed", desk.type(line))
    with up(desk.folder, *up_options(make), environment=desk.environment) as running:
        settled(running)
        print(desk.type(quarantine))
        desk.type(sections)
        records = settled(running, "sections")
        assert f"{records}" in desk.type(status)
        assert found(desk, query) == 3
