"""DynamoDB: who holds the lease, who loses the compare-and-swap, and what a paused collection refuses.

On AWS, estimated: a few hundred writes and reads on demand, less than a tenth of a cent.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from receipt_dynamo_stream.attributes import number, string

from operate.conform.probes.collection import ProbeCollection
from operate.conform.probes.told import Told
from operate.conform.rows import Row
from operate.models import Execution

PART: Final = "DynamoDB"
AT_ONCE: Final = 5
_TAKEN: Final = ("AcquireLease", "TakeOverLease")


def rows(collection: ProbeCollection, told: Told) -> Iterator[Row]:
    """The part's rows."""
    yield at_once(collection, told)
    yield lost(collection, told)
    yield refused(collection, told)


def at_once(collection: ProbeCollection, told: Told) -> Row:
    """Several executions that start at once, with one change to publish."""
    collection.put_aside(collection.new_receipts())
    before = collection.head.version
    with ThreadPoolExecutor(AT_ONCE) as threads:
        arns = list(threads.map(lambda _: collection.start(), range(AT_ONCE)))
    ended = [collection.end_of(arn) for arn in arns]
    collection.quiet()
    fences = [fence for arn in arns for fence in fences_of(collection.events(arn))]
    return one_holder(told, [one.result for one in ended], fences, collection.head.version - before)


def one_holder(told: Told, results: Sequence[str], fences: Sequence[int], versions: int) -> Row:
    """Of executions that started at once: what they ended as, the fences that they got, and what was published."""
    published = results.count("published")
    others = set(results) - {"published", "coalesced", "nothing_pending", "unchanged"}
    return told.judged(
        f"{AT_ONCE} executions start at once with one change",
        "one version; no fence is given twice; whoever did not publish coalesced or found nothing",
        f"{versions} versions, {published} published, fences {sorted(fences)}; {', '.join(sorted(results))}",
        versions == 1 and published <= 1 and len(set(fences)) == len(fences) and not others,
    )


def fences_of(events: Iterable[Mapping[str, Any]]) -> Iterator[int]:
    """The fences that an execution was given with the lease, from its history; before it has one its own is 0."""
    for event in events:
        left = event.get("stateExitedEventDetails")
        if left and left["name"] in _TAKEN:
            fence = json.loads(left.get("output") or "{}").get("lease", {}).get("fence", 0)
            yield from [fence] if fence else []


def lost(collection: ProbeCollection, told: Told) -> Row:
    """While one merges, the lease goes to another one: an execution that has ended, so that the next takes it over."""
    dead = collection.run().arn
    before = collection.head.version

    def overtake(_arn: str) -> None:
        collection.change_head("SET holder = :dead ADD fence :one", dead=string(dead), one=number(1))

    arn = collection.caught("MergeDeltas", overtake)
    loser = collection.end_of(arn)
    row = lost_swap(told, loser, before, collection.head.version)
    collection.run()
    return row


def lost_swap(told: Told, loser: Execution, before: int, after: int) -> Row:
    """What became of the one that lost."""
    return told.judged(
        "another execution gets the lease while one merges",
        "the first fails with Fenced, and its version is not there",
        f"{loser.status} with {loser.error or loser.outcome}, {after - before} versions more",
        loser.error == "Fenced" and before == after,
    )


def refused(collection: ProbeCollection, told: Told) -> Row:
    """While one merges, the generation is paused."""
    versions: list[int] = []

    def pause(_arn: str) -> None:
        collection.change_head("SET paused = :why", why=string("by compaction conform"))
        versions.append(collection.head.version)

    try:
        ended = collection.end_of(collection.caught("MergeDeltas", pause))
        seen = refused_while_paused(told, ended, collection.head.version - versions[-1], len(collection.pending()))
    finally:
        collection.change_head("REMOVE paused")
    collection.run()
    return seen


def refused_while_paused(told: Told, ended: Execution, versions: int, waiting: int) -> Row:
    """What became of its commit."""
    return told.judged(
        "a collection is paused while an execution merges",
        "it ends as paused; no version more, and its changes wait",
        f"{ended.result}, {versions} versions more, {waiting} receipts wait",
        ended.result == "paused" and versions == 0 and waiting > 0,
    )
