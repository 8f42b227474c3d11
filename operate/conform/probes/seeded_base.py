"""A seeded base: as many records as users have, merged, folded and changed, with the time, memory and price of each.

On AWS, estimated for 70,000 records: 72,000 items put and deleted ($0.10 to $0.20), some 430 MB of deltas uploaded from
where this runs, and the functions of four rounds and a fold ($0.10 to $0.20): which the rows say when it was done.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from itertools import takewhile
from typing import Final

from receipt_dynamo_stream.probe import PROBE_GENERATION

from operate import prices
from operate.conform.probes.cold_and_warm import WORDS, visible
from operate.conform.probes.collection import ProbeCollection
from operate.conform.probes.deployed import Deployed
from operate.conform.probes.reports import Reports, in_short
from operate.conform.probes.told import Told
from operate.conform.rows import Row
from operate.models import Execution
from operate.wording import count_of

PART: Final = "Seeded base"
LAMBDA: Final = "https://docs.aws.amazon.com/lambda/latest/dg/configuration-timeout.html"
_PUT_SECONDS: Final = 1_800.0
_WORK_SECONDS: Final = 1_800.0
_CLOCKS: Final = timedelta(minutes=5)
_MADE_A_VERSION: Final = ("published", "folded")
_LOGGED_AFTER_SECONDS: Final = 20.0
"""A REPORT line is found some seconds after its invocation has ended."""


@dataclass(frozen=True)
class Stretch:
    """What was done since a moment: the executions that did it, whoever started them, and what functions reported."""

    collection: ProbeCollection
    deployed: Deployed
    since: datetime
    before: frozenset[str]

    @classmethod
    def begin(cls, collection: ProbeCollection, deployed: Deployed) -> "Stretch":
        """From now on; which executions there were is seen, since the service's clock is another one than ours."""
        now = collection.services.now()
        return cls(collection, deployed, now, frozenset(one.arn for one in _latest(collection, now)))

    def run(self, mode: str = "compact", **more: bool) -> Execution:
        """One execution more, to its end and to that of whoever it coalesced into."""
        ended = self.collection.run(mode, wait=_WORK_SECONDS, **more)
        self.collection.quiet(_WORK_SECONDS)
        return ended

    @cached_property
    def executions(self) -> list[Execution]:
        """Those that failed or made a version, the latest first; what the stream starts may be quicker than we are."""
        new = [one for one in _latest(self.collection, self.since) if one.arn not in self.before]
        return [one for one in new if one.status != "succeeded" or one.outcome in _MADE_A_VERSION]

    @property
    def has_succeeded(self) -> bool:
        """Whether somebody made a version, and nobody failed."""
        return bool(self.executions) and all(one.status == "succeeded" for one in self.executions)

    def told(self, told: Told, what: str) -> Iterator[Row]:
        """Time and transitions, and on AWS memory and price."""
        seconds = sum(one.seconds(self.collection.services.now()) for one in self.executions)
        transitions = sum(len(self.collection.states_of(one.arn)) for one in self.executions)
        results = ", ".join(dict.fromkeys(one.result for one in self.executions))
        many = count_of(len(self.executions), "execution")
        yield told.measured(what, f"{results} in {seconds:.0f} s, {many}, {transitions} transitions")
        if not self.deployed.functions:
            yield told.left_out(f"{what}: memory and price", "", "local workers write no REPORT lines")
            return
        time.sleep(_LOGGED_AFTER_SECONDS)
        found = Reports(self.collection.stack.connection.client("logs")).of(self.deployed.functions, self.since)
        for name, reports in found.items():
            if reports:
                yield told.measured(f"{what}, {name}", in_short(reports), LAMBDA)
        dollars = transitions * prices.TRANSITION_DOLLARS + sum(one.dollars for each in found.values() for one in each)
        everything = "its transitions, and all functions of the stack since it began, in us-east-1"
        yield told.measured(f"{what}: price", f"${dollars:.4f} of {everything}")


def rows(collection: ProbeCollection, deployed: Deployed, told: Told, records: int) -> Iterator[Row]:
    """The part's rows; records: how many, rounded up to whole receipts."""
    if not records:
        yield told.left_out("a base as large as users have", "", "asked for with `--records 0`")
        return
    before, receipts = _records(collection), collection.spread_receipts(-(-records // WORDS))
    with collection.waiting(receipts, WORDS, wait=_PUT_SECONDS):
        merge = Stretch.begin(collection, deployed)
    while merge.run().status == "succeeded" and collection.pending():  # one that fails is told of, and not repeated
        pass
    what = f"{len(receipts) * WORDS:,} records of {collection.head.dimension:,} dimensions"
    yield from merge.told(told, f"a merge of {what}")
    done = merge.executions
    if merge.has_succeeded:
        fold = Stretch.begin(collection, deployed)
        fold.run("fold", all=True)
        yield from fold.told(told, f"a fold of {what}")
        done = [*done, *fold.executions]
    yield is_whole(told, before + len(receipts) * WORDS, _records(collection), done)
    if all(one.status == "succeeded" for one in done):
        yield visible(collection, told, f"over {what}")


def _latest(collection: ProbeCollection, moment: datetime) -> Iterator[Execution]:
    """The generation's executions, from some minutes before a moment on."""
    newest_first = collection.stack.executions.of(PROBE_GENERATION)
    return takewhile(lambda one: one.started_at >= moment - _CLOCKS, newest_first)


def is_whole(told: Told, expected: int, seen: int, executions: Sequence[Execution]) -> Row:
    """What the manifest counts after the fold, when no execution had failed."""
    failed = [f"{one.result} ({one.error})" for one in executions if one.status != "succeeded"]
    return told.judged(
        "what was merged and folded is in the snapshot, and no execution failed",
        f"{expected:,} records",
        f"{seen:,} records" + (f"; {', '.join(failed)}" if failed else ""),
        seen == expected and not failed,
    )


def _records(collection: ProbeCollection) -> int:
    return collection.stack.collections.status(PROBE_GENERATION).records or 0
