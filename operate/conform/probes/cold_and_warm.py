"""Cold and warm: what Lambda reports of each function, and how long a change takes to be seen.

On AWS, estimated: twenty receipts through one or two rounds and a fold; a few cents at most. A merge and a fold of
70,000 records are not among these probes: they need 70,000 items of the receipts table.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any, Final

from operate.conform.probes.collection import ProbeCollection
from operate.conform.probes.deployed import Deployed
from operate.conform.probes.told import Told
from operate.conform.rows import Row

PART: Final = "Cold and warm"
REPORT: Final = "https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-view.html"
RECEIPTS: Final = 20
WORDS: Final = 87
_LINE: Final = re.compile(r"^REPORT\b.*", re.M)
_FIELD: Final = re.compile(r"\t(Init Duration|Duration|Memory Size|Max Memory Used): ([\d.]+) (?:ms|MB)")


def rows(collection: ProbeCollection, deployed: Deployed, told: Told) -> Iterator[Row]:
    """The part's rows."""
    yield visible(collection, told)
    fold = collection.run("fold", all=True)
    yield told.measured("a fold of what is there", f"{fold.result} in {fold.seconds(collection.services.now()):.1f} s")
    if not deployed.functions:
        yield told.left_out("init time and memory of each function", "", "local workers write no REPORT lines", REPORT)
        return
    logs = collection.stack.connection.client("logs")
    since = collection.services.now() - timedelta(hours=1)
    for name, configuration in sorted(deployed.functions.items()):
        lines = _report_lines(logs, configuration, int(since.timestamp() * 1000))
        yield told.measured(f"{name}: init time and memory, of the last hour", in_short(lines), REPORT)


def visible(collection: ProbeCollection, told: Told) -> Row:
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
        f"change → visible of {RECEIPTS} receipts",
        f"{seconds:.1f} s after the last was put, which took {(put - begun).total_seconds():.1f} s",
    )


def _report_lines(logs: Any, configuration: Any, since: int) -> list[str]:
    group = configuration.get("LoggingConfig", {}).get("LogGroup") or f"/aws/lambda/{configuration['FunctionName']}"
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName=group, startTime=since, filterPattern='"REPORT RequestId"', PaginationConfig={"MaxItems": 500}
    )
    return [event["message"] for page in pages for event in page["events"]]


def in_short(lines: Iterable[str]) -> str:
    """REPORT lines of one function as a sentence."""
    reports = [dict(_FIELD.findall(found)) for line in lines for found in _LINE.findall(line)]
    if not reports:
        return "not invoked"
    inits = sorted(float(one["Init Duration"]) for one in reports if "Init Duration" in one)
    cold = f"{len(inits)} cold, init {inits[0]:.0f} to {inits[-1]:.0f} ms" if inits else "none cold"
    most = max(int(one["Max Memory Used"]) for one in reports)
    longest = max(float(one["Duration"]) for one in reports)
    size = reports[-1]["Memory Size"]
    return f"{len(reports)} invocations, {cold}; at most {longest:.0f} ms and {most} of {size} MB"
