"""Deliberate faults of the implementation, and for each a trial that finds it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

from receipt_chroma import derived, expire, publish, wanted
from receipt_chroma import fold as folding
from receipt_chroma.snapshot import pointer as pointers
from receipt_dynamo_stream import stream_batch
from receipt_dynamo_stream.control.pending import PendingReceipts
from receipt_dynamo_stream.round import planning

from handlers import inspect_holder
from operate import collections

from .effects import Kind
from .scenarios import change, fold, rollback
from .scenarios import publish as publishing
from .trial import WORDS, Trial, at
from .world import Machine

Break = Callable[[Machine], AbstractContextManager[object]]


@dataclass(frozen=True)
class Fault:
    """breaks: what is wrong while entered; find: a trial, but for its end, that meets it; law: which one fails."""

    breaks: Break
    find: Callable[[Trial], None]
    law: str


def of_states(change: Callable[[dict[str, Any]], None], *names: str) -> Break:
    """States of the machine, changed."""

    @contextmanager
    def broken(machine: Machine) -> Iterator[None]:
        states = machine.stepfunctions.definition["States"]
        kept = {name: states[name] for name in names}
        states.update(deepcopy(kept))
        for name in names:
            change(states[name])
        try:
            yield
        finally:
            states.update(kept)

    return broken


def of(target: object, name: str, new: Any) -> Break:
    """A function of the packages, another one in its place."""
    return lambda _machine: patch.object(target, name, new)


def instead_of(part: str, other: str = "", *, of: str = "ConditionExpression") -> Callable[[dict[str, Any]], None]:
    """In an expression of a state, a part is replaced or left out."""

    def change(state: dict[str, Any]) -> None:
        assert part in state["Parameters"][of]
        state["Parameters"][of] = state["Parameters"][of].replace(part, other)

    return change


# -- the faults


def settle_whatever_is_there(pending: PendingReceipts, receipt: Any, _change: str) -> bool:
    key = pending._key(receipt)
    pending.client.delete_item(TableName=pending.table, Key=key)
    return True


def plan_with_tokens_after_facts(bucket: Any, key: str, plan: Any) -> None:
    from handlers.clients import control_table

    now = {one.receipt: one.change for one in control_table().pending(plan.collection).read()}
    receipts = tuple(replace(one, change=now.get(one.facts.receipt, one.change)) for one in plan.receipts)
    real_save(bucket, key, replace(plan, receipts=receipts))


real_save = planning.save_plan
real_folded = folding.folded
real_mark = stream_batch.mark_pending
real_read = stream_batch.read_batch
real_order = wanted.run_order


def keep_no_later_segments(before: Any, report: Any) -> Any:
    return replace(real_folded(before, report), segments=())


def write_in_place(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(content)


def manifest_on_efs_alone(_bucket: Any, folder: Path, manifest: Any) -> None:
    write_in_place(folder / f"manifests/{manifest.snapshot_id}.json", manifest.encode())


def forget_failed_marks(*args: Any, **options: Any) -> dict[Any, Any]:
    real_mark(*args, **options)
    return {}


def only_when_behind(state: dict[str, Any]) -> None:
    """The schedule does not look at EFS."""
    del state["Choices"][1:]


def believe_no_commit(state: dict[str, Any]) -> None:
    """What HEAD names is never mine."""
    del state["Choices"][0]


def forget_what_went(raws: Any) -> Any:
    return real_read(tuple(raw for raw in raws if raw["eventName"] != "REMOVE"))


def newest_first(run: Any) -> tuple[datetime, str]:
    return real_order(run)[0], "".join(chr(0xFFF - ord(one)) for one in run.run_id)


# -- the trials


def overtaken(text: str, *, by_a_change: bool = False) -> Callable[[Trial], None]:
    """A publication whose execution is stopped there; the next one does the work; then the first goes on."""

    def find(trial: Trial) -> None:
        if by_a_change:
            trial.meanwhile(text, change)
        goes_wrong(text, Kind.OVERTAKE)(trial)

    return find


def goes_wrong(text: str, kind: Kind) -> Callable[[Trial], None]:
    def find(trial: Trial) -> None:
        trial.go_wrong(at(text, kind))
        trial.machine.gate.picks = 0  # what is refused is throttled
        publishing(trial)
        trial.run()

    return find


def change_comes_at(text: str, act: Callable[[Trial], None] = publishing) -> Callable[[Trial], None]:
    """While an act is there, one of the receipts that it works on changes; nothing fails, so nothing may wait."""

    def find(trial: Trial) -> None:
        trial.meanwhile(text, change)
        act(trial)
        trial.is_prompt()

    return find


def word_goes(trial: Trial) -> None:
    trial.producer.remove_word("aaaa", 1)
    trial.deliver()
    trial.run()


def no_answer_of_a_commit(trial: Trial) -> None:
    goes_wrong(COMMIT, Kind.LOSE_ANSWER)(trial)
    trial.is_prompt()


def paused_before_a_commit(trial: Trial) -> None:
    def pause(trial: Trial) -> None:
        trial.operator("pause", lambda stack: stack.collections.pause(WORDS, "a person wants it so"))

    trial.meanwhile(COMMIT, pause)
    publishing(trial)
    trial.run()


def two_runs(trial: Trial) -> None:
    """Of the same moment: the id decides."""
    trial.producer.announce("aaaa", at="2026-02-01T00:00:00+00:00")
    trial.producer.announce("aaaa", at="2026-02-01T00:00:00+00:00")
    trial.deliver()
    trial.run()


def efs_is_lost(trial: Trial) -> None:
    shutil.rmtree(trial.machine.efs / "words")
    trial.watch.efs_is_lost()


def hours_later(trial: Trial) -> None:
    trial.machine.scheduler.now += timedelta(hours=5)
    publishing(trial)
    trial.run()


def another_fold(trial: Trial) -> None:
    """A fold is overtaken by another one, and by a change after it."""

    def other(trial: Trial) -> None:
        fold(trial)
        change(trial)

    trial.meanwhile("invoke ValidateFold", other)
    fold(trial)
    trial.is_prompt()


COMMIT = "CommitSnapshot: dynamodb"
A_LEASE = "holder = :me AND fence = :fence AND version = :base AND attribute_not_exists(paused)"
FAULTS: dict[str, Fault] = {
    "a commit needs neither lease nor base": Fault(
        of_states(instead_of(A_LEASE, f"attribute_exists(PK) OR {A_LEASE}"), "CommitSnapshot"),
        overtaken(COMMIT),
        "VersionsOnlyGrow",
    ),
    "a commit without an answer counts as refused": Fault(
        of_states(believe_no_commit, "WhoseCommit"), no_answer_of_a_commit, "ReadersNeverMix"
    ),
    "a paused collection is published": Fault(
        of_states(instead_of(" AND attribute_not_exists(paused)"), "CommitSnapshot"),
        paused_before_a_commit,
        "PausedPublishesNothing",
    ),
    "the fence stays what it is": Fault(
        of_states(instead_of("ADD fence :one", of="UpdateExpression"), "AcquireLease", "TakeOverLease"),
        overtaken("WriteManifest: dynamodb.PutItem"),
        "NoChangeLost",
    ),
    "a dead holder counts as running": Fault(
        of(inspect_holder, "is_running", lambda *_: True), goes_wrong("invoke MergeDeltas", Kind.STOP), "CrashLeaves"
    ),
    "a lease is given back though a round was asked for": Fault(
        of_states(instead_of(" AND attribute_not_exists(rerun)"), "ReleaseLease"),
        change_comes_at("ReleaseLease: dynamodb"),
        "NoChangeLost",
    ),
    "a receipt is settled whatever its token is": Fault(
        of(PendingReceipts, "settle", settle_whatever_is_there), change_comes_at("invoke SettleChanges"), "NoChangeLost"
    ),
    "a plan takes its tokens after the facts": Fault(
        of(planning, "save_plan", plan_with_tokens_after_facts),
        change_comes_at("PlanCompaction: dynamodb.Query receipts IMAGE#bbbb"),
        "NoChangeLost",
    ),
    "CURRENT goes back": Fault(
        of(pointers.Current, "is_passed_by", lambda _self, _old: False),
        overtaken("SwapPointer: efs.open words/CURRENT.lock", by_a_change=True),
        "VersionsOnlyGrow",
    ),
    "CURRENT is written in place": Fault(
        of(pointers, "write_atomically", write_in_place),
        goes_wrong("SwapPointer: efs.open words/CURRENT", Kind.CRASH_AFTER),
        "ReadersNeverMix",
    ),
    "a manifest is on EFS alone": Fault(of(publish, "put_manifest", manifest_on_efs_alone), publishing, "RetainedIs"),
    "a fold drops the segments that came meanwhile": Fault(
        of(folding, "folded", keep_no_later_segments), change_comes_at("invoke ValidateFold", fold), "NoChangeLost"
    ),
    "a fold fits on every base": Fault(of(folding, "fits", lambda *_: True), another_fold, "NoChangeLost"),
    "a record stays though its word is gone": Fault(
        of(derived.DerivedMetadata, "exists", lambda *_: True), word_goes, "RowsConserved"
    ),
    "the later of two runs loses": Fault(of(wanted, "run_order", newest_first), two_runs, "RowsConserved"),
    "a mark that failed counts as made": Fault(
        of(stream_batch, "mark_pending", forget_failed_marks),
        goes_wrong("StreamHandler: dynamodb.UpdateItem control PENDING#words", Kind.REFUSE),
        "RowsConserved",
    ),
    "the stream function does not see what goes": Fault(
        of(stream_batch, "read_batch", forget_what_went), word_goes, "RowsConserved"
    ),
    "resuming marks nothing": Fault(of(collections, "reconcile", lambda *_, **__: 0), rollback, "RowsConserved"),
    "the schedule does not look at EFS": Fault(
        of_states(only_when_behind, "IsProjected"), efs_is_lost, "RetainedIsReadable"
    ),
    "expiry keeps nothing": Fault(of(expire, "_kept_manifests", lambda *_: []), hours_later, "RetainedIsReadable"),
}
