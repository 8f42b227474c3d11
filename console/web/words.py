"""How values read on a page: `operate.wording` as filters of the templates, and the shapes and colours of results."""

import json
import re
from collections.abc import Mapping
from typing import Any

from flask import Flask, url_for
from receipt_dynamo_stream.keys import ReceiptId

from operate import wording
from operate.models import FAILURES, FENCED, IDLE, name_of
from operate.wording import inert

GLYPHS = {
    "published": "✓",
    "rolled_back": "↺",
    "verified": "✓",
    "restored": "⟲",
    "folded": "⊟",
    "nothing_to_fold": "·",
    "fold_lost": "⇥",
    "resharded": "⊞",
    "nothing_to_reshard": "·",
    "reshard_lost": "⇥",
    "switched": "⇄",
    "nothing_to_switch": "·",
    "not_complete": "◔",
    "succeeded": "✓",
    "unchanged": "=",
    "nothing_pending": "·",
    "coalesced": "⇢",
    "planned": "?",
    "paused": "‖",
    "running": "●",
    "failed": "✕",
    "timed_out": "✕",
    "aborted": "■",
    FENCED: "⇥",
    "caught": "↷",
    "refused": "⊘",
}
"""A shape for every result, so that none is told by its colour alone."""

_IN_A_PATH = re.compile(r"[\w.-]*\w[\w.-]*", re.ASCII)


def kind(result: str) -> str:
    """The class of colours that a result belongs to: good, running, bad, watch or idle."""
    if result == "running":
        return "running"
    if result in FAILURES:
        return "watch" if result == "aborted" else "bad"
    if result in (FENCED, "paused", "caught"):
        return "watch"
    return "idle" if result in (*IDLE, "unchanged", "planned", "fold_lost", "reshard_lost", "refused") else "good"


def receipt(one: ReceiptId) -> str:
    """Enough of a receipt's image to tell it apart, and its number."""
    return wording.short_receipt(one.image_id, one.receipt_id)


def receipt_page(key: str) -> str:
    """The address of a receipt's page, by its key; ids of other texts than a path can have are asked for."""
    one = ReceiptId.parse(key)
    if _IN_A_PATH.fullmatch(one.image_id):
        return url_for("receipt.show", image_id=one.image_id, receipt_id=one.receipt_id)
    return url_for("receipt.find", receipt=key)


def parsed(text: str | None) -> Any:
    """The value of a JSON text, for a folding tree; the text itself where it is none."""
    try:
        return json.loads(text or "null")
    except ValueError:
        return text


def as_json(value: object) -> str:
    """One line of JSON to read. Jinja's own `tojson` is made to stand in a script: it writes < and & as numbers."""
    return json.dumps(value, ensure_ascii=False, default=str)


def is_mapping(value: object) -> bool:
    return isinstance(value, Mapping)


def is_list(value: object) -> bool:
    return isinstance(value, list | tuple)


def printed(value: object) -> object:
    """What a template prints of a value: of a text nothing that acts. What is markup already has been here."""
    return inert(value) if type(value) is str else value


def attach(app: Flask) -> None:
    """Make them known to the templates."""
    app.jinja_env.finalize = printed
    app.jinja_env.filters |= {
        "duration": wording.duration,
        "precise": wording.exact_duration,
        "number": wording.number,
        "short": wording.short_name,
        "record": wording.short_record,
        "receipt": receipt,
        "receipt_page": receipt_page,
        "cause": wording.cause_text,
        "plain": wording.plain,
        "kind": kind,
        "size": wording.size,
        "name_of": name_of,
        "clock": wording.clock,
        "parsed": parsed,
        "json": as_json,
    }
    app.jinja_env.tests |= {"tree": is_mapping, "array": is_list}
    app.jinja_env.globals |= {"GLYPHS": GLYPHS, "count_of": wording.count_of}
