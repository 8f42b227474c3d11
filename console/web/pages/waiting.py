"""What waits: receipts with changes that no snapshot has, and runs that were refused."""

from flask import Blueprint, g, render_template
from receipt_dynamo_stream.names import COLLECTIONS

from console.web.site import seen, site
from operate.models import parse_time

page = Blueprint("waiting", __name__)

SHOWN = 200
"""How many pending receipts of a collection are listed, the longest waiting first."""


@page.get("/pending")
def show() -> str:
    stack = site().stack
    pending = {c: seen(("pending", c), 2, lambda c=c: stack.collections.pending(c)) for c in COLLECTIONS}  # type: ignore[misc]
    refused = seen("quarantine", 2, stack.quarantine.runs)
    heads = {c: seen(("head", c), 2, lambda c=c: stack.collections.head(c)) for c in COLLECTIONS}  # type: ignore[misc]
    return render_template(
        "waiting.html",
        pending=pending,
        refused=refused,
        heads=heads,
        shown=SHOWN,
        ages=lambda text: (g.now - (parse_time(text) or g.now)).total_seconds(),
        live=3,
    )
