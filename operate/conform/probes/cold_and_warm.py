"""Cold and warm: what Lambda reports of each function, and how long a change takes to be seen.

On AWS, estimated: twenty receipts through one or two rounds and a fold; a few cents at most.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from operate.conform.probes.collection import ProbeCollection
from operate.conform.probes.deployed import Deployed
from operate.conform.probes.reports import SOURCE, Reports, in_short
from operate.conform.probes.told import Told
from operate.conform.rows import Row

PART: Final = "Cold and warm"
RECEIPTS: Final = 20
WORDS: Final = 87
"""Of a receipt, as of the 70,000 records that 805 receipts have (benchmarks/README.md)."""


def rows(collection: ProbeCollection, deployed: Deployed, told: Told) -> Iterator[Row]:
    """The part's rows."""
    yield visible(collection, told)
    fold = collection.run("fold", all=True)
    yield told.measured("a fold of what is there", f"{fold.result} in {fold.seconds(collection.services.now()):.1f} s")
    if not deployed.functions:
        yield told.left_out("init time and memory of each function", "", "local workers write no REPORT lines", SOURCE)
        return
    since = collection.services.now() - timedelta(hours=1)
    found = Reports(collection.stack.connection.client("logs")).of(deployed.functions, since)
    for name, invocations in found.items():
        yield told.measured(f"{name}: init time and memory, of the last hour", in_short(invocations), SOURCE)


def visible(collection: ProbeCollection, told: Told, over: str = "") -> Row:
    """Twenty receipts, from the first item that is put until the last one is published, the stream starting all."""
    receipts = collection.new_receipts(RECEIPTS)
    begun = collection.services.now()
    for receipt in receipts:
        collection.put(receipt, words=3)
    put = collection.services.now()

    def settled() -> bool:
        head = collection.head
        return head.holder is None and head.projected_version == head.version and not collection.pending()

    collection.until(lambda: collection.pending() or (settled() and None), "the stream to mark what was put")
    collection.until(settled, "twenty receipts to be published")
    seconds = (collection.services.now() - put).total_seconds()
    return told.measured(
        f"change → visible of {RECEIPTS} receipts{' ' if over else ''}{over}",
        f"{seconds:.1f} s after the last was put, which took {(put - begun).total_seconds():.1f} s",
    )
