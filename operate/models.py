"""What the console shows, as values: no boto3, no printing. Times are aware UTC datetimes, durations are seconds."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from receipt_dynamo_stream.control.history import IDLE as IDLE
from receipt_dynamo_stream.control.quarantine import MERGE_KEEPS_FAILING, QuarantinedRun

if TYPE_CHECKING:
    from receipt_dynamo_stream.control.history import ExecutionRow

EXECUTION_NAME = re.compile(r"(?P<collection>[a-z]+(?:-[1-9]\d*)?)-(?P<trigger>[a-z]+)-(?P<unique>[0-9A-Za-z-]+)")
"""How the stream handler, the schedule and the console name executions: hex digits, or the Scheduler's own id. Other
names say nothing about themselves."""

STATUSES = ("running", "succeeded", "failed", "timed_out", "aborted")
"""What Step Functions says of an execution, in lower case."""
OUTCOMES = (
    *("published", "nothing_pending", "unchanged", "coalesced", "paused", "planned"),
    *("rolled_back", "verified", "restored", "folded", "nothing_to_fold", "fold_lost"),
    *("resharded", "nothing_to_reshard", "reshard_lost"),
    *("switched", "nothing_to_switch", "not_complete"),
)
"""What a succeeded execution says of itself: `result.outcome` of its output."""
_OF_A_VERSION = ("published", "rolled_back", "verified", "restored", "folded", "resharded")
FENCED = "fenced"
"""A failed execution that noticed in time that a newer one had taken over; it is no alarm."""
RESULTS = (*STATUSES, *OUTCOMES, FENCED)
"""Every word that an execution's result can be filtered by."""
FAILURES = ("failed", "timed_out", "aborted")
"""Results that leave work undone until a later execution does it."""
UNHEALED = "unhealed"
"""The filter for failures that no later execution has made good."""
LOST = ("fold_lost", "reshard_lost")
"""Outcomes of an execution that came to its end, and yet did not do what it was started for: start it again."""
MERGED = ("published", "unchanged", "nothing_pending")
"""Outcomes of a compaction after which nothing that was pending before is."""


TRIGGERS = ("stream", "schedule", "operator")
"""What starts an execution."""
MODES = ("compact", "plan", "verify", "rollback", "expire", "fold", "reshard", "restore", "switch")
"""What an execution is started for."""
MODES_WITH_ROUNDS = (None, "compact", "plan", "expire", "fold", "reshard")
"""Modes that plan and merge; an execution that was started without a mode compacts."""
ASKED_BY_THEMSELVES = ("rollback", "expire", "switch")
"""Modes that are hard to take back: each has a question of its own, which says more than that of a re-run."""


def name_of(arn: str) -> str:
    """The name of an execution."""
    return arn.rpartition(":")[2]


def execution_name(collection: str, trigger: str, unique: str) -> str:
    """A name that listings can be filtered by without describing each execution; `unique` is 32 hex digits."""
    return f"{collection}-{trigger}-{unique}"


@dataclass(frozen=True)
class Execution:
    """One execution, as far as it was looked into: `mode` to `cause` are None when only its name was listed.

    `version` is the version that it published or verified, `error` and `cause` are what it failed of, `snapshot_id` is
    what its input named.
    """

    arn: str
    name: str
    status: str
    started_at: datetime
    ended_at: datetime | None
    collection: str | None
    trigger: str | None
    mode: str | None = None
    outcome: str | None = None
    version: int | None = None
    error: str | None = None
    cause: str | None = None
    snapshot_id: str | None = None

    @property
    def result(self) -> str:
        """The one word that says most: a succeeded execution's outcome, else its status, or that it was fenced."""
        if self.status == "succeeded":
            return self.outcome or self.status
        return FENCED if self.status == "failed" and self.error == "Fenced" else self.status

    @property
    def may_be_rerun(self) -> bool:
        """Whether a re-run may repeat it: always safe, but for what is asked first by itself."""
        return self.mode not in ASKED_BY_THEMSELVES

    def seconds(self, now: datetime) -> float:
        """How long it took, or has been running until now."""
        return ((self.ended_at or now) - self.started_at).total_seconds()

    def to_json(self) -> dict[str, Any]:
        """As plain values, times in ISO-8601; `seconds` is None while it runs."""
        return {
            **asdict(self),
            "started_at": self.started_at.isoformat(),
            "ended_at": self.ended_at.isoformat() if self.ended_at else None,
            "result": self.result,
            "seconds": self.seconds(self.ended_at) if self.ended_at else None,
        }


def listed_execution(row: Mapping[str, Any]) -> Execution:
    """From a row of ListExecutions: what its name says, without asking again."""
    named = EXECUTION_NAME.fullmatch(row["name"])
    return Execution(
        arn=row["executionArn"],
        name=row["name"],
        status=row["status"].lower(),
        started_at=row["startDate"].astimezone(UTC),
        ended_at=row["stopDate"].astimezone(UTC) if row.get("stopDate") else None,
        collection=named["collection"] if named else None,
        trigger=named["trigger"] if named else None,
    )


