"""One receipt: when each of its changes came, which version has it, what waits, and which readers can see it."""

from flask import Blueprint, g, render_template, request
from receipt_dynamo_stream.keys import ReceiptId

from console.web.site import collections, seen, site
from operate.receipts import parse_receipt
from operate.whereabouts.where import where_is
from operate.whereabouts.wording import of_collection, of_receipt

page = Blueprint("receipt", __name__, url_prefix="/receipts")


@page.get("/<image_id>/<int:receipt_id>")
def show(image_id: str, receipt_id: int) -> str:
    return _page(ReceiptId(image_id, receipt_id))


@page.get("/")
def find() -> str:
    """The same, of a receipt that was typed, or whose image has an id that can be no part of a path."""
    return _page(parse_receipt(request.args.get("receipt", "").strip()))


def _page(receipt: ReceiptId) -> str:
    here = site()
    found = seen(("where", receipt.key), 4, lambda: where_is(here.stack, here.contents, receipt, collections()))
    return render_template(
        "receipt.html",
        receipt=receipt,
        found=found,
        of_receipt=of_receipt(found),
        sentences={where.collection: of_collection(where, g.now) for where in found.collections},
        live=5 if any(where.pending for where in found.collections) else None,
    )
