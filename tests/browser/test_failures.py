"""A failed execution tells why, and is healed in two clicks, or a few keys."""

import pytest
from playwright.sync_api import Locator, Page, expect

from ..operator.desk import Desk
from .troubles import run_into_lost_shards

pytestmark = pytest.mark.browser

SHOWS_FOCUS = """
const one = document.activeElement, look = getComputedStyle(one), box = one.getBoundingClientRect();
const inside = one.querySelector(".box");
const framed = inside && parseFloat(getComputedStyle(inside).strokeWidth) >= 3;
const outlined = look.outlineStyle !== "none" && parseFloat(look.outlineWidth) >= 2;
return box.width > 4 && box.height > 4 && (outlined || framed);
"""


@pytest.fixture
def failed(desk: Desk) -> str:
    """An execution of `words` that failed; what it failed of has passed."""
    desk.write(desk.receipts[0])
    desk.settle_down()
    return run_into_lost_shards(desk, desk.receipts[1])


def test_a_failed_execution_tells_first_what_failed_and_is_healed_in_two_clicks(
    desk: Desk, page: Page, failed: str
) -> None:
    page.goto("/executions?result=unhealed")
    page.locator(f"#row-{failed}").get_by_role("link").first.click()
    failure = page.locator("#failure")
    expect(failure.get_by_role("heading")).to_contain_text("DownloadSnapshot: SnapshotDamaged")
    expect(failure.locator("> details").first).to_have_attribute("open", "")
    expect(failure).to_contain_text("plan_key")
    assert top(failure) < top(page.locator("#graph"))

    page.get_by_role("link", name="Re-run").click()
    page.get_by_role("button", name="Re-run it").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("published")

    page.goto("/executions")
    expect(page.locator(f"#row-{failed}")).to_contain_text("healed by")
    page.goto("/executions?result=unhealed")
    expect(page.get_by_text("No failure waits for anybody")).to_be_visible()
    desk.settle_down()
    assert desk.verdict().equal


def test_the_keyboard_alone_leads_from_the_overview_to_the_failure_and_heals_it(page: Page, failed: str) -> None:
    page.goto("/")
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    assert page.evaluate(f"() => {{ {SHOWS_FOCUS} }}")
    page.keyboard.press("Enter")
    tab_to(page, page.locator(f'.ticks a[href$="{failed}"]'))
    page.keyboard.press("Enter")
    expect(page.locator("#failure")).to_be_visible()
    tab_to(page, page.get_by_role("link", name="Re-run"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Re-run it")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("published")


def test_every_stop_of_the_keyboard_on_an_executions_page_can_be_seen(page: Page, failed: str) -> None:
    page.goto(f"/executions/{failed}")
    stops = 0
    page.keyboard.press("Tab")
    while page.evaluate("document.activeElement !== document.body"):
        assert page.evaluate(f"() => {{ {SHOWS_FOCUS} }}"), page.evaluate("document.activeElement.outerHTML")
        stops += 1
        page.keyboard.press("Tab")
        assert stops < 300
    assert stops > 20


def tab_to(page: Page, wanted: Locator) -> None:
    """Press Tab until it has the focus."""
    for _ in range(100):
        if wanted.evaluate("one => one === document.activeElement"):
            assert page.evaluate(f"() => {{ {SHOWS_FOCUS} }}")
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not lead to {wanted}")


def top(one: Locator) -> float:
    box = one.bounding_box()
    assert box is not None
    return box["y"]
