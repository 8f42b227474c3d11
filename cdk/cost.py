"""What the pipeline costs a month: `python cdk/cost.py` prints the tables of docs/deploy.md; --check compares them.

An estimate from a price list and the assumptions below; the counts of states come from the state machine's file.
"""

from __future__ import annotations

import json
import math
import sys
from collections import deque
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from prices import LISTS, PRICES, PRICES_OF

ROOT = Path(__file__).resolve().parents[1]
GUIDE = ROOT / "docs/deploy.md"
DEFINITION = ROOT / "state_machines/compaction.asl.json"
BEGIN, END = "<!-- cost: made by cdk/cost.py -->\n", "<!-- end of cost -->\n"

DAYS, COLLECTIONS, WEEKS = 30.4, 2, 30.4 / 7
SHARES = (0.712, 0.288)  # of the records that are words and lines: 70,000 and 28,372 of 805 receipts
RECORDS, RECORDS_A_CHANGE = 98_372, 122.2
BASE_KB, SEGMENT_KB, MANIFEST_KB, ENTRY_KB = 9.6, 6.6, 2.0, 0.45  # a record; a manifest's shard, and each segment in it
LEAST_RECORDS, MOST_RECORDS, SHARE_OF_BASE, MOST_SEGMENTS = 2_000, 30_000, 0.3, 384  # receipt_chroma.folding's
KEPT, GRACE_HOURS = 10, 1.0  # retention keeps so many versions, and all that are younger
EXPIRED_HOURS = 1.0  # between the mark that a version is EXPIRED and the deletion of its files
SCHEDULE_MINUTES = 5
INTERVAL_MINUTES = 0.25  # between two commits of a collection, at least
FILES_OF_A_BASE = 9
MERGE_GB, OTHER_GB, READER_GB = 8, 1.769, 3
PUBLICATION_SECONDS, OTHER_SECONDS, COLD_SECONDS, WARM_MINUTES = 0.5, 0.5, 4.0, 5.0
"""A warm merge takes 0.02 s of CPU (benchmarks/README.md); the rest is round trips to S3, EFS and DynamoDB, 20 to 30 ms
each: not measured on Lambda. A function that nobody calls for WARM_MINUTES starts anew."""
FOLD_GB_PER_SECOND, FOLD_RECORDS_PER_SECOND = 0.05, 400  # a copy, its proof and its upload; insertions into a graph
LOOKUP_MB = 0.3  # what a merge and its validation read of the index and the database, together
QUERY_SECONDS = 0.02
CHECK_SECONDS = 0.2  # what the schedule looks at, warm: two files, the sizes of the others, one object
ITEMS_PER_CHANGE = 3  # stream records and pending writes of one changed receipt, by collection and state
LOG_KB_PER_STATE, METRICS, ALARM_METRICS = 1.2, 43, 55  # an alarm on a formula is paid for each of its metrics
INVARIANTS = 7  # that steps check, each a metric by itself; what is never violated is never sent, and free

IDLE = ("AcquireLease", "SwapCommitted", "PlanCompaction", "NothingPending", "Finished")
ROUND = (
    *("AcquireLease", "PlanCompaction", "MergeShards", "CommitSnapshot", "Published", "SettleChanges"),
    *("ReleaseLease", "Finished"),
)
OF_A_SHARD = ("MergeDeltas", "ValidateShard")
FOLD = ("PlanFold", "FoldShards", "WriteFold", "CommitSnapshot", "Folded", "ReleaseLease", "Finished")
OF_A_FOLD = ("FoldShard", "ValidateFold")
"""States that an execution comes through; between two of them it takes the shortest way."""


def states_on_the_way(machine: dict[str, Any], landmarks: tuple[str, ...]) -> list[str]:
    """The states from the machine's start through the landmarks, along Next, Choices and Default. Raises KeyError for
    a landmark that is not there, and ValueError when no way leads to it."""
    states, way = machine["States"], [machine["StartAt"]]
    for landmark in landmarks:
        came_from: dict[str, str] = {way[-1]: ""}
        waiting = deque([way[-1]])
        while waiting and landmark not in came_from:
            state = states[name := waiting.popleft()]
            targets = [choice["Next"] for choice in state.get("Choices", ())]
            for target in (state.get("Next"), state.get("Default"), *targets):
                if target and target not in came_from:
                    came_from[target] = name
                    waiting.append(target)
        if landmark not in came_from:
            raise ValueError(f"no way leads from {way[-1]} to {landmark}")
        leg = [landmark]
        while leg[-1] != way[-1]:
            leg.append(came_from[leg[-1]])
        way += leg[-2::-1]
    return way


