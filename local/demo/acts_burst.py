"""Acts 1 and 2: a burst of receipts becomes a snapshot of each collection, and nobody told the machine."""

from __future__ import annotations

import statistics
from collections import Counter

from local.demo.probes import shows_receipt
from local.demo.samples.producer import COLLECTIONS
from local.demo.stage import Stage
from local.demo.tally import ENDINGS, count_endings

BY_ITSELF = {"stream", "schedule"}
"""The triggers of executions that nobody started by hand."""


def write_a_burst(stage: Stage) -> None:
    """Write all receipts and their runs at once."""
    stage.act(1, f"{len(stage.receipts)} receipts and their runs are written in one burst")
    uploads = stage.producer.plan_uploads(stage.receipts)
    with stage.progress.waiting("writing items and uploading deltas"):
        written = stage.producer.put_receipts(uploads)
    for one in written:
        stage.expect(lambda collection, one=one: shows_receipt(one, collection))  # type: ignore[misc]
    formats = Counter(upload.kind for upload in uploads)
    stage.progress.say(
        f"{sum(len(receipt.lines) for receipt in stage.receipts)} lines, "
        f"{sum(len(receipt.words) for receipt in stage.receipts)} words and "
        f"{sum(len(receipt.labels) for receipt in stage.receipts)} labels are in the table; deltas as "
        f"{', '.join(f'{count} {kind}' for kind, count in sorted(formats.items()))}; "
        f"{sum(upload.run_first for upload in uploads)} runs were announced before their words."
    )
    stage.progress.say("The table's stream does the rest: nothing calls the machine by hand.")


def become_visible(stage: Stage) -> None:
    """Wait until readers see every receipt, and open readers that stay open."""
    stage.act(2, "Both collections' pointers hold them")
    stage.wait_visible("waiting until every receipt is in a published snapshot")
    with stage.quiet():
        rows = [_published(stage, collection) for collection in COLLECTIONS]
    columns = ("collection", "version", "records", "executions", "visible after p50", "max")
    stage.progress.table("Published", columns, rows)


def _published(stage: Stage, collection: str) -> tuple[object, ...]:
    reader = stage.readers[collection] = stage.open_reader(collection)
    records = sum(receipt.records(collection) for receipt in stage.receipts)
    stage.claim(reader.count() == records, f"{records} records in {collection}", reader.count())
    executions = stage.executions(collection)
    counted = count_endings(executions)
    stage.claim(counted["published"] > 0, f"an execution that published {collection}", counted)
    triggers = {execution.input["trigger"] for execution in executions}
    stage.claim(triggers <= BY_ITSELF, f"executions started by {' and '.join(sorted(BY_ITSELF))} only", triggers)
    seconds = stage.watchers[collection].seconds
    ended = ", ".join(f"{counted[name]} {name}" for name in ENDINGS if counted[name])
    median, slowest = f"{statistics.median(seconds):.2f} s", f"{max(seconds):.2f} s"
    return collection, reader.version, reader.count(), ended, median, slowest
