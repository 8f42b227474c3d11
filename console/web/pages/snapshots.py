"""The versions of a collection: their lineage, what each brought, what is in one, and what differs between two."""

from flask import Blueprint, redirect, render_template, request, url_for
from receipt_dynamo_stream.control.versions import VersionRow
from receipt_dynamo_stream.grain import COLLECTIONS
from werkzeug.wrappers import Response

from console.web.site import seen, site
from operate.contents.layout import ShardLayout, layout
from operate.contents.merged import what_came
from operate.errors import ConsoleError
from operate.lineage import Version

page = Blueprint("snapshots", __name__, url_prefix="/snapshots")

SHOWN = 60
RECORDS = 50
DIFFERENCES = 50
RECEIPTS = 500


@page.get("/")
def index() -> Response:
    return redirect(url_for(".show", collection=COLLECTIONS[-1]))


@page.get("/<collection>")
def show(collection: str) -> str:
    _known(collection)
    stack = site().stack
    versions = seen(("lineage", collection), 2, lambda: stack.versions.of(collection))
    shown = request.args.get("shown", SHOWN, int)
    published = [one for one in versions if one.published]
    lost = [one for one in versions if not one.published]
    return render_template(
        "snapshots.html",
        collection=collection,
        published=published[:shown],
        older=len(published) > shown and url_for(".show", collection=collection, shown=shown + SHOWN),
        lost=lost[:SHOWN],
        rows=_rows(collection, published[:shown]),
        head=seen(("head", collection), 2, lambda: stack.collections.head(collection)),
        live=3,
    )


@page.get("/<collection>/archive")
def archive(collection: str) -> str:
    _known(collection)
    before = request.args.get("before") or None
    found = site().stack.versions.archived(collection, before, SHOWN)
    return render_template(
        "archive.html",
        collection=collection,
        versions=found.versions,
        older=found.older and url_for(".archive", collection=collection, before=found.older),
    )


@page.get("/<collection>/<version>")
def version(collection: str, version: str) -> str:
    one = _version(collection, version)
    containing, receipt = request.args.get("containing", "").strip(), request.args.get("receipt") or None
    offset = max(0, request.args.get("offset", 0, int))
    came = seen(("came", collection, one.snapshot_id), 30, lambda: what_came(site().stack, collection, one.snapshot_id))
    records, unreadable = None, None
    shards: tuple[ShardLayout, ...] = ()
    try:
        shards = layout(site().contents.manifest(collection, one.snapshot_id))
        records = site().contents.records(
            collection, one.snapshot_id, containing=containing, receipt=receipt, offset=offset, limit=RECORDS
        )
    except ConsoleError as error:
        unreadable = str(error)

    def page_at(start: int) -> str:
        kept = {key: value for key, value in request.args.items() if value and key != "offset"}
        return url_for(".version", collection=collection, version=version, **kept, offset=start) + "#records"

    return render_template(
        "version.html",
        collection=collection,
        one=one,
        came=came,
        row=_rows(collection, [one]).get(one.snapshot_id),
        records=records,
        shards=shards,
        unreadable=unreadable,
        containing=containing,
        receipt=receipt,
        newer=page_at(max(0, offset - RECORDS)) if offset else None,
        older=page_at(offset + RECORDS) if records and offset + RECORDS < records.total else None,
        head=seen(("head", collection), 2, lambda: site().stack.collections.head(collection)),
    )


@page.get("/<collection>/<version>/receipts")
def receipts(collection: str, version: str) -> str:
    one = _version(collection, version)
    found = seen(
        ("receipts", one.snapshot_id, collection), 600, lambda: site().contents.receipts(collection, one.snapshot_id)
    )
    return render_template("receipts.html", collection=collection, one=one, receipts=found, shown=RECEIPTS)


@page.get("/<collection>/compare")
def compare(collection: str) -> str:
    _known(collection)
    published = [one for one in site().stack.versions.of(collection) if one.published and one.state != "expired"]
    older, newer = request.args.get("older"), request.args.get("newer")
    if len(published) > 1:
        older, newer = older or str(published[1].version), newer or str(published[0].version)
    offset = max(0, request.args.get("offset", 0, int))
    found = None
    if older and newer:
        found = site().contents.compare(collection, older, newer, offset=offset, limit=DIFFERENCES)
    more = found and max(found.added, found.removed, found.changed) > offset + DIFFERENCES
    return render_template(
        "compare.html",
        collection=collection,
        published=published,
        older=older,
        newer=newer,
        found=found,
        offset=offset,
        following=more
        and url_for(".compare", collection=collection, older=older, newer=newer, offset=offset + DIFFERENCES),
    )


def _known(collection: str) -> None:
    site().stack.collections.known(collection)


def _version(collection: str, given: str) -> Version:
    """A published version by number or snapshot id, EXPIRED ones too. Raises VersionNotFound."""
    _known(collection)
    return site().stack.versions.find(collection, given, expired=True)


def _rows(collection: str, versions: list[Version]) -> dict[str, VersionRow]:
    """The rows of these versions by snapshot id: they say what each brought."""
    numbers = [one.version for one in versions]
    if not numbers:
        return {}
    first, last = min(numbers), max(numbers)
    rows = seen(("rows", collection, first, last), 3, lambda: site().stack.versions.rows(collection, first, last))
    return {row.snapshot_id: row for row in rows}