MACHINE = json.loads(DEFINITION.read_text())
IDLE_STATES = len(states_on_the_way(MACHINE, IDLE))
ROUND_STATES = len(states_on_the_way(MACHINE, ROUND))
SHARD_STATES = len(states_on_the_way(MACHINE["States"]["MergeShards"]["ItemProcessor"], OF_A_SHARD))
FOLD_STATES = len(states_on_the_way(MACHINE, FOLD)) + len(
    states_on_the_way(MACHINE["States"]["FoldShards"]["ItemProcessor"], OF_A_FOLD)
)


@dataclass(frozen=True)
class Load:
    """Changed receipts a day, spread evenly; shards of a collection; the least minutes between two commits; records of
    both collections, and of a changed receipt; queries a second of a reader.

    The rest is what might be changed: memory of the functions that publish, states of a round, and the share of a base
    that may be fresh.
    """

    changes: int
    shards: int
    interval_minutes: float = INTERVAL_MINUTES
    records: int = RECORDS
    records_a_change: float = RECORDS_A_CHANGE
    queries: float = 0.0
    merge_gb: float = MERGE_GB
    round_states: int = ROUND_STATES
    share_of_base: float = SHARE_OF_BASE

    @property
    def base_gb(self) -> float:
        """Both collections' bases."""
        return self.records * BASE_KB / 1e6


def commits_a_day(load: Load) -> float:
    """Intervals of a day in which at least one change falls, for one collection: changes in one interval are one
    commit. A Poisson estimate."""
    intervals = 24 * 60 / load.interval_minutes
    return intervals * -math.expm1(-load.changes / intervals)


def shards_a_commit(load: Load) -> float:
    """How many different shards the changes of one commit fall into, on average."""
    each = load.changes / commits_a_day(load)
    return load.shards * -math.expm1(each * math.log1p(-1 / load.shards)) if load.shards > 1 else 1.0


def segments_a_day(load: Load) -> float:
    """Segments of one collection."""
    return commits_a_day(load) * shards_a_commit(load)


def folds_a_day(load: Load, share: float) -> float:
    """Folds of one collection, that has this share of the records: when a shard's bound is passed."""
    bound = min(MOST_RECORDS, max(LEAST_RECORDS, load.share_of_base * load.records * share / load.shards))
    by_records = load.changes * load.records_a_change * share / bound
    return max(by_records, segments_a_day(load) / MOST_SEGMENTS)


def transitions_a_month(load: Load) -> float:
    """State transitions of both collections: the schedule's idle executions, the commits, and the folds."""
    idle = COLLECTIONS * 24 * 60 / SCHEDULE_MINUTES * IDLE_STATES
    busy = COLLECTIONS * commits_a_day(load) * (load.round_states + shards_a_commit(load) * SHARD_STATES)
    return DAYS * (idle + busy + sum(folds_a_day(load, share) for share in SHARES) * FOLD_STATES)


def gigabytes_written_a_month(load: Load) -> dict[str, float]:
    """What goes to EFS, and S3 gets as much: segments, manifests, and new bases."""
    segments = DAYS * load.changes * load.records_a_change * SEGMENT_KB / 1e6
    manifests = bases = 0.0
    for share in SHARES:
        folds = folds_a_day(load, share)
        laid = segments_a_day(load) / folds / 2  # of a shard, halfway to its next fold
        manifest_kb = load.shards * (MANIFEST_KB + min(laid, MOST_SEGMENTS) * ENTRY_KB)
        manifests += DAYS * commits_a_day(load) * manifest_kb / 1e6
        bases += DAYS * folds * load.base_gb * share / load.shards
    return {"segments": segments, "manifests": manifests, "bases": bases}


