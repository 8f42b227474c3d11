"""Starting an execution by hand: every mode of the form begins with what changes nothing."""

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from receipt_dynamo_stream.names import COLLECTIONS
from werkzeug.wrappers import Response

from console.web.site import refuse_when_reading_only, site
from operate.wording import short_name

page = Blueprint("start", __name__, url_prefix="/start")


@page.get("")
def form() -> str:
    return render_template("start.html", chosen=request.args.get("collection", COLLECTIONS[-1]))


@page.post("")
def begin() -> Response:
    refuse_when_reading_only()
    collection, mode = request.form.get("collection", ""), request.form.get("mode", "")
    if collection not in COLLECTIONS:
        abort(400, f"Which collection? One of {', '.join(COLLECTIONS)}.")
    api = site().api
    if mode == "compact":
        name, notice = _name(api.start(collection, "plan")), "plans; nothing is changed by it"
    elif mode == "verify":
        current = api.version(collection, None)
        name = _name(api.start(collection, "verify", snapshot_id=current.snapshot_id))
        notice = f"verifies version {current.version}"
    elif mode == "expire":
        name, notice = _name(api.start(collection, "expire", apply=False)), "says what would go, and deletes nothing"
    else:
        abort(400, f"The form cannot start mode {mode or 'of no name'}.")
    site().watch.forget()
    flash(f"{short_name(name)} {notice}.")
    return redirect(url_for(".planned" if mode == "compact" else "execution.show", name=name), 303)


@page.get("/<name>")
def planned(name: str) -> str:
    """What a compaction would do, as an execution of mode plan found out."""
    one = site().api.described(name).execution
    is_planned = one.status == "succeeded" and one.outcome == "planned"
    preview = site().api.preview(one) if is_planned else None
    return render_template("planned.html", one=one, preview=preview, live=1 if one.status == "running" else None)


def _name(arn: str) -> str:
    return arn.rpartition(":")[2]
