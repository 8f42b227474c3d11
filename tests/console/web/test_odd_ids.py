"""Ids that somebody chose to hurt, on pages: they are read, their links lead back to them, and that is all."""

import html
import re

import pytest
from receipt_dynamo_stream.keys import ReceiptId

from ...toy_stack.toy import ToyStack
from .conftest import Visitor

ODD = (
    "../../a/b?x=1&run=other#c",
    "ünï✓ %2F+",
    "\x1b[31m\x9b2J\u202edlrow",
    "'\"><script>alert(1)</script>",
    "x\r\nSet-Cookie: a=b",
    "{{ 7 * 7 }}{% raw %}",
)


@pytest.mark.parametrize("run_id", ODD)
def test_a_run_of_any_name_is_retried_and_dropped_by_its_links(visitor: Visitor, stack: ToyStack, run_id: str) -> None:
    quarantine = stack.quarantine_of("words")
    for action, fields in (("retry", {}), ("drop", {"reason": run_id})):
        stack.quarantine("words", run_id)
        link = re.search(rf'href="(/do/{action}\?[^"]+)"', visitor.open("/pending"))
        assert link is not None
        assert link[1].isascii()
        visitor.confirm(html.unescape(link[1]), **fields)
        assert quarantine.list() == []
    visitor.open("/pending")  # with the notice of what was done


@pytest.mark.parametrize("odd", ODD)
def test_a_page_has_odd_texts_as_texts_and_without_what_acts(visitor: Visitor, stack: ToyStack, odd: str) -> None:
    receipt = ReceiptId(odd.replace("#", ""), 1)
    stack.control.pending("words").mark({receipt: [odd]}, now="2026-07-28T12:00:00+00:00", new_token=lambda: "once")
    stack.quarantine_of("words").put(odd, receipt, odd, odd, "2026-07-28T12:00:00+00:00", order="1")
    stack.note("words", odd, odd, odd, image_id=receipt.image_id)
    page = visitor.open("/pending")
    assert "<script>alert" not in page
    assert not set(page) & set("\x1b\x9b\u202e\r")
    assert page.count("<tr") == 6
