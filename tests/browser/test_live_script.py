"""The script that keeps pages live: it takes nothing away from a person, asks no more than it must, and says when it
cannot."""

from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from console.cli.web_command import serve
from console.web.server import ConsoleServer

from ..operator.desk import Desk
from .conftest import Open
from .troubles import frozen

pytestmark = pytest.mark.browser

HIDE = "hidden => Object.defineProperty(document, 'hidden', { configurable: true, get: () => hidden })"


def refreshes(page: Page, times: int = 2) -> None:
    """Wait until the page has asked for itself so often and got something new."""
    here = page.url
    for _ in range(times):
        with page.expect_response(lambda answer: answer.url == here and answer.status == 200):
            pass


def test_what_a_person_unfolded_and_typed_stays_while_the_page_goes_on(desk: Desk, page: Page) -> None:
    desk.write(desk.receipts[0])
    with frozen(desk.stack, "MergeDeltas") as name:
        page.goto("/executions")
        typed = page.get_by_label("Text in name or error")
        typed.fill("nothing is lost")
        page.get_by_label("Result").select_option("failed")
        refreshes(page)
        expect(typed).to_have_value("nothing is lost")
        expect(page.get_by_label("Result")).to_have_value("failed")

        page.goto(f"/executions/{name}")
        step = page.locator("details.step").filter(has_text="PlanCompaction")
        step.locator("> summary").click()
        expect(step.get_by_role("heading", name="Input")).to_be_visible()
        tree = step.locator("details.tree").first
        tree.locator("> summary").click()  # folded
        asked = []
        page.on("request", lambda request: asked.append(request.url) if "/steps/" in request.url else None)
        refreshes(page)
        expect(step.get_by_role("heading", name="Input")).to_be_visible()
        expect(tree).not_to_have_attribute("open", "")
        assert asked == [], "an unfolded step was loaded again"
    expect(page.get_by_role("heading", level=1)).to_contain_text("published")
    expect(step.get_by_role("heading", name="Input")).to_be_visible()


def test_a_hidden_tab_asks_nothing_until_it_is_seen_again(open_tab: Open) -> None:
    page = open_tab()
    page.clock.install()
    page.goto("/executions")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.resource_type == "fetch" else None)
    page.evaluate(HIDE, True)
    page.clock.run_for(120_000)
    assert asked == []
    page.evaluate(HIDE, False)
    with page.expect_request("**/executions"):
        page.clock.run_for(5_000)


def test_a_page_says_when_the_console_is_gone_asks_ever_less_often_and_recovers(
    desk: Desk, open_tab: Open, console: ConsoleServer
) -> None:
    page = open_tab(about="ERR_CONNECTION_REFUSED")
    page.clock.install()
    page.goto("/executions")
    said = page.locator("#state")
    console.stop()
    asked: list[str] = []
    page.on("requestfailed", lambda request: asked.append(request.url) if request.resource_type == "fetch" else None)
    for times in range(1, 7):
        with page.expect_event("requestfailed", lambda request: request.resource_type == "fetch"):
            page.clock.run_for(1_000 * min(2**times, 30))
        expect(said).to_contain_text("Not live")
    assert len(asked) == 6
    again = serve(desk.stack.connection, port=urlsplit(console.url).port)
    try:
        with page.expect_response("**/executions"):
            page.clock.run_for(31_000)
        expect(said).to_be_empty()
        desk.write(desk.receipts[0])
        page.clock.resume()
        expect(page.locator("tbody tr").first).to_be_visible()
    finally:
        again.stop()
