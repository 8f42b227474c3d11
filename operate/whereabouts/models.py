"""Where a receipt's changes are, as values. Times are aware, None where nobody wrote them down, or not readably."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

WAITING, QUARANTINED, SERVED, ABSENT = "waiting", "quarantined", "served", "absent"
STATES: Final = (WAITING, QUARANTINED, SERVED, ABSENT)
"""Of a receipt in one collection, the first that fits: changes wait for a round; a run waits for a person; the current
version has records of it; it has none."""


@dataclass(frozen=True)
class MergedChange:
    """What one version brought of the receipt: changes, the oldest of which came at `came_at`, seen from `seen_at` on.

    runs: vectors by run id. counts: records by what happened to them, None where the report is gone. taken_back: the
    rollback, by version, that readers see since without it.
    """

    version: int
    execution: str
    came_at: datetime | None
    seen_at: datetime | None
    exists: bool
    runs: Mapping[str, int]
    counts: Mapping[str, int] | None
    taken_back: int | None = None


@dataclass(frozen=True)
class RunOfReceipt:
    """One run. state: that of its item in lower case, but `quarantined` while it waits for a person, `taken back` where
    a rollback left it out since, `of an earlier receipt` where it is older than the receipt, `for no generation` where
    no generation that is kept up has its model.

    version: from which version on readers see it. says: why it is not, or not all of it.
    """

    run_id: str
    state: str
    announced_at: datetime | None
    finished_at: datetime | None
    vectors: int
    version: int | None
    says: str | None


@dataclass(frozen=True)
class PendingChange:
    """Changes that no snapshot has. together: 0, or with fewer than how many others it is merged, as a suspect."""

    since: datetime | None
    last: datetime | None
    reasons: tuple[str, ...]
    attempts: int
    together: int


@dataclass(frozen=True)
class Where:
    """One collection's side of a receipt.

    version: the current one, 0 before the first; readers: the one that readers see. records: those of the receipt in
    the current version, None where `problem` says why nobody can tell. since: the oldest version from which on all have
    some, as far as is known. as_of: the version that wrote them as they are, a fold for instance.

    changes: of the newest `looked_at` versions, and of those that its runs name, whose plans name the receipt.
    """

    collection: str
    version: int
    readers: int
    paused: str | None
    records: int | None
    since: int | None
    as_of: int | None
    pending: PendingChange | None
    runs: tuple[RunOfReceipt, ...]
    more_runs: int
    changes: tuple[MergedChange, ...]
    looked_at: int
    problem: str | None

    @property
    def state(self) -> str:
        """One of STATES."""
        if self.pending is not None:
            return WAITING
        if any(run.state == QUARANTINED for run in self.runs):
            return QUARANTINED
        return SERVED if self.records else ABSENT


@dataclass(frozen=True)
class ReceiptWhere:
    """A receipt, given by key: whether the table has it, since when, and where it is in each collection."""

    receipt: str
    exists: bool
    added_at: str | None
    collections: tuple[Where, ...]

    def to_json(self) -> dict[str, Any]:
        """As plain values, times in ISO-8601."""
        found = {where.collection: {"state": where.state, **_plain(asdict(where))} for where in self.collections}
        return {**asdict(self), "collections": found}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value.isoformat() if isinstance(value, datetime) else value
