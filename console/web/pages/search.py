"""A question to any retained version: which records are nearest, and where they come from."""

from flask import Blueprint, render_template, request
from receipt_dynamo_stream.grain import COLLECTIONS

from console.web.site import collections, site
from operate.contents.query import read_where
from operate.errors import ConsoleError

page = Blueprint("search", __name__)

MOST = 50


@page.get("/search")
def show() -> str:
    given = {name: request.args.get(name, "").strip() for name in ("text", "vector", "version", "where")}
    stack = site().stack
    collection = request.args.get("collection") or stack.collections.generations(COLLECTIONS[-1]).serving
    stack.collections.known(collection)
    n = min(MOST, max(1, request.args.get("n", 10, int)))
    answer, problem = None, None
    if given["text"] or given["vector"]:
        try:
            answer = site().contents.search(
                collection,
                given["version"] or None,
                text=given["text"] or None,
                vector=given["vector"] or None,
                n=n,
                where=read_where(given["where"]) if given["where"] else None,
            )
        except ConsoleError as error:
            problem = str(error)
    versions = {
        name: [one for one in stack.versions.of(name) if one.published and one.state != "expired"]
        for name in dict.fromkeys((*collections(), collection))
    }
    return render_template(
        "search.html",
        given=given,
        collection=collection,
        n=n,
        answer=answer,
        problem=problem,
        versions=versions,
        embedder=site().contents.embedder,
    )
