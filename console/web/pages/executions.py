"""The list of executions, filtered by its address and paged by time."""

from dataclasses import replace
from datetime import UTC, datetime

from flask import Blueprint, abort, render_template, request, url_for
from receipt_dynamo_stream.grain import is_collection

from console.web.site import collections, seen, site
from operate.history import Wanted
from operate.models import MODES, RESULTS, TRIGGERS, UNHEALED, parse_time

page = Blueprint("executions", __name__)


@page.get("/executions")
def show() -> str:
    wanted, before = wanted_by_address(), request.args.get("before") or None
    history = site().stack.executions.history
    listed = seen(("executions", wanted, before), 1.0, lambda: history.page(wanted, before))
    failures = None
    if request.args.get("first") == "failures" and not before and wanted.result is None:
        unhealed = replace(wanted, result=UNHEALED)
        failures = seen(("failures", unhealed), 2.0, lambda: history.page(unhealed))
    kept = {name: value for name, value in request.args.items() if value and name != "before"}
    return render_template(
        "executions.html",
        wanted=wanted,
        listed=listed,
        failures=failures,
        idle_days=seen(
            ("idle", wanted, before, listed.older), 60, lambda: history.idle_days(wanted, before, listed.older)
        ),
        before=before,
        older=url_for(".show", **kept, before=listed.older) if listed.older else None,
        newest=url_for(".show", **kept),
        with_idle=url_for(".show", **{**kept, "idle": "1"}),
        choices={"result": (UNHEALED, *RESULTS), "trigger": TRIGGERS, "mode": MODES, "collection": collections()},
        live=None if before else 1,
    )


def wanted_by_address() -> Wanted:
    """The filters that the address names. Aborts with 400 for one that does not exist."""
    return Wanted(
        collection=_collection(),
        result=_choice("result", (UNHEALED, *RESULTS)),
        trigger=_choice("trigger", TRIGGERS),
        mode=_choice("mode", MODES),
        text=request.args.get("text", "").strip(),
        since=_moment("since"),
        until=_moment("until"),
        idle=request.args.get("idle") == "1",
    )


def _collection() -> str | None:
    """Also a generation that is not kept up any more: its history stays. Raises CollectionNotFound."""
    name = request.args.get("collection") or None
    if name is None or is_collection(name):
        return name and site().stack.collections.known(name)
    return _choice("collection", collections())


def _choice(name: str, choices: tuple[str, ...]) -> str | None:
    given = request.args.get(name) or None
    if given is not None and given not in choices:
        abort(400, f"There is no {name} {given}: choose one of {', '.join(choices)}.")
    return given


def _moment(name: str) -> datetime | None:
    """A time in UTC, as a browser's field of type datetime-local gives it."""
    try:
        moment = parse_time(request.args.get(name))
    except ValueError:
        abort(400, f"{name} is no time: write it like 2026-07-28T12:00.")
    return moment.astimezone(UTC) if moment else None