def gigabytes_read_a_month(load: Load) -> float:
    """What is read from EFS: old rows and the segment's proof by a publication, twice the base by a fold, all of it by
    the weekly verification, and by a reader what is new to it."""
    written = gigabytes_written_a_month(load)
    looked_up = DAYS * COLLECTIONS * segments_a_day(load) * LOOKUP_MB / 1e3
    reader = sum(written.values()) if load.queries else 0.0
    return 2 * written["segments"] + looked_up + 2 * written["bases"] + WEEKS * load.base_gb + reader


def hours_kept(load: Load) -> float:
    """How long the files of a version stay after the next one is there."""
    return max(GRACE_HOURS, KEPT / (commits_a_day(load) / 24)) + EXPIRED_HOURS


def gigabytes_kept(load: Load) -> float:
    """Bases and segments: those of the current version, and what folds replaced, as long as a kept version, the grace
    or the hour before deletion holds it."""
    hours = hours_kept(load)
    a_day = load.changes * load.records_a_change * SEGMENT_KB / 1e6
    old = sum(folds_a_day(load, share) / 24 * hours / load.shards * load.base_gb * share for share in SHARES)
    old += a_day / 24 * hours
    waiting = sum(a_day * share * load.shards / folds_a_day(load, share) / 2 for share in SHARES)
    return load.base_gb + old + waiting


def gigabyte_seconds(load: Load) -> float:
    """Of the x86 functions and a reader's: rounds, folds with their proof, the weekly verification."""
    rounds = DAYS * COLLECTIONS * commits_a_day(load)
    cold = COLD_SECONDS * math.exp(-commits_a_day(load) * WARM_MINUTES / (24 * 60))
    merges = rounds * shards_a_commit(load) * 2 * (PUBLICATION_SECONDS + cold) * load.merge_gb
    others = rounds * 4 * (OTHER_SECONDS + cold) * OTHER_GB
    folds = DAYS * sum(folds_a_day(load, share) for share in SHARES)
    bases = gigabytes_written_a_month(load)["bases"]
    inserted = DAYS * load.changes * load.records_a_change / FOLD_RECORDS_PER_SECOND
    folding = (folds * 2 * COLD_SECONDS + 2 * bases / FOLD_GB_PER_SECOND + inserted) * MERGE_GB
    verifying = WEEKS * load.base_gb / FOLD_GB_PER_SECOND * MERGE_GB
    checks = DAYS * COLLECTIONS * 24 * 60 / SCHEDULE_MINUTES * CHECK_SECONDS * OTHER_GB
    return merges + others + folding + verifying + checks + DAYS * 86_400 * load.queries * QUERY_SECONDS * READER_GB


def cost(load: Load) -> dict[str, float]:
    """US dollars a month, by what is paid for."""
    price = {name: value[0] for name, value in PRICES.items()}
    written, kept = sum(gigabytes_written_a_month(load).values()), gigabytes_kept(load)
    rounds, segments = (DAYS * COLLECTIONS * each(load) for each in (commits_a_day, segments_a_day))
    folds = DAYS * sum(folds_a_day(load, share) for share in SHARES)
    starts = DAYS * COLLECTIONS * 24 * 60 / SCHEDULE_MINUTES + rounds
    requests = starts * 3 + rounds * 6 + segments * 2 + DAYS * 86_400 * load.queries
    listed = commits_a_day(load) / 24 * hours_kept(load)  # manifests that an expiry reads
    return {
        "Step Functions": transitions_a_month(load) * price["transition"],
        "Lambda": gigabyte_seconds(load) * price["x86_second"]
        + starts * 1.0 * price["arm_second"]
        + requests * price["request"],
        "EFS throughput": written * price["efs_write"] + gigabytes_read_a_month(load) * price["efs_read"],
        "EFS storage": kept * price["efs_month"],
        "S3": kept * price["s3_month"]
        + (segments * 2 + rounds * 5 + folds * (FILES_OF_A_BASE + 3)) * price["s3_put"]
        + (rounds * (11 + listed) + starts) * price["s3_get"],
        "DynamoDB": DAYS * COLLECTIONS * load.changes * ITEMS_PER_CHANGE * price["dynamodb_write"]
        + starts * 5 * price["dynamodb_write"]
        + DAYS * COLLECTIONS * load.changes * 60 * price["dynamodb_read"],
        "CloudWatch": ALARM_METRICS * price["alarm"]
        + METRICS * price["metric"]
        + price["dashboard"]
        + transitions_a_month(load) * LOG_KB_PER_STATE / 1e6 * price["logs"],
    }


