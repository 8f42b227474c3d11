"""The first page: is it healthy, what waits, what ran last."""

from dataclasses import dataclass

from flask import Blueprint, g, render_template

from console.web.charts import Bar, Freshness, freshness
from console.web.growth import Growth, growth
from console.web.site import collections, seen, site
from console.web.strip import Folded, strip
from operate.health import Health, health, lease_is_left, unhealed_failure
from operate.models import CollectionStatus, Execution

page = Blueprint("overview", __name__)

RECENT = 400
"""Executions that are looked at, idle ones too: they are read by the page of rows anyway."""
TICKS = 48
VERSIONS = 60


@dataclass(frozen=True)
class Card:
    """Everything that the page says of one collection. `ticks` are its last executions, those that had nothing to do
    folded; `bars` are the freshness of its versions, oldest first, `growth` their records and bytes.

    `serves` is whether readers follow it, None where there is no other generation; `failed` is what no later execution
    has made good; `left` is whether whoever holds the lease has ended.
    """

    status: CollectionStatus
    health: Health
    ticks: tuple[Execution | Folded, ...]
    freshness: Freshness
    bars: tuple[Bar, ...]
    failed: Execution | None
    left: bool
    growth: tuple[Growth, ...]
    serves: bool | None


@page.get("/")
def show() -> str:
    cards = [card(collection) for collection in collections()]
    return render_template("overview.html", cards=cards, live=2)


def card(collection: str) -> Card:
    """The card of one collection, from answers that are at most seconds old."""
    stack = site().stack
    status = seen(("status", collection), 1.5, lambda: stack.collections.status(collection))
    recent = seen(("recent", collection), 1.5, lambda: stack.executions.history.recent(collection, RECENT))
    generations = seen(("generations", collection), 3, lambda: stack.collections.generations(collection))
    first = max(1, status.version - VERSIONS + 1)
    rows = seen(
        ("versions", collection, status.version),
        10,
        lambda: stack.versions.rows(collection, first, status.version) if status.version else [],
    )
    fresh = freshness(rows)
    return Card(
        status=status,
        health=health(status, recent, g.now),
        ticks=tuple(strip(recent, TICKS)),
        freshness=fresh,
        bars=fresh.bars(),
        failed=unhealed_failure(recent, status.unpublished),
        left=lease_is_left(status, recent),
        growth=growth(rows),
        serves=collection == generations.serving if len(generations.active) > 1 else None,
    )
