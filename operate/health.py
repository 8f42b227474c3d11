"""Is a collection healthy? One word and the sentences that say why, from what is known of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from operate.models import FAILURES, CollectionStatus, Execution, Unpublished, heals
from operate.wording import duration, plain

LATE_SECONDS = 900.0
"""A change that waits longer than this is late: the schedule alone should have merged it three times."""

GOOD, WATCH, BAD = "good", "watch", "bad"


@dataclass(frozen=True)
class Health:
    """`level` is GOOD, WATCH (somebody should know) or BAD (somebody should act)."""

    level: str
    sentences: tuple[str, ...]


def health(status: CollectionStatus, recent: Sequence[Execution], now: datetime) -> Health:
    """`recent` are the collection's newest executions, newest first."""
    bad, watch = [], []
    if status.problem is not None:
        bad.append(f"{status.problem[0].upper()}{status.problem[1:]}.")
    if status.unseen is not None:
        bad.append(f"{status.unseen[0].upper()}{status.unseen[1:]}.")
    if status.went_back is not None:
        bad.append(
            f"HEAD had gone back, and what it forgot is not derived again: `compaction reconcile {status.collection}`."
            f" {status.went_back}"
        )
    if status.behind_seconds > LATE_SECONDS and status.paused is None:
        bad.append(f"The oldest change has waited for {duration(status.behind_seconds)}.")
    if (failed := unhealed_failure(recent, status.unpublished)) is not None:
        ago = duration((now - (failed.ended_at or failed.started_at)).total_seconds())
        bad.append(f"The execution that ended {ago} ago {plain(failed.result)}, and none has made it good.")
    if status.paused is not None:
        watch.append(f"Paused: changes collect, nothing is published. {status.paused}")
    if status.projected_version < status.version:
        watch.append(f"Readers still see version {status.projected_version}; version {status.version} is committed.")
    if status.quarantined:
        runs = "1 run waits" if status.quarantined == 1 else f"{status.quarantined} runs wait"
        watch.append(f"{runs} in quarantine for a person.")
    if bad or watch:
        return Health(BAD if bad else WATCH, (*bad, *watch))
    if status.pending:
        return Health(GOOD, (f"Behind by {duration(status.behind_seconds)}: changes are on their way.",))
    if not status.version:
        return Health(GOOD, ("Nothing is published yet, and nothing waits.",))
    return Health(GOOD, (f"Every change is in version {status.version}.",))


def unhealed_failure(recent: Sequence[Execution], unpublished: Sequence[Unpublished] = ()) -> Execution | None:
    """The newest failure among these that no later one of them has made good."""
    for place, one in enumerate(recent):
        if one.result in FAILURES and not any(heals(later, one, unpublished) for later in recent[:place]):
            return one
    return None


def lease_is_left(status: CollectionStatus, recent: Sequence[Execution]) -> bool:
    """Whether the holder of the lease has ended: that is how a failed or stopped execution leaves it, and the next one
    takes it over."""
    return any(one.arn == status.holder and one.status != "running" for one in recent)
