"""One execution in `publishing`: for each state of the machine that reads or writes, what it does.

Each function has the state's name and yields what may come of it: in words, the world afterwards, and the execution
afterwards; what goes well first. States between them that only choose are folded into the one before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from publishing import State

Place = tuple[int, int]
NOBODY = -1
ROUNDS = 2  # 60 in the machine
ENDS = ("Finished", "Coalesced", "Paused", "Fenced", "RollbackOvertaken", "ManifestConflict")


class Guard(StrEnum):
    """Where each one stands: a state or a file, and the text there."""

    ACQUIRE_FREE = "AcquireLease | attribute_not_exists(holder) OR holder = :me"
    ACQUIRE_FENCE = "AcquireLease | ADD fence :one"
    TAKE_OVER_SEEN = "TakeOverLease | holder = :seen AND fence = :seen_fence"
    RERUN_SEEN = "RequestRerun | holder = :seen AND fence = :seen_fence"
    COMPACT_COALESCES = 'HolderState | "StringEquals": "compact"'
    HELD_BY_ME = 'HolderState | "StringEqualsPath": "$.execution.arn"'
    TURN_SEEN = "AskForTurn | holder = :seen AND fence = :seen_fence"
    HAND_OVER_RERUN = "HandOverLease | rerun = :now"
    RELEASE_MINE = "ReleaseLease | holder = :me AND fence = :fence"
    RELEASE_RERUN = "ReleaseLease | attribute_not_exists(rerun)"
    BOUND_MINE = "ReleaseAtBound | holder = :me AND fence = :fence"
    PAUSED_MINE = "ReleasePaused | holder = :me AND fence = :fence"
    PAUSED_STILL = "ReleasePaused | attribute_exists(paused)"
    CLEAR_MINE = "ClearRerun | holder = :me AND fence = :fence"
    PROJECT_FIRST = 'IsProjected | "NumericLessThanPath": "$.lease.version"'
    TOKENS_FIRST = "stream_package/receipt_dynamo_stream/round/planning.py | waiting = pending.read()"
    CONFIRM = "ConfirmLease | holder = :me AND fence = :fence AND version = :base"
    COMMIT_MINE = "CommitSnapshot | holder = :me AND fence = :fence"
    COMMIT_BASE = "CommitSnapshot | version = :base"
    COMMIT_PAUSED = "CommitSnapshot | attribute_not_exists(paused)"
    ROLLBACK_MINE = "CommitRollback | holder = :me AND fence = :fence"
    ROLLBACK_BASE = "CommitRollback | version = :base"
    ROLLBACK_PAUSED = "CommitRollback | attribute_exists(paused)"
    RESOLVE_MINE = 'WhoseCommit | "StringEqualsPath": "$.manifest.snapshot_id"'
    RESOLVE_AGAIN = 'WhoseCommit | "StringEqualsPath": "$.lease.head.fence.N"'
    CURRENT_FORWARD = "chroma_package/receipt_chroma/snapshot/pointer.py | there.place > self.place"
    SETTLE_TOKEN = "stream_package/receipt_dynamo_stream/control/pending.py | #change = :change"  # noqa: S105
    TOKEN_NEW = "stream_package/receipt_dynamo_stream/control/pending.py | SET #change = :token"  # noqa: S105
    UNPAUSE_PAUSED = "stream_package/receipt_dynamo_stream/control/pausing.py | paused = :paused"
    UNPAUSE_SNAPSHOT = "stream_package/receipt_dynamo_stream/control/pausing.py | snapshot_id = :snapshot"
    RESUME_MARKS = "stream_package/receipt_dynamo_stream/control/pausing.py | marked = mark(seen.head)"


class Execution(NamedTuple):
    """What Step Functions and the running function know. `part` counts the reads and writes within one state."""

    mode: str  # compact, schedule, rollback, fold
    at: str = "AcquireLease"
    part: int = 0
    stopped: bool = False
    round: int = 0
    fence: int = 0
    seen: tuple[int, int] = (NOBODY, 0)
    paused: int = 0  # HEAD's flag, and who waited, when the lease was acquired or the round began
    waiting: int = NOBODY
    base: int = 0
    was: int = 0  # the content of the base
    token: int = 0
    content: int = 0  # what the round publishes
    shown: Place = (0, 0)  # what SwapPointer read

    def ended(self, at: str) -> Execution:
        """It is over, and what it knew with it."""
        return Execution(self.mode, at)

    def to(self, at: str, **more: object) -> Execution:
        return self._replace(at=at, part=0, **more)  # type: ignore[arg-type]


Outcome = tuple[str, "State", Execution]
Without = frozenset[StrEnum]


def mine(world: State, me: int, own: Execution) -> bool:
    return world.head.holder == me and world.head.fence == own.fence


def _failed(world: State, me: int, own: Execution, at: str) -> tuple[State, Execution]:
    """Who fails while it holds the lease leaves what was asked of it to the schedule: there is no cleanup path. So does
    an overtaken rollback, and one that is fenced by its own acquisition, which came once more, late."""
    fenced_itself = world.head.holder == me and (world.head.fence != own.fence or at == "RollbackOvertaken")
    return world.disturbed() if fenced_itself else world, own.ended(at)


def _leased(world: State, own: Execution, without: Without) -> Execution:
    """AcquireLease, TakeOverLease and ClearRerun return HEAD; IsProjected and WhichWork read it."""
    head = world.head
    own = own._replace(fence=head.fence, paused=head.paused, waiting=head.waiting)
    unseen = world.projected < head.version and Guard.PROJECT_FIRST not in without
    if unseen or (own.mode == "schedule" and own.round == 0):
        return own.to("SwapCommitted")
    return _which_work(own)


def _which_work(own: Execution) -> Execution:
    if own.mode == "rollback" and own.round == 0:
        return own.to("PrepareRollback")
    if own.mode == "fold" and own.round == 0 and not own.paused:
        return own.to("ReleaseLease")  # what it commits is looked at in `folding`
    return own.to("ReleasePaused" if own.paused else "PlanCompaction")


def pause_for_rollback(world: State, me: int, own: Execution, without: Without) -> Iterator[Outcome]:
    yield "", world.pause(), own.to("AcquireLease")


def acquire_lease(world: State, me: int, own: Execution, without: Without) -> Iterator[Outcome]:
    head = world.head
    if head.holder in (NOBODY, me) or Guard.ACQUIRE_FREE in without:
        fence = head.fence + (Guard.ACQUIRE_FENCE not in without)
        world = world.with_head(holder=me, fence=fence, waiting=NOBODY)
        yield "", world, _leased(world, own, without)
    else:
        yield "held", world, own.to("InspectHolder")


def inspect_holder(world: State, me: int, own: Execution, without: Without) -> Iterator[Outcome]:
    head = world.head
    own = own._replace(seen=(head.holder, head.fence))
    if head.holder == NOBODY:
        yield "free again", world, own.to("AcquireLease")
        return
    if head.holder == me and Guard.HELD_BY_ME not in without:
        yield "mine, by an attempt that was late", world, own.to("AcquireLease")
        return
    dead = not world.runs(head.holder)
    asks = "RequestRerun" if own.mode in ("compact", "schedule") or Guard.COMPACT_COALESCES in without else "AskForTurn"
    yield ("no longer running" if dead else "running"), world, own.to("TakeOverLease" if dead else asks)
    if not dead and world.left.wrong:
        yield "wrongly: no longer running", world.spend("wrong").disturbed(), own.to("TakeOverLease")


def take_over_lease(world: State, me: int, own: Execution, without: Without) -> Iterator[Outcome]:
    head = world.head
    if (head.holder, head.fence) == own.seen or Guard.TAKE_OVER_SEEN in without:
        fence = head.fence + (Guard.ACQUIRE_FENCE not in without)
        world = world.with_head(holder=me, fence=fence, waiting=NOBODY, rerun=False)
        yield "", world, _leased(world, own, without)
    else:
        yield "refused", world, own.to("AcquireLease")


def request_rerun(world: State, me: int, own: Execution, without: Without) -> Iterator[Outcome]:
    if (world.head.holder, world.head.fence) == own.seen or Guard.RERUN_SEEN in without:
        yield "", world.with_head(rerun=True), own.ended("Coalesced")
    else:
        yield "refused", world, own.to("AcquireLease")


def ask_for_turn(world: State, me: int, own: Execution, without: Without) -> Iterator[Outcome]:
    if (world.head.holder, world.head.fence) == own.seen or Guard.TURN_SEEN in without:
        yield "", world.with_head(waiting=me), own.to("AcquireLease")
    else:
        yield "refused", world, own.to("AcquireLease")


def release_paused(world: State, me: int, own: Execution, without: Without) -> Iterator[Outcome]:
    is_mine = mine(world, me, own) or Guard.PAUSED_MINE in without
    if is_mine and (world.head.paused or Guard.PAUSED_STILL in without):
        yield "", world.with_head(holder=NOBODY, rerun=False), own.ended("Paused")
    else:
        yield "refused", world, own.to("ClearRerun", round=own.round + 1)


def plan_compaction(world: State, me: int, own: Execution, without: Without) -> Iterator[Outcome]:
    reads = ("facts", "tokens") if Guard.TOKENS_FIRST in without else ("tokens", "facts")
    if own.part == 0:
        yield "reads the base", world, own._replace(part=1, base=world.head.version, was=world.head.content)
        return
    what = reads[own.part - 1]
    own = own._replace(token=world.token) if what == "tokens" else own._replace(content=world.fact)
    if own.part == 1 and not (what == "tokens" and not own.token):
        yield f"reads the {what}", world, own._replace(part=2)
    elif not own.token:
        yield "finds nothing pending", world, own.to("ReleaseLease")
    else:
        yield f"reads the {what}", world, own.to("ConfirmLease" if own.content == own.was else "WriteManifest")


def confirm_lease(world: State, me: int, own: Execution, without: Without) -> Iterator[Outcome]:
    if (mine(world, me, own) and world.head.version == own.base) or Guard.CONFIRM in without:
        yield "", world, own.to("SettleChanges")
    else:
        yield "refused", *_failed(world, me, own, "Fenced")


def write_manifest(world: State, me: int, own: Execution, without: Without) -> Iterator[Outcome]:
    yield from _written(world, me, own, "CommitSnapshot")


def prepare_rollback(world: State, me: int, own: Execution, without: Without) -> Iterator[Outcome]:
    own = own._replace(base=world.head.version, content=0)  # to the first version
    yield from _written(world, me, own, "CommitRollback")


def _written(world: State, me: int, own: Execution, then: str) -> Iterator[Outcome]:
    name = (own.base + 1, own.fence, own.round)
    there = dict(world.manifests).get(name, own.content)
    if there != own.content:
        yield "finds another manifest of this name", *_failed(world, me, own, "ManifestConflict")
    else:
        yield "", world._replace(manifests=world.manifests | {(name, own.content)}), own.to(then)


def commit_snapshot(world: State, me: int, own: Execution, without: Without) -> Iterator[Outcome]:
    may = not world.head.paused or Guard.COMMIT_PAUSED in without
    yield from _committed(world, me, own, may, without, Guard.COMMIT_MINE, Guard.COMMIT_BASE)


def commit_rollback(world: State, me: int, own: Execution, without: Without) -> Iterator[Outcome]:
    may = bool(world.head.paused) or Guard.ROLLBACK_PAUSED in without
    yield from _committed(world, me, own, may, without, Guard.ROLLBACK_MINE, Guard.ROLLBACK_BASE)


def _committed(
    world: State, me: int, own: Execution, may: bool, without: Without, lease: Guard, base: Guard
) -> Iterator[Outcome]:
    is_mine = mine(world, me, own) or lease in without
    follows = world.head.version == own.base or base in without
    if may and is_mine and follows:
        kind = "rollback" if base is Guard.ROLLBACK_BASE else "compact"
        after = world.with_head(version=own.base + 1, content=own.content, made=(own.fence, own.round, kind))
        after = after._replace(rolled=world.rolled or kind == "rollback")
        yield "", after, own.to("SwapPointer")
    else:
        after = world
        yield "refused", world, own.to("ResolveCommit")
    if world.left.lost:
        yield "does it, the answer is lost", after.spend("lost"), own.to("ResolveCommit")
        yield "is lost on its way", world.spend("lost"), own.to("ResolveCommit")


def resolve_commit(world: State, me: int, own: Execution, without: Without) -> Iterator[Outcome]:
    head, is_rollback = world.head, own.mode == "rollback" and own.round == 0
    named = head.version == own.base + 1 and head.made[:2] == (own.fence, own.round)
    if named and Guard.RESOLVE_MINE not in without:
        yield "mine", world, own.to("SwapPointer")
    elif mine(world, me, own) and head.version == own.base and Guard.RESOLVE_AGAIN not in without:
        if is_rollback and not head.paused:
            yield "resumed meanwhile", *_failed(world, me, own, "RollbackOvertaken")
        elif not is_rollback and head.paused:
            yield "paused meanwhile", world, own.to("ReleasePaused")
        else:
            yield "still to be made", world, own.to("CommitRollback" if is_rollback else "CommitSnapshot")
    else:
        yield "another's", *_failed(world, me, own, "Fenced")


def swap_pointer(world: State, me: int, own: Execution, without: Without) -> Iterator[Outcome]:
    is_rollback = own.mode == "rollback" and own.round == 0
    yield from _swapped(world, me, own, own.to("ReleaseLease" if is_rollback else "SettleChanges"), without)


def swap_committed(world: State, me: int, own: Execution, without: Without) -> Iterator[Outcome]:
    yield from _swapped(world, me, own, _which_work(own._replace(paused=world.head.paused)), without)


def _swapped(world: State, me: int, own: Execution, then: Execution, without: Without) -> Iterator[Outcome]:
    if own.part == 0:
        if mine(world, me, own):
            yield "reads HEAD", world, own._replace(part=1, shown=(world.head.version, world.head.made[0]))
        else:
            yield "no longer holds the lease", *_failed(world, me, own, "Fenced")
    else:
        forward = own.shown > world.current or Guard.CURRENT_FORWARD in without
        world = world._replace(
            current=own.shown if forward else world.current, projected=max(world.projected, own.shown[0])
        )
        yield "writes CURRENT", world, then._replace(shown=(0, 0))


def settle_changes(world: State, me: int, own: Execution, without: Without) -> Iterator[Outcome]:
    if world.token == own.token or Guard.SETTLE_TOKEN in without:
        world = world._replace(token=0)
    yield "", world, own.to("ReleaseLease")


def release_lease(world: State, me: int, own: Execution, without: Without) -> Iterator[Outcome]:
    is_mine = mine(world, me, own) or Guard.RELEASE_MINE in without
    if is_mine and (not world.head.rerun or Guard.RELEASE_RERUN in without):
        yield "", world.with_head(holder=NOBODY), own.ended("Finished")
    else:
        last = own.round + 1 >= ROUNDS
        yield "refused", world, own.to("ReleaseAtBound" if last else "ClearRerun", round=own.round + (not last))


def clear_rerun(world: State, me: int, own: Execution, without: Without) -> Iterator[Outcome]:
    if mine(world, me, own) or Guard.CLEAR_MINE in without:
        world = world.with_head(rerun=False)
        then = own.to("HandOverLease") if world.head.waiting != NOBODY else _leased(world, own, without)
        yield "", world, then
    else:
        yield "refused", *_failed(world, me, own, "Finished")


def hand_over_lease(world: State, me: int, own: Execution, without: Without) -> Iterator[Outcome]:
    head = world.head
    if mine(world, me, own) and head.waiting != NOBODY:
        if world.executions[head.waiting].stopped:
            world = world.disturbed()  # the round that was asked for waits for the schedule: decision 15
        rerun = head.rerun if Guard.HAND_OVER_RERUN in without else True
        world = world.with_head(holder=head.waiting, rerun=rerun, waiting=NOBODY)
    yield "", world, own.ended("Finished")


def release_at_bound(world: State, me: int, own: Execution, without: Without) -> Iterator[Outcome]:
    if mine(world, me, own):
        world = world.with_head(holder=NOBODY, rerun=False).disturbed()  # the schedule goes on
    elif Guard.BOUND_MINE in without:
        world = world.with_head(holder=NOBODY, rerun=False)
    yield "", *_failed(world, me, own, "Finished")


DOES: dict[str, Callable[[State, int, Execution, Without], Iterator[Outcome]]] = {
    "PauseForRollback": pause_for_rollback,
    "AcquireLease": acquire_lease,
    "InspectHolder": inspect_holder,
    "TakeOverLease": take_over_lease,
    "RequestRerun": request_rerun,
    "AskForTurn": ask_for_turn,
    "ReleasePaused": release_paused,
    "PlanCompaction": plan_compaction,
    "ConfirmLease": confirm_lease,
    "WriteManifest": write_manifest,
    "PrepareRollback": prepare_rollback,
    "CommitSnapshot": commit_snapshot,
    "CommitRollback": commit_rollback,
    "ResolveCommit": resolve_commit,
    "SwapPointer": swap_pointer,
    "SwapCommitted": swap_committed,
    "SettleChanges": settle_changes,
    "ReleaseLease": release_lease,
    "ClearRerun": clear_rerun,
    "HandOverLease": hand_over_lease,
    "ReleaseAtBound": release_at_bound,
}
