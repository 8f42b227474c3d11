"""What waits: receipts with changes that no snapshot has, runs that were refused, and noted ones."""

from flask import Blueprint, g, render_template

from console.web.site import collections, seen, site
from operate.models import parse_time

page = Blueprint("waiting", __name__)

SHOWN = 200
"""How many pending receipts of a collection are listed, the longest waiting first."""


@page.get("/pending")
def show() -> str:
    stack = site().stack
    pending = {c: seen(("pending", c), 2, lambda c=c: stack.collections.pending(c)) for c in collections()}  # type: ignore[misc]
    refused = seen("quarantine", 2, stack.quarantine.runs)
    noted = seen("notes", 2, stack.quarantine.notes)
    heads = {c: seen(("head", c), 2, lambda c=c: stack.collections.head(c)) for c in collections()}  # type: ignore[misc]
    return render_template(
        "waiting.html",
        pending=pending,
        refused=refused,
        noted=noted,
        heads=heads,
        shown=SHOWN,
        ages=lambda text: (g.now - (parse_time(text) or g.now)).total_seconds(),
        live=3,
    )
