"""The strip of the last executions, and what it folds."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from console.web.strip import Folded, strip
from operate.models import IDLE, Execution

NOON = datetime(2026, 7, 28, 12, tzinfo=UTC)
OUTCOMES = st.sampled_from([*IDLE, "published", "planned", None])


def execution(number: int, outcome: str | None) -> Execution:
    return Execution(
        arn=f"arn:{number}",
        name=f"words-schedule-{number:032x}",
        status="succeeded" if outcome else "failed",
        started_at=NOON - timedelta(seconds=number),
        ended_at=NOON,
        collection="words",
        trigger="schedule",
        mode="compact",
        outcome=outcome,
    )


def made_of(outcomes: list[str | None]) -> list[Execution]:
    return [execution(number, outcome) for number, outcome in enumerate(outcomes)]


def test_those_that_had_nothing_to_do_are_one_tick_with_their_number() -> None:
    recent = made_of(["nothing_pending", "coalesced", "published", "nothing_to_fold", None, "planned"])
    assert strip(recent, 9) == [
        Folded(2, recent[0], recent[1]),
        recent[2],
        Folded(1, recent[3], recent[3]),
        recent[4],
        recent[5],
    ]


@given(st.lists(OUTCOMES, max_size=60), st.integers(1, 70))
def test_every_execution_is_in_the_strip_until_it_is_full(outcomes: list[str | None], most: int) -> None:
    recent = made_of(outcomes)
    ticks = strip(recent, most)
    assert len(ticks) <= most
    shown = [one for one in ticks if not isinstance(one, Folded)]
    counted = sum(one.count for one in ticks if isinstance(one, Folded)) + len(shown)
    assert shown == [one for one in recent[:counted] if one.result not in IDLE]
    assert counted == len(recent) or len(ticks) == most
