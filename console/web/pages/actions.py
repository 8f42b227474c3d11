"""Everything a person can do: each action first says what will happen, and happens when that is confirmed.

`GET /do/NAME?…` is the question, `POST` to the same address the answer. In read-only mode neither exists.
"""

from flask import Blueprint, abort, flash, redirect, render_template, request
from werkzeug.wrappers import Response

from console.web.actions import ACTIONS, Action
from console.web.site import refuse_when_reading_only, site

page = Blueprint("actions", __name__)

REASON_CHARACTERS = 500


@page.get("/do/<name>")
def ask(name: str) -> str:
    question = _action(name).ask(request.args.to_dict())
    return render_template("confirm.html", question=question, here=request.full_path.rstrip("?"))


@page.post("/do/<name>")
def do(name: str) -> Response:
    action, given = _action(name), request.args.to_dict()
    reason = request.form.get("reason", "").strip()[:REASON_CHARACTERS]
    if action.ask(given).asked.reason is not None and not reason:
        abort(400, "Write down why: those who look at this later will want to know.")
    done = action.do(given, reason)
    site().watch.forget()
    flash(done.notice)
    return redirect(done.to, 303)


def _action(name: str) -> Action:
    refuse_when_reading_only()
    if name not in ACTIONS:
        abort(404, f"There is no action {name}.")
    return ACTIONS[name]
