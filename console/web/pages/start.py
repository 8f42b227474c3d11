"""Starting an execution by hand: every mode of the form begins with what changes no record."""

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from receipt_chroma.folding import MOST_SHARDS
from receipt_dynamo_stream.grain import COLLECTIONS
from werkzeug.wrappers import Response

from console.web.actions.action import asked_collection
from console.web.site import refuse_when_reading_only, site
from operate.models import name_of
from operate.wording import short_name

page = Blueprint("start", __name__, url_prefix="/start")


@page.get("")
def form() -> str:
    """With `mode` in the address it is the one that is chosen."""
    return render_template(
        "start.html",
        chosen=request.args.get("collection", COLLECTIONS[-1]),
        mode=request.args.get("mode", "compact"),
        most_shards=MOST_SHARDS,
    )


@page.post("")
def begin() -> Response:
    refuse_when_reading_only()
    collection, mode = request.form.get("collection", ""), request.form.get("mode", "")
    asked_collection(collection)
    stack = site().stack
    if mode == "compact":
        name = name_of(stack.executions.start(collection, "plan"))
        notice = "plans; nothing is changed by it"
    elif mode == "verify":
        current = stack.versions.find(collection, None)
        name = name_of(stack.versions.verify(collection, current.snapshot_id))
        notice = f"verifies version {current.version}"
    elif mode == "fold":
        name = name_of(stack.versions.fold(collection))
        notice = "folds every shard that has a segment; no record changes"
    elif mode == "reshard":
        return redirect(
            url_for("actions.ask", name=mode, collection=collection, shards=request.form.get("shards", "")), 303
        )
    elif mode == "expire":
        name = name_of(stack.versions.expire(collection, apply=False))
        notice = "says what would go, and deletes nothing"
    else:
        abort(400, f"The form cannot start mode {mode or 'of no name'}.")
    site().watch.forget()
    flash(f"{short_name(name)} {notice}.")
    return redirect(url_for(".planned" if mode == "compact" else "execution.show", name=name), 303)


@page.get("/<name>")
def planned(name: str) -> str:
    """What a compaction would do, as an execution of mode plan found out."""
    one = site().stack.executions.describe(name)
    is_planned = one.status == "succeeded" and one.outcome == "planned"
    preview = site().stack.executions.preview(one) if is_planned else None
    return render_template("planned.html", one=one, preview=preview, live=1 if one.status == "running" else None)
