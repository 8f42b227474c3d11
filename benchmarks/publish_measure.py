"""One measurement of the publication benchmark, in a process of its own: prints JSON.

    python benchmarks/publish_measure.py COMMAND FOLDER [ARGUMENTS AS JSON]

FOLDER is a base that `build` has made. Everything is imported, and was called once, before it is measured.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lance_child import Lance
from lance_data import PUBLICATIONS, export
from measured import Cost, measured
from merge_data import COLLECTION
from publish_data import Ground, Scale, build, changes, copy_of, new_facts
from publish_steps import STEPS, publish, warm_up
from receipt_chroma.folding import ALWAYS, FoldBound


def publication(ground: Ground, which: str, always: bool, times: int) -> dict[str, Any]:
    """What one publication costs, by step and together: the least seconds of several, each over the same base."""
    bound, facts, taken = ALWAYS if always else FoldBound(), changes()[which], []
    warm_up(bound, ground.folder.parent)
    for _ in range(times):
        with copy_of(ground) as scratch:
            scratch.upload([one for one in facts if one.exists])
            taken.append(publish(scratch, facts, bound))
    return {
        **_least([sum(steps.values(), Cost()) for steps in taken]),
        "steps": {name: _least([steps[name] for steps in taken]) for name in STEPS},
    }


def _least(costs: Sequence[Cost]) -> dict[str, Any]:
    """The least seconds, and the most bytes."""
    seconds = {name: min(getattr(one, name) for one in costs) for name in ("wall", "cpu")}
    return {**seconds, **{name: max(getattr(one, name) for one in costs) for name in ("written", "read", "peak")}}


def refreshes(ground: Ground, times: int, always: bool) -> dict[str, Any]:
    """A reader's refresh after each of several publications: the median of the seconds, the most of the bytes."""
    from receipt_chroma import SnapshotReader

    bound, taken = ALWAYS if always else FoldBound(), []
    with copy_of(ground) as scratch, SnapshotReader(scratch.efs, COLLECTION, cache_dir=scratch.folder) as reader:
        for facts in new_facts(times + 1):
            scratch.upload([facts])
            publish(scratch, [facts], bound)
            with measured() as cost:
                assert reader.refresh()
            taken.append(cost)
    return _summary(taken[1:])  # the first one warmed up


def _summary(costs: Sequence[Cost]) -> dict[str, Any]:
    """The median of the seconds, and the most of the bytes."""
    return {
        "wall": statistics.median(one.wall for one in costs),
        "cpu": statistics.median(one.cpu for one in costs),
        "read": max(one.read for one in costs),
        "written": max(one.written for one in costs),
    }


def queries(ground: Ground, **options: Any) -> dict[str, Any]:
    """See publish_queries."""
    from publish_queries import beside_chroma

    return beside_chroma(ground, **options)


def shards(ground: Ground, many: str, **options: Any) -> dict[str, Any]:
    """See publish_queries."""
    from publish_queries import beside_many_shards

    return beside_many_shards(ground, Ground(Path(many)), **options)


def many(ground: Ground, **scale: Any) -> dict[str, Any]:
    """See publish_many."""
    from publish_many import publish_many

    return publish_many(ground, Scale(**scale))


def fold_on_demand(ground: Ground) -> None:
    """See publish_many."""
    import publish_many

    publish_many.fold_on_demand(ground)


def lance(ground: Ground, python: str) -> dict[str, Any]:
    """One receipt published with LanceDB, and the other handle's refresh: medians and most, as of `refreshes`."""
    with (
        tempfile.TemporaryDirectory(dir=ground.folder.parent) as work,
        Lance(python, ground.folder / "lance", Path(work)) as child,
    ):
        taken = [child.publish(number) for number in range(PUBLICATIONS)][1:]
    return {step: _summary([Cost(**one[step]) for one in taken]) for step in ("publication", "refresh")}


def export_base(ground: Ground, receipts: int) -> None:
    """See lance_data."""
    export(ground.folder / "lance", receipts)


MEASUREMENTS: dict[str, Callable[..., Any]] = {
    one.__name__: one for one in (publication, refreshes, queries, shards, many, fold_on_demand, lance, export_base)
}
"""By the name of the command; those of a re-shard are in reshard_steps."""


def main(command: str, folder: str, arguments: str = "{}") -> None:
    """One command, as the docstring of the module says."""
    given = json.loads(arguments)
    if command == "build":
        build(Path(folder), **given)
    else:
        shard_count = given.pop("shard_count", 1)
        from reshard_steps import RESHARDING

        measure = {**MEASUREMENTS, **RESHARDING}[command]
        if (answer := measure(Ground(Path(folder), shard_count), **given)) is not None:
            print(json.dumps(answer))


if __name__ == "__main__":
    main(*sys.argv[1:])
