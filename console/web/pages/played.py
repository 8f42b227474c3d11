"""Recorded trials of the machine, to step through. Nothing is asked of the stack."""

from flask import Blueprint, Response, abort, render_template

from console.web.recordings import listed, read

page = Blueprint("played", __name__, url_prefix="/watch")


@page.get("")
def index() -> str:
    return render_template("watch.html", recordings=listed(), chosen=listed()[0])


@page.get("/<name>")
def show(name: str) -> str:
    """One of them; its address takes `#step`."""
    chosen = next((one for one in listed() if one.name == name), None)
    if chosen is None:
        abort(404, "There is no recording of this name.")
    return render_template("watch.html", recordings=listed(), chosen=chosen)


@page.get("/<name>.json")
def data(name: str) -> Response:
    content = read(name)
    if content is None:
        abort(404, "There is no recording of this name.")
    return Response(content, mimetype="application/json")
