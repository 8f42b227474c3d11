"""A recording is stepped through: by keys, buttons, the slider and an address; in the console, and from a file."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from .conftest import Open
from .looks import hard_to_read, misses_names, too_wide
from .troubles import complaints

pytestmark = pytest.mark.browser

LONE = Path(__file__).parents[2] / "docs/watch/late-commit-unguarded.html"


def at(page: Page, step: int) -> None:
    expect(page.locator("#step-where")).to_contain_text(f"Step {step} of ")
    assert page.url.endswith(f"#{step}")


def test_keys_and_buttons_step_forward_and_back(page: Page) -> None:
    page.goto("/watch")
    at(page, 1)
    for key, step in (("ArrowRight", 2), ("ArrowRight", 3), ("ArrowLeft", 2), ("c", 20), ("Home", 1)):
        page.keyboard.press(key)
        at(page, step)
    page.get_by_role("button", name="Forward").click()
    at(page, 2)
    page.get_by_role("button", name="Last").click()
    expect(page.locator("#step-says")).to_have_text("All rests, and every invariant holds.")
    expect(page.get_by_role("button", name="Forward")).to_be_disabled()
    page.get_by_label("Step", exact=True).fill("5")
    at(page, 5)


def test_an_address_leads_to_a_step_and_says_what_changed_in_it(page: Page) -> None:
    page.goto("/watch/publication#20")
    expect(page.locator("#step-says")).to_contain_text("CommitSnapshot moves HEAD from version 2 to 3")
    expect(page.locator(".world.is-new h2")).to_have_text("HEAD, in DynamoDB")
    page.goto("/watch/publication#23")
    expect(page.locator(".world.is-new h2")).to_have_text("What a reader sees now")


def test_it_plays_pauses_and_stops_at_the_end(open_tab: Open) -> None:
    page = open_tab()
    page.clock.install()
    page.goto("/watch/publication#1")
    expect(page.locator("#step-where")).to_contain_text("Step 1 of")
    page.keyboard.press(" ")
    page.clock.run_for(4_000)
    at(page, 3)
    page.get_by_role("button", name="Pause").click()
    page.clock.run_for(10_000)
    at(page, 3)
    page.get_by_role("button", name="Play").click()
    page.clock.run_for(200_000)
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    expect(page.locator("#step-says")).to_contain_text("every invariant holds")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_of_the_documents_plays_from_a_file_alone(browser: Browser, scheme: str) -> None:
    context = browser.new_context(color_scheme=scheme, viewport={"width": 800, "height": 900})  # type: ignore[arg-type]
    page = context.new_page()
    complained: list[str] = []
    complaints(page, complained)
    page.goto(LONE.as_uri())
    page.get_by_role("button", name="To the fault").click()
    expect(page.locator("#step-says")).to_contain_text("A fault strikes e2 CommitSnapshot")
    page.keyboard.press("End")
    expect(page.locator("#step-says")).to_contain_text("VersionsOnlyGrow is broken")
    expect(page.locator(".law.is-broken")).to_contain_text("VersionsOnlyGrow")
    assert [*misses_names(page), *hard_to_read(page), *too_wide(page), *complained] == []
    context.close()