def described_execution(answer: Mapping[str, Any]) -> Execution:
    """From DescribeExecution. The name tells the trigger best: a re-run has the input of the execution it repeats."""
    known = listed_execution(answer)
    given = _object(answer.get("input"))
    result = _object(answer.get("output")).get("result")
    result = result if isinstance(result, dict) else {}
    return Execution(
        arn=known.arn,
        name=known.name,
        status=known.status,
        started_at=known.started_at,
        ended_at=known.ended_at,
        collection=given.get("collection", known.collection),
        trigger=known.trigger or given.get("trigger"),
        mode=given.get("mode"),
        outcome=result.get("outcome"),
        version=result.get("version") if result.get("outcome") in _OF_A_VERSION else None,
        error=answer.get("error"),
        cause=answer.get("cause"),
        snapshot_id=given.get("snapshot_id"),
    )


def recorded_execution(row: "ExecutionRow") -> Execution:
    """From a row of the control table, which stays when Step Functions has forgotten the execution. The name tells the
    trigger best, as above."""
    named = EXECUTION_NAME.fullmatch(row.name)
    return Execution(
        arn=row.arn,
        name=row.name,
        status=row.status.lower(),
        started_at=datetime.fromisoformat(row.started_at).astimezone(UTC),
        ended_at=parse_time(row.ended_at),
        collection=row.collection,
        trigger=named["trigger"] if named else row.trigger,
        mode=row.mode,
        outcome=row.outcome,
        version=row.version if row.outcome in _OF_A_VERSION else None,
        error=row.error,
        cause=row.cause,
        snapshot_id=row.snapshot_id,
    )


Unpublished = tuple[datetime, datetime | None]
"""A receipt's change that is in no snapshot: since when, and until when it was pending (None: it is)."""


def unpublished_of(
    oldest_seconds: float | None, quarantined: Sequence[QuarantinedRun], now: datetime
) -> tuple[Unpublished, ...]:
    """What is unpublished of a collection: its oldest pending change, of this age, and what was set aside on suspicion.

    A run that was refused by name was dealt with by the execution that refused it.
    """
    pending = [] if oldest_seconds is None else [(now - timedelta(seconds=oldest_seconds), None)]
    suspected = [run for run in quarantined if run.error == MERGE_KEEPS_FAILING]
    aside = [
        (datetime.fromisoformat(run.since or run.quarantined_at), datetime.fromisoformat(run.quarantined_at))
        for run in suspected
    ]
    return (*pending, *aside)


def heals(later: Execution, failed: Execution, unpublished: Sequence[Unpublished] = ()) -> bool:
    """Whether a later execution did what the failed one left undone.

    A compaction merges whatever is pending, so any later one that came to its end did, unless something is unpublished
    that was pending when the other failed: set aside meanwhile, or pending still. Other modes must have succeeded at
    the same work.
    """
    if later.collection != failed.collection or later.status != "succeeded" or later.started_at <= failed.started_at:
        return False
    if failed.mode in (None, "compact"):
        at = failed.ended_at or failed.started_at
        left = any(since <= at and (until is None or at <= until) for since, until in unpublished)
        return later.mode in (None, "compact") and later.outcome in MERGED and not left
    return (later.mode, later.snapshot_id) == (failed.mode, failed.snapshot_id)


@dataclass(frozen=True)
class CollectionStatus:
    """How one collection is. `behind_seconds` is the age of its oldest change that no snapshot has, 0 without one.

    `fresh_records` of its records lie in `segments`, which no fold has taken up yet. `unseen`: that readers do not see
    the version that is committed, and why, as an execution found; `restored`: what was last brought back to them;
    `went_back`: that HEAD had gone back, and what it forgot was not derived again.
    """

    collection: str
    state: str
    version: int
    projected_version: int
    snapshot_id: str | None
    records: int | None
    dimension: int | None
    shards: int | None
    committed_at: datetime | None
    pending: int
    behind_seconds: float
    holder: str | None
    holder_since: datetime | None
    fence: int
    paused: str | None
    rerun: str | None
    quarantined: int
    last_execution: Execution | None
    problem: str | None
    fresh_records: int = 0
    segments: int = 0
    unseen: str | None = None
    restored: str | None = None
    went_back: str | None = None
    unpublished: tuple[Unpublished, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As plain values, times in ISO-8601."""
        values = asdict(self)
        del values["unpublished"]
        return {
            **values,
            "committed_at": self.committed_at.isoformat() if self.committed_at else None,
            "holder_since": self.holder_since.isoformat() if self.holder_since else None,
            "last_execution": self.last_execution.to_json() if self.last_execution else None,
        }


@dataclass(frozen=True)
class PlanPreview:
    """What a compaction of a collection would do now. `receipts` are keys, `runs` counts their announced deltas."""

    collection: str
    base_version: int
    version: int | None
    receipts: tuple[str, ...]
    runs: int
    shards: tuple[int, ...]
    more: bool
    wait_seconds: float
    plan_key: str | None

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def state_word(*, version: int, pending: int, paused: str | None, unseen: str | None = None) -> str:
    """`unseen`, `paused`, `behind`, `empty` or `current`, the first that fits: what an operator has to know first."""
    if unseen is not None:
        return "unseen"
    if paused is not None:
        return "paused"
    if pending:
        return "behind"
    return "current" if version else "empty"


def parse_time(text: str | None) -> datetime | None:
    """An ISO-8601 time as aware UTC; a time without an offset is taken as UTC."""
    if not text:
        return None
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _object(text: str | None) -> dict[str, Any]:
    """A JSON object, or an empty one: anybody may start an execution with any input."""
    try:
        value = json.loads(text or "{}")
    except json.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}
