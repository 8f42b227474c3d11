"""Versions in the browser: what is in one, what differs between two, search, and back to an older one and on again."""

import pytest
from playwright.sync_api import Page, expect

from local.demo.samples.model import Label, Receipt, Word
from operate.stack import Stack

from ..operator.desk import Desk
from .troubles import announce_broken

pytestmark = [pytest.mark.browser, pytest.mark.slow]  # `make test-browser` has them


def test_a_rollback_pauses_and_a_resume_loses_nothing(desk: Desk, page: Page) -> None:
    kept, deleted, late, new_while_paused, *_ = desk.receipts
    desk.write(kept, deleted)
    first = desk.settle_down()
    before = desk.published()
    desk.producer.delete_receipt(deleted)
    desk.write(late)
    desk.settle_down()

    page.goto("/snapshots/words")
    page.locator("li").filter(has_text=f"Version {first} ").get_by_role("link", name="Roll back").click()
    expect(page.get_by_text("stays paused afterwards")).to_be_visible()
    page.get_by_role("button", name="Roll back").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("rolled back")
    assert desk.published() == before
    desk.write(new_while_paused)
    page.goto("/")
    card = page.locator("#card-words")
    expect(card.get_by_role("heading", level=2)).to_contain_text("look")
    expect(card).to_contain_text("Paused: changes collect, nothing is published")
    expect(page.locator("#card-lines")).to_contain_text("healthy")

    card.get_by_role("link", name="Resume").click()
    page.get_by_role("button", name="Resume it").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("published")
    desk.settle_down()
    page.goto("/")
    expect(card).to_contain_text("Every change is in version")
    assert [desk.verdict(collection).differences for collection in ("words", "lines")] == [(), ()]


def test_a_version_shows_its_records_search_finds_them_and_comparing_tells_what_became_of_a_label(
    desk: Desk, page: Page
) -> None:
    receipt = desk.receipts[0]
    label = next(one for one in receipt.labels if one.status == "VALID" and not word_of(receipt, one).noise)
    text = word_of(receipt, label).text
    desk.write(receipt)
    older = desk.settle_down()
    desk.producer.relabel(receipt, label, "LOYALTY_ID")
    newer = desk.settle_down()

    page.goto("/snapshots/words")
    page.get_by_role("link", name=str(older), exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(f"Version {older} of words")
    page.get_by_label("Text in id or document").fill(text)
    page.get_by_role("button", name="Filter").click()
    records = page.locator("#records tbody")
    expect(records).to_contain_text(text)
    expect(records).to_contain_text(label.label)

    page.get_by_role("link", name="Search it").click()
    page.get_by_label("Text", exact=True).fill(text)
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("heading", level=2)).to_contain_text(f"of version {older}, nearest first")
    expect(page.locator("tbody").get_by_text(text, exact=True).first).to_be_visible()

    page.goto(f"/snapshots/words/compare?older={older}&newer={newer}")
    row = page.locator("tr").filter(has_text="valid_labels_array")
    expect(row.locator("del")).to_contain_text(label.label)
    expect(row.locator("ins")).to_contain_text("LOYALTY_ID")


def test_a_corrupt_delta_waits_with_its_reason_until_it_is_dropped(desk: Desk, page: Page) -> None:
    receipt = desk.receipts[0]
    desk.write(receipt)
    desk.settle_down()
    page.goto("/pending")
    expect(page.get_by_text("Empty: no run was refused")).to_be_visible()
    desk.stack.poller.pause()
    run_id = announce_broken(desk.stack, desk.producer, receipt)
    desk.stack.poller.resume()
    row = page.locator(f"tr[id^='run-words-{run_id}-']")
    expect(row).to_contain_text("DeltaCorrupt")
    row.get_by_role("link", name="Drop").click()
    expect(page.get_by_text("It is given up for good")).to_be_visible()
    page.get_by_label("Why it is given up").fill("the upload was cut off")
    page.get_by_role("button", name="Drop it").click()
    expect(page.get_by_role("status").filter(has_text="is dropped")).to_be_visible()
    expect(row).to_have_count(0)
    Stack(desk.stack.connection).executions.start("words")  # which the schedule would: its receipt is marked
    desk.settle_down()
    assert desk.verdict().equal
    item = desk.stack.client("dynamodb").get_item(
        TableName=desk.stack.connection.receipts_table,
        Key={"PK": {"S": receipt.pk}, "SK": {"S": f"{receipt.sk}#COMPACTION_RUN#{run_id}"}},
    )["Item"]
    assert "the upload was cut off" in str(item)


def word_of(receipt: Receipt, label: Label) -> Word:
    return receipt.word(label.line_id, label.word_id)