A_RECEIPT_A_MINUTE = Load(24 * 60, 4, INTERVAL_MINUTES, 100_000, 50, 1.0)
ONE_SHARD = replace(A_RECEIPT_A_MINUTE, shards=1)
SMALL = replace(ONE_SHARD, merge_gb=OTHER_GB)
INTO_MANY = replace(A_RECEIPT_A_MINUTE, records=10_000_000)
SCENARIOS = {
    "Into 100,000 records, as prod is set": A_RECEIPT_A_MINUTE,
    "… in one shard": ONE_SHARD,
    "… and published by functions of 1,769 MB": SMALL,
    "… and two minutes between commits": replace(SMALL, interval_minutes=2),
    "… or five": replace(SMALL, interval_minutes=5),
    "… or ten": replace(SMALL, interval_minutes=10),
    "… or one, and rounds of 10 states": replace(SMALL, interval_minutes=1, round_states=10),
    "Into 10,000,000 records, as prod is set": INTO_MANY,
    "… in 16 shards": replace(INTO_MANY, shards=16),
    "… in 32 shards": replace(INTO_MANY, shards=32),
}
"""One receipt of 50 records a minute, in both collections together, and one query a second."""


def rows_of(loads: dict[str, Load]) -> list[str]:
    """A table with a row for each load, under the name that it has."""
    parts = list(cost(Load(1, 1)))
    lines = [f"| | K | {' | '.join(parts)} | Total |", f"|---|---:|{'---:|' * (len(parts) + 1)}"]
    for name, load in loads.items():
        bill = cost(load)
        amounts = " | ".join(f"{amount:,.2f}" for amount in bill.values())
        lines.append(f"| {name} | {load.shards} | {amounts} | **{sum(bill.values()):,.0f}** |")
    return lines


def tables() -> str:
    """The Markdown of the guide."""
    by_changes = {
        f"{changes:,} changes, {shards} shard{'s' if shards > 1 else ''}": Load(changes, shards)
        for changes in (1, 100, 10_000)
        for shards in (1, 4, 16)
    }
    lines = [
        f"Dollars a month by changed receipts a day and shards (K), {INTERVAL_MINUTES * 60:g} seconds between commits"
        f" ({PRICES_OF}):",
        "",
        *rows_of(by_changes),
        "",
        "One receipt of 50 records a minute, and one query a second of a reader on Lambda:",
        "",
        *rows_of(SCENARIOS),
        "",
        "The least time between two commits, at 10,000 changes a day: it decides how many states and functions run.",
        "",
        "| Seconds | K | Commits a day and collection | GB written to EFS a month | Transitions a month | Total |",
        "|---:|---:|---:|---:|---:|---:|",
    ]
    for minutes in (1 / 12, 0.25, 1, 5, 15, 60):
        for shards in (1, 16):
            load = Load(10_000, shards, minutes)
            written = sum(gigabytes_written_a_month(load).values())
            lines.append(
                f"| {minutes * 60:,.0f} | {shards} | {commits_a_day(load):,.0f} | {written:,.0f}"
                f" | {transitions_a_month(load):,.0f} | **${sum(cost(load).values()):,.0f}** |"
            )
    lines += ["", "| Price | Unit | AWS's list | Read where, as of |", "|---:|---|---|---|"]
    lines += [
        f"| ${amount:.10f}".rstrip("0").rstrip(".") + f" | {unit} | <{LISTS[service]}> | {seen} |"
        for amount, unit, service, seen in PRICES.values()
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write or check the guide's tables; the exit code says whether they were right before."""
    text = GUIDE.read_text()
    before, rest = text.split(BEGIN)
    new = before + BEGIN + tables() + END + rest.split(END)[1]
    if "--check" in sys.argv:
        return int(new != text)
    GUIDE.write_text(new)
    return 0


if __name__ == "__main__":
    sys.exit(main())
