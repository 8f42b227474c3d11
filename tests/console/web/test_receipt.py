"""A receipt's page, and the links that lead to it."""

import html
import re

import pytest
from markupsafe import escape
from receipt_dynamo_stream.keys import ReceiptId

from operate.stack import Stack
from operate.wording import inert

from ...operate.contents.test_merged import A as PLANNED
from ...operate.contents.test_merged import Left, plan_of, report_of
from ...toy_stack.toy import ToyStack
from .conftest import Visitor
from .test_odd_ids import ODD


def link_to(receipt: ReceiptId, page: str) -> str:
    """The address of a receipt's page, as another page has it in the row that names it."""
    title = re.escape(str(escape(inert(receipt.key))))
    link = re.search(rf'href="(/receipts/[^"]+)" title="{title}"', page)
    assert link is not None
    return html.unescape(link[1])


@pytest.mark.parametrize("odd", ["3f52804b", "..", *(one.replace("#", "") for one in ODD)])
def test_what_waits_leads_to_its_receipts_whatever_they_are_called(visitor: Visitor, stack: ToyStack, odd: str) -> None:
    receipt = ReceiptId(odd, 10_000)
    stack.control.pending("words").mark(
        {receipt: ["INSERT RECEIPT"]}, now="2026-07-28T12:00:00+00:00", new_token=lambda: "once"
    )
    page = visitor.open(link_to(receipt, visitor.open("/pending")))
    assert "INSERT RECEIPT" in page
    assert 'data-live="5"' in page, "what waits is looked at again"
    assert "<script>alert" not in page


def test_a_version_leads_to_the_receipts_that_it_brought_and_their_pages_say_how(
    visitor: Visitor, stack: ToyStack
) -> None:
    left = Left(stack)
    plan = left.plan(plan_of(PLANNED, version=2))
    report = report_of(plan, 0)
    left.reports(report)
    left.version(plan, report)
    page = visitor.open(link_to(PLANNED, visitor.open("/snapshots/words/2")))
    changes = page[page.index('id="words"') :]
    assert 'href="/snapshots/words/2"' in changes
    assert 'title="3 added"' in changes
    assert f'href="/executions/{plan.execution}"' in changes
    assert "data-live" not in page


def test_a_refused_run_is_told_and_leads_to_the_quarantine(visitor: Visitor, stack: ToyStack) -> None:
    stack.quarantine("words", "7b1f7c1e")
    stack.dynamodb.update_item(
        TableName=stack.connection.receipts_table,
        Key={"PK": {"S": "IMAGE#aaaa"}, "SK": {"S": "RECEIPT#00001#COMPACTION_RUN#7b1f7c1e"}},
        UpdateExpression="SET words_delta_prefix = :prefix",
        ExpressionAttributeValues={":prefix": {"S": "words/delta/7b1f7c1e/"}},
    )
    page = visitor.open(link_to(ReceiptId("aaaa", 1), visitor.open("/pending")))
    assert "DeltaCorrupt: the footer is cut off" in page
    assert 'href="/pending#quarantine"' in page


def test_a_receipt_that_nothing_knows_is_not_found(visitor: Visitor, stack: ToyStack) -> None:
    assert "no receipt aaaa/1" in html.unescape(visitor.open("/receipts/aaaa/1", 404))
    assert Stack(stack.connection).collections.pending("words") == [], "looking writes nothing"


def test_a_receipt_is_looked_for_by_what_a_person_types(visitor: Visitor, stack: ToyStack) -> None:
    stack.receipt("aaaa", 1)
    assert "/receipts/" in visitor.open("/pending").split("<form")[1]
    assert "IMAGE#aaaa#RECEIPT#00001" in visitor.open("/receipts/?receipt=aaaa/1+")
    assert "give IMAGE/RECEIPT, such as" in visitor.open("/receipts/?receipt=aaaa", 409)
