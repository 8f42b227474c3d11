"""What runs is seen while it runs, and a person can start and stop it."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect
from receipt_dynamo_stream.control.table import ControlTable
from receipt_dynamo_stream.keys import ReceiptId

from ..operator.desk import Desk
from .troubles import frozen

pytestmark = pytest.mark.browser


def state(page: Page, name: str) -> Locator:
    """A state of the picture."""
    return page.locator(f'.graph-node:has(text.name:text-is("{name}"))')


def looks(status: str) -> re.Pattern[str]:
    return re.compile(rf"\bis-{status}\b")


def test_a_change_makes_an_execution_appear_whose_states_turn_green_by_themselves(desk: Desk, page: Page) -> None:
    page.goto("/executions")
    expect(page.get_by_text("No executions yet")).to_be_visible()
    page.evaluate("window.mine = true")
    desk.write(desk.receipts[0])
    with frozen(desk.stack, "MergeDeltas") as name:
        row = page.locator(f"#row-{name}")
        expect(row).to_contain_text("running")
        expect(row).to_contain_text("stream")
        assert page.evaluate("window.mine"), "the list was loaded again"
        row.get_by_role("link").first.click()
        expect(state(page, "MergeDeltas")).to_have_class(looks("running"))
        expect(state(page, "PlanCompaction")).to_have_class(looks("succeeded"))
        expect(state(page, "CommitSnapshot")).to_have_class(looks("not-reached"))
        page.evaluate("window.mine = true")
    for name in ("MergeDeltas", "ValidateShard", "CommitSnapshot", "SwapPointer", "SettleChanges"):
        expect(state(page, name)).to_have_class(looks("succeeded"))
    expect(page.get_by_role("heading", level=1)).to_contain_text("published")
    assert page.evaluate("window.mine"), "the execution's page was loaded again"


def test_a_person_sees_the_plan_before_starting_it_and_then_what_it_published(desk: Desk, page: Page) -> None:
    receipt = desk.receipts[0]
    desk.stack.poller.pause()  # nobody else may start anything
    try:
        desk.write(receipt)
        pending = ControlTable(desk.stack.client("dynamodb"), desk.stack.connection.control_table).pending("words")
        pending.mark(
            {ReceiptId(receipt.image_id, receipt.receipt_id): {"a test"}},
            now="2026-01-01T00:00:00+00:00",
            new_token=lambda: "once",
        )
        page.goto("/")
        page.get_by_role("link", name="Start…").click()
        page.get_by_label("Collection").select_option("words")
        page.get_by_role("button", name="Go on").click()
        expect(page.get_by_text("would merge 1 receipt with 1 run")).to_be_visible()
        assert [one.input["mode"] for one in desk.stack.executions.find()] == ["plan"]
        page.get_by_role("button", name="Start the compaction").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("published")
        expect(page.locator("#merged")).to_contain_text(receipt.image_id)
        assert desk.verdict().equal
    finally:
        desk.stack.poller.resume()


def test_a_stopped_execution_shows_the_reason_that_was_written_down(desk: Desk, page: Page) -> None:
    desk.write(desk.receipts[0])
    with frozen(desk.stack, "MergeDeltas") as name:
        page.goto(f"/executions/{name}")
        page.get_by_role("link", name="Stop").click()
        page.get_by_role("button", name="Stop it").click()
        assert page.url.endswith(f"/do/stop?execution={name}"), "it was stopped without a reason"
        page.get_by_label("Why it is stopped").fill("the labels of that day are wrong")
        page.get_by_role("button", name="Stop it").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("aborted")
        expect(page.locator("#failure")).to_contain_text("the labels of that day are wrong")
    page.goto("/executions")
    expect(page.locator(f"#row-{name}")).to_contain_text("the labels of that day are wrong")
