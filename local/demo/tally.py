"""How executions ended and how long their states took, by what the Step Functions API says."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from local.aws.executions import Execution

ENDINGS = ("published", "nothing_pending", "coalesced", "failed", "fenced", "aborted")


def ending(execution: Execution) -> str:
    """One of ENDINGS, or `running`. An execution that needed no new version counts as `nothing_pending`."""
    if execution.status == "SUCCEEDED":
        return execution.outcome if execution.outcome in ("published", "coalesced") else "nothing_pending"
    if execution.status == "FAILED":
        return "fenced" if execution.error == "Fenced" else "failed"
    return {"ABORTED": "aborted", "TIMED_OUT": "failed", "RUNNING": "running"}[execution.status]


def count_endings(executions: Iterable[Execution]) -> dict[str, int]:
    """How many ended in each way; every ending is there. Executions that still run are left out."""
    counted = Counter(map(ending, executions))
    return {name: counted[name] for name in ENDINGS}


def median_seconds(histories: Iterable[Iterable[Mapping[str, Any]]]) -> dict[str, float]:
    """Median seconds that each Task state took, over the histories of several executions, in order of first entry.

    States of a Map run in parallel under one name: the first that was entered is taken for the first that is left.
    """
    durations: dict[str, list[float]] = {}
    for history in histories:
        entered: dict[str, list[Any]] = defaultdict(list)
        for event in history:
            if event["type"] == "TaskStateEntered":
                name = event["stateEnteredEventDetails"]["name"]
                durations.setdefault(name, [])
                entered[name].append(event["timestamp"])
            elif event["type"] == "TaskStateExited":
                name = event["stateExitedEventDetails"]["name"]
                durations[name].append((event["timestamp"] - entered[name].pop(0)).total_seconds())
    return {name: statistics.median(seconds) for name, seconds in durations.items() if seconds}
