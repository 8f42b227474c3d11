"""Every state of the projection, for small bounds: commits, late attempts of SwapPointer, a restored table, a lost EFS.

A snapshot is a place (version, fence) and a content. The law: once nothing is in flight, one scheduled execution makes
CURRENT what HEAD names, and a reader, which only goes forward, has HEAD's content after its next refresh. `compaction
restore` does so whatever happened; the schedule unless EFS *and* the table went back together, so that they agree. Each
guard that is left out has a schedule that breaks it.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

Place = tuple[int, int]


@dataclass(frozen=True)
class Named:
    place: Place
    content: int


@dataclass(frozen=True)
class Head:
    named: Named
    fence: int
    holder: int


@dataclass(frozen=True)
class Attempt:
    """One invocation of SwapPointer. `writes`: what CURRENT will be; `over`: what its restore was made from."""

    holder: int
    fence: int
    writes: Named | None = None
    over: Named | None = None


NOTHING = Named((0, 0), 0)


@dataclass(frozen=True)
class State:
    head: Head = Head(NOTHING, 0, 0)
    current: Named | None = None
    reader: Named = NOTHING
    bucket: tuple[Named, ...] = ()
    backups: tuple[Head, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    executions: int = 0
    commits: int = 0
    restores: int = 0
    losses: int = 0
    swaps: int = 0


@dataclass(frozen=True)
class Model:
    forward_only: bool = True
    past_everything: bool = True
    asks_the_bucket: bool = True
    compares: bool = True
    by_hand: bool = False
    most: State = State(executions=3, commits=2, restores=1, losses=1, swaps=2)

    def moves(self, state: State) -> Iterator[tuple[str, State]]:
        head, most = state.head, self.most
        if state.executions < most.executions:
            yield "acquire", self.acquired(state)
        if state.commits < most.commits and head.holder:
            content, place = state.commits + 1, (head.named.place[0] + 1, head.fence)
            if all(one.place != place for one in state.bucket):  # or ManifestConflict
                new = Named(place, content)
                lost = replace(state, bucket=(*state.bucket, new), commits=content)
                yield "a commit that never was", lost
                committed = replace(head, named=new)
                yield "commit", replace(lost, head=committed, backups=tuple({*state.backups, head}))
        if state.swaps < most.swaps and head.holder:
            attempt = Attempt(head.holder, head.fence)
            yield "swap", replace(state, attempts=(*state.attempts, attempt), swaps=state.swaps + 1)
        for number, attempt in enumerate(state.attempts):
            others = state.attempts[:number] + state.attempts[number + 1 :]
            for after, left in self.stepped(state, attempt):
                yield "step", replace(after, attempts=(*others, *left))
        alone = self.by_hand or not (state.attempts and (state.restores or state.losses))
        agree = state.current is not None and state.current.place < state.reader.place
        if state.restores < most.restores and alone and (self.by_hand or not agree):
            for backup in state.backups:
                yield "the table is restored", replace(state, head=backup, restores=state.restores + 1)
        if state.losses < most.losses and state.current and alone:
            yield "EFS is lost", replace(state, current=None, losses=state.losses + 1)
        yield "refresh", refreshed(state)

    def acquired(self, state: State) -> State:
        number = state.executions + 1
        return replace(state, executions=number, head=replace(state.head, fence=state.head.fence + 1, holder=number))

    def stepped(
        self, state: State, attempt: Attempt, *, asked: bool = False
    ) -> Iterator[tuple[State, tuple[Attempt, ...]]]:
        """What an attempt does next; it may also end anywhere."""
        head = state.head
        mine = (head.holder, head.fence) == (attempt.holder, attempt.fence)
        if attempt.writes is None:
            if not mine:
                yield state, ()
            elif self.compares and head.named.content and (asked or self.is_ahead(state)):
                named = [one.place[0] for one in state.bucket] if self.past_everything else []
                place = (1 + max([*named, head.named.place[0], (state.current or NOTHING).place[0]]), attempt.fence)
                new = Named(place, head.named.content)
                if all(one == new or one.place != place for one in state.bucket):
                    bucket = tuple(dict.fromkeys((*state.bucket, new)))
                    yield replace(state, bucket=bucket), (replace(attempt, writes=new, over=head.named),)
            else:
                yield state, (replace(attempt, writes=head.named),)
        elif attempt.over is not None:
            if mine and head.named == attempt.over:
                yield replace(state, head=replace(head, named=attempt.writes)), (replace(attempt, over=None),)
            else:
                yield state, (replace(attempt, writes=head.named, over=None),) if mine else ()
        else:
            moves = state.current is None or not self.forward_only or attempt.writes.place > state.current.place
            yield (replace(state, current=attempt.writes) if moves and attempt.writes.content else state), ()

    def is_ahead(self, state: State) -> bool:
        if state.current is None:
            return self.asks_the_bucket and any(one.place > state.head.named.place for one in state.bucket)
        return state.current.place > state.head.named.place

    def heals(self, state: State) -> bool:
        """One more execution, alone, then a refresh."""
        state = self.acquired(state)
        asked = self.by_hand and any(one.place > state.head.named.place for one in state.bucket)
        attempt: tuple[Attempt, ...] = (Attempt(state.head.holder, state.head.fence),)
        while attempt:
            went = next(self.stepped(state, attempt[0], asked=asked), None)
            if went is None:
                return False  # ManifestConflict, and the next one has no better luck
            state, attempt = went
        state = refreshed(state)
        named = state.head.named
        return not named.content or (state.current == named and state.reader.content == named.content)

    def bad_schedule(self) -> list[str] | None:
        """The shortest way to a state that a scheduled execution does not heal; None when there is none."""
        came_from: dict[State, tuple[str, State] | None] = {State(): None}
        waiting = deque(came_from)
        while waiting:
            state = waiting.popleft()
            if not state.attempts and not self.heals(state):
                way: list[str] = []
                step = came_from[state]
                while step is not None:
                    way.append(step[0])
                    step = came_from[step[1]]
                return way[::-1]
            for name, after in self.moves(state):
                if after not in came_from:
                    came_from[after] = (name, state)
                    waiting.append(after)
        assert len(came_from) > 1_000, "the search looked at next to nothing"
        return None


def refreshed(state: State) -> State:
    current = state.current
    return replace(state, reader=current) if current and current.place > state.reader.place else state


def test_one_scheduled_execution_brings_readers_to_what_head_names_from_every_state() -> None:
    assert Model().bad_schedule() is None


def test_a_restore_by_hand_does_so_even_where_efs_and_the_table_went_back_together() -> None:
    assert Model(by_hand=True).bad_schedule() is None


@pytest.mark.parametrize("guard", ["forward_only", "past_everything", "asks_the_bucket", "compares"])
def test_each_guard_that_is_left_out_has_a_schedule_after_which_readers_keep_something_else(guard: str) -> None:
    most = State(executions=2, commits=3, restores=1, losses=1, swaps=2)
    way = replace(Model(most=most), **{guard: False}).bad_schedule()
    assert way is not None
    assert any("table" in step or "EFS" in step for step in way)
