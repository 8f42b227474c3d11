"""What the pipeline costs a month: `python cdk/cost.py` prints the tables of docs/deploy.md; --check compares them.

An estimate from a price list and the assumptions below; the counts of states come from the state machine's file.
"""

from __future__ import annotations

import json
import math
import sys
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
GUIDE = ROOT / "docs/deploy.md"
DEFINITION = ROOT / "state_machines/compaction.asl.json"
BEGIN, END = "<!-- cost: made by cdk/cost.py -->\n", "<!-- end of cost -->\n"

PRICES_OF = "us-east-1, without free tiers, at the prices below"
LISTS = {  # AWS's own price lists; their pages fill the numbers in in a browser
    "states": "https://aws.amazon.com/step-functions/pricing/",
    "lambda": "https://aws.amazon.com/lambda/pricing/",
    "efs": "https://aws.amazon.com/efs/pricing/",
    "s3": "https://aws.amazon.com/s3/pricing/",
    "dynamodb": "https://aws.amazon.com/dynamodb/pricing/on-demand/",
    "cloudwatch": "https://aws.amazon.com/cloudwatch/pricing/",
}
STATES = "AWS's own list, a copy without a date"
CHIPR = "[2024](https://cloudchipr.com/blog/aws-lambda-pricing)"
EVANGELIST = "[2026-05-05](https://github.com/api-evangelist/aws-lambda/blob/main/plans/aws-lambda-plans-pricing.yml)"
MINDS_EFS = "[June 2026](https://www.factualminds.com/blog/amazon-efs-pricing-throughput-modes-storage-classes/)"
BERRY = "[2022-07-07](https://gist.github.com/EverettBerry/a37438006529a55f42da6fdbc44a505c)"
AIRBYTE = "[2025-07-21](https://airbyte.com/data-engineering-resources/dynamodb-pricing)"
C3X = "[without a date](https://c3x.dev/resources/aws/aws_cloudwatch_metric_alarm)"
SIGNOZ = "[2026-02-15](https://signoz.io/guides/cloudwatch-pricing)"
MINDS_CW = "[2026-06-13](https://www.factualminds.com/blog/amazon-cloudwatch-pricing-metrics-logs-alarms-dashboards/)"
NOWHERE = "**not confirmed**: no source was found that states it with a date"
PRICES = {  # name -> (US dollars, unit, AWS's list, where the number was read and of when that is)
    "transition": (0.025 / 1000, "state transition", "states", STATES),
    "x86_second": (0.0000166667, "GB-second, x86", "lambda", CHIPR),
    "arm_second": (0.0000133334, "GB-second, arm64", "lambda", CHIPR),
    "request": (0.20 / 1e6, "Lambda request", "lambda", EVANGELIST),
    "efs_month": (0.30, "GB-month, EFS Standard", "efs", MINDS_EFS),
    "efs_read": (0.03, "GB read, elastic", "efs", MINDS_EFS),
    "efs_write": (0.06, "GB written, elastic", "efs", MINDS_EFS),
    "s3_month": (0.023, "GB-month, S3 Standard", "s3", BERRY),
    "s3_put": (0.005 / 1000, "PUT", "s3", NOWHERE),
    "dynamodb_write": (0.625 / 1e6, "write request unit", "dynamodb", AIRBYTE),
    "dynamodb_read": (0.125 / 1e6, "read request unit", "dynamodb", AIRBYTE),
    "alarm": (0.10, "metric of an alarm, month", "cloudwatch", C3X),
    "metric": (0.30, "metric-month", "cloudwatch", SIGNOZ),
    "dashboard": (3.00, "dashboard-month", "cloudwatch", MINDS_CW),
    "logs": (0.50, "GB of logs", "cloudwatch", MINDS_CW),
}

DAYS, COLLECTIONS = 30.4, 2
SNAPSHOT_GB = {"words": 0.674, "lines": 0.273}  # 805 receipts: 70,000 and 28,372 records of 9.6 KB
KEPT = 10  # snapshots that retention keeps
SCHEDULE_MINUTES = 5
FILES_PER_SHARD = 7
MERGE_GB, MERGE_FIXED_SECONDS, MERGE_GB_PER_SECOND = 8, 4.0, 0.05
ITEMS_PER_CHANGE = 3  # stream records and pending writes of one changed receipt, by collection and state
LOG_KB_PER_STATE, METRICS, ALARM_METRICS = 1.2, 22, 29  # an alarm on a formula is paid for each of its metrics

IDLE = ("AcquireLease", "PlanCompaction", "NothingPending", "Finished")
ROUND = ("AcquireLease", "PlanCompaction", "MergeShards", "CommitSnapshot", "SettleChanges", "ReleaseLease", "Finished")
OF_A_SHARD = ("MergeDeltas", "ValidateShard")
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


