"""Every state of the projection, for small bounds: commits, late attempts of SwapPointer, a restored table, a lost EFS.

A snapshot is a place (version, fence) and a content. The law: once nothing is in flight, one scheduled execution makes
CURRENT, on EFS and in the bucket, what HEAD names, and a reader of either, which only goes forward, has HEAD's content
after its next refresh. `compaction restore` does so whatever happened; so does the schedule where EFS *and* the table
went back together, since the bucket's CURRENT did not. Each guard that is left out has a schedule that breaks it.
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
    """One invocation of SwapPointer. `writes`: what CURRENT will be; `over`: what its restore was made from.

    shown: the one CURRENT says it, and the other is next.
    """

    holder: int
    fence: int
    writes: Named | None = None
    over: Named | None = None
    shown: bool = False


NOTHING = Named((0, 0), 0)


@dataclass(frozen=True)
class State:
    head: Head = Head(NOTHING, 0, 0)
    current: Named | None = None
    stored: Named | None = None
    reader: Named = NOTHING
    afar: Named = NOTHING
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
    compares_the_bucket: bool = True
    stored_forward_only: bool = True
    bucket_first: bool = True
    efs_alone: bool = False
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
            if attempt.shown:
                yield "an end between the one CURRENT and the other", replace(state, attempts=others)
        alone = self.by_hand or not (state.attempts and (state.restores or state.losses))
        agree = self.efs_alone and state.current is not None and state.current.place < state.reader.place
        if state.restores < most.restores and alone and not agree:
            for backup in state.backups:
                yield "the table is restored", replace(state, head=backup, restores=state.restores + 1)
        if state.losses < most.losses and state.current and alone:
            yield "EFS is lost", replace(state, current=None, losses=state.losses + 1)
            for backup in () if self.efs_alone else state.backups:
                if backup.named.content and backup.named.place < state.current.place:
                    yield "EFS goes back", replace(state, current=backup.named, losses=state.losses + 1)
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
                seen = [one.place[0] for one in (state.current, state.stored) if one]
                place = (1 + max([*named, *seen, head.named.place[0]]), attempt.fence)
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
            left = () if attempt.shown or self.efs_alone else (replace(attempt, shown=True),)
            if self.efs_alone or attempt.shown == self.bucket_first:
                moves = passes(attempt.writes, state.current) or not self.forward_only
                after = replace(state, current=attempt.writes)
            else:
                moves = passes(attempt.writes, state.stored) or not self.stored_forward_only
                after = replace(state, stored=attempt.writes)
            yield (after if moves and attempt.writes.content else state), left

    def is_ahead(self, state: State) -> bool:
        seen = [state.current, state.stored if self.compares_the_bucket else None]
        if any(one and one.place > state.head.named.place for one in seen):
            return True
        missing = state.current is None and self.asks_the_bucket
        return missing and any(one.place > state.head.named.place for one in state.bucket)

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
        sides = [(state.current, state.reader), (state.stored, state.afar)][: 1 if self.efs_alone else 2]
        return not named.content or all(shown == named and one.content == named.content for shown, one in sides)

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


def passes(new: Named, there: Named | None) -> bool:
    return there is None or new.place > there.place


def refreshed(state: State) -> State:
    current, stored = state.current, state.stored
    if current and current.place > state.reader.place:
        state = replace(state, reader=current)
    return replace(state, afar=stored) if stored and stored.place > state.afar.place else state


FEWER = State(executions=2, commits=2, restores=1, losses=1, swaps=2)


def test_one_scheduled_execution_brings_readers_to_what_head_names_from_every_state() -> None:
    assert Model(most=FEWER).bad_schedule() is None


@pytest.mark.slow
@pytest.mark.parametrize("by_hand", [False, True])
def test_so_it_does_with_more_executions_and_so_does_a_restore_by_hand(by_hand: bool) -> None:
    assert Model(by_hand=by_hand).bad_schedule() is None


def test_so_it_does_after_a_release_that_wrote_no_current_to_the_bucket() -> None:
    """Unless EFS and the table went back together, so that they agree."""
    assert Model(efs_alone=True).bad_schedule() is None


@pytest.mark.parametrize("guard", ["past_everything", "compares", "compares_the_bucket", "bucket_first"])
def test_each_guard_that_is_left_out_has_a_schedule_after_which_readers_keep_something_else(guard: str) -> None:
    assert_has_bad_schedule(Model(most=replace(FEWER, commits=3)), guard)


@pytest.mark.slow
def test_so_has_the_condition_of_the_write_to_the_bucket() -> None:
    assert_has_bad_schedule(Model(most=replace(FEWER, commits=3)), "stored_forward_only")


@pytest.mark.parametrize("guard", ["forward_only", "past_everything", "asks_the_bucket", "compares"])
def test_where_the_bucket_has_no_current_those_of_efs_have_one(guard: str) -> None:
    assert_has_bad_schedule(Model(most=replace(FEWER, commits=3), efs_alone=True), guard)


def assert_has_bad_schedule(model: Model, guard: str) -> None:
    way = replace(model, **{guard: False}).bad_schedule()
    assert way is not None
    assert any("table" in step or "EFS" in step for step in way)
