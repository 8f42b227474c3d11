"""A question to any retained version: which records are nearest, and where they come from."""

import json
from typing import Any

from flask import Blueprint, render_template, request
from receipt_dynamo_stream.names import COLLECTIONS

from console.errors import ConsoleError, UsageError
from console.web.site import site

page = Blueprint("search", __name__)

MOST = 50


@page.get("/search")
def show() -> str:
    given = {name: request.args.get(name, "").strip() for name in ("text", "vector", "version", "where")}
    collection = request.args.get("collection") or COLLECTIONS[-1]
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
                where=_where(given["where"]),
            )
        except ConsoleError as error:
            problem = str(error)
    versions = {
        name: [one for one in site().api.versions(name) if one.published and one.state != "expired"]
        for name in COLLECTIONS
    }
    return render_template(
        "search.html",
        given=given,
        collection=collection if collection in COLLECTIONS else COLLECTIONS[-1],
        n=n,
        answer=answer,
        problem=problem,
        versions=versions,
        by_text=site().api.connection.efs_root is not None,
    )


def _where(text: str) -> dict[str, Any] | None:
    """A filter as Chroma takes it. Raises UsageError."""
    if not text:
        return None
    try:
        value = json.loads(text)
    except ValueError as error:
        raise UsageError(f"the filter is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise UsageError('the filter is a JSON object, such as {"merchant_name": "Harbor Market"}')
    return value