@dataclass(frozen=True)
class Load:
    """Changed receipts a day, spread evenly; shards of a collection; the least minutes between two commits."""

    changes: int
    shards: int
    interval_minutes: float = 1.0


def commits_a_day(load: Load) -> float:
    """Intervals of a day in which at least one change falls, for one collection: changes in one interval are one
    commit. A Poisson estimate."""
    intervals = 24 * 60 / load.interval_minutes
    return intervals * -math.expm1(-load.changes / intervals)


def shards_a_commit(load: Load) -> float:
    """How many different shards the changes of one commit fall into, on average."""
    each = load.changes / commits_a_day(load)
    return load.shards * -math.expm1(each * math.log1p(-1 / load.shards)) if load.shards > 1 else 1.0


def transitions_a_month(load: Load) -> float:
    """State transitions of both collections: the schedule's idle executions, and the commits."""
    idle = 24 * 60 / SCHEDULE_MINUTES * IDLE_STATES
    busy = commits_a_day(load) * (ROUND_STATES + shards_a_commit(load) * SHARD_STATES)
    return DAYS * COLLECTIONS * (idle + busy)


def gigabytes_written_a_month(load: Load) -> float:
    """What merges write to EFS: each commit writes its touched shards whole."""
    share = shards_a_commit(load) / load.shards
    return DAYS * commits_a_day(load) * share * sum(SNAPSHOT_GB.values())


def cost(load: Load) -> dict[str, float]:
    """US dollars a month, by what is paid for. The merge copies a shard from EFS, and validation reads its result."""
    price = {name: value[0] for name, value in PRICES.items()}
    written = gigabytes_written_a_month(load)
    merges = DAYS * COLLECTIONS * commits_a_day(load) * shards_a_commit(load)
    merge_seconds = merges * MERGE_FIXED_SECONDS + written / MERGE_GB_PER_SECOND
    rounds = DAYS * COLLECTIONS * commits_a_day(load)
    starts = DAYS * COLLECTIONS * 24 * 60 / SCHEDULE_MINUTES + rounds
    kept = sum(SNAPSHOT_GB.values()) * (1 + (KEPT - 1) * shards_a_commit(load) / load.shards)
    requests = starts * 2 + rounds * 6 + merges * 2
    return {
        "Step Functions": transitions_a_month(load) * price["transition"],
        "Lambda": merge_seconds * 2 * MERGE_GB * price["x86_second"]
        + rounds * 4 * 2 * 1.769 * price["x86_second"]
        + starts * 1.0 * price["arm_second"]
        + requests * price["request"],
        "EFS throughput": written * price["efs_write"] + 2 * written * price["efs_read"],
        "EFS storage": kept * price["efs_month"],
        "S3": kept * price["s3_month"] + (merges * FILES_PER_SHARD + rounds * 4) * price["s3_put"],
        "DynamoDB": DAYS * COLLECTIONS * load.changes * ITEMS_PER_CHANGE * price["dynamodb_write"]
        + starts * 5 * price["dynamodb_write"]
        + DAYS * COLLECTIONS * load.changes * 60 * price["dynamodb_read"],
        "CloudWatch": ALARM_METRICS * price["alarm"]
        + METRICS * price["metric"]
        + price["dashboard"]
        + transitions_a_month(load) * LOG_KB_PER_STATE / 1e6 * price["logs"],
    }


def tables() -> str:
    """The Markdown of the guide."""
    parts = list(cost(Load(1, 1)))
    lines = [
        f"Dollars a month by changed receipts a day and shards (K), at most one commit a minute ({PRICES_OF}):",
        "",
        f"| Changes a day | K | {' | '.join(parts)} | Total |",
        f"|---:|---:|{'---:|' * (len(parts) + 1)}",
    ]
    for changes in (1, 100, 10_000):
        for shards in (1, 4, 16):
            bill = cost(Load(changes, shards))
            amounts = " | ".join(f"{amount:,.2f}" for amount in bill.values())
            lines.append(f"| {changes:,} | {shards} | {amounts} | **{sum(bill.values()):,.0f}** |")
    lines += [
        "",
        "The least time between two commits, at 10,000 changes a day: it decides how often a shard is written whole.",
        "",
        "| Minutes | K | Commits a day and collection | GB written to EFS a month | Transitions a month | Total |",
        "|---:|---:|---:|---:|---:|---:|",
    ]
    for minutes in (1, 5, 15, 60):
        for shards in (1, 16):
            load = Load(10_000, shards, minutes)
            lines.append(
                f"| {minutes} | {shards} | {commits_a_day(load):,.0f} | {gigabytes_written_a_month(load):,.0f}"
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
