"""Erasing a deleted receipt: new bases, expiry of what is older, deletion of its objects, and the search that alone
says that it is gone.

Each pass goes on from the ERASURE row; whatever ends one, the next does again at most what its last step did.
"""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from receipt_chroma.records import Vector
from receipt_dynamo_stream.control.erasures import Erasures, erasure_name
from receipt_dynamo_stream.keys import ReceiptId

from operate.checked_deltas import Belongs, check_path
from operate.erased_objects import delete_objects
from operate.errors import EraseRefused, ExecutionFailed, UsageError, VersionUnreadable
from operate.lineage import Version
from operate.models import LOST, Execution
from operate.remains import Remains, all_generations, check_is_gone, find_remains, objects_with_ids
from operate.services import Services
from operate.stack import Stack
from operate.wording import count_of, failure_line, lost_line


@dataclass(frozen=True)
class Erased:
    """How far an erasure is. folded: by generation the version that its fold made. waiting: by generation the older
    versions whose files are still there. deleted: objects and object versions, by this pass. remains: what the search
    found, None before there was one. erased_at: when nothing was found."""

    receipt: str
    folded: Mapping[str, int]
    waiting: Mapping[str, tuple[int, ...]]
    deleted: int = 0
    remains: Remains | None = None
    erased_at: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {**asdict(self), "remains": self.remains.to_json() if self.remains else None}


def erase(
    stack: Stack,
    receipt: ReceiptId,
    *,
    copies: Path,
    deltas: Sequence[Path] = (),
    efs: Path | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Erased:
    """One pass: as far as it comes without waiting for time to pass. It waits for executions.

    copies: a folder on this machine where its deltas are kept until the end, since the search needs their vectors.
    deltas: copies that the caller has of others. efs: as for `find_remains`. say: is told what was done.

    Raises EraseRefused for a receipt that is not gone; VersionRefused while an older version is pinned; UsageError
    where the file system is not at hand when the objects are to be deleted, which can be found by nothing else later;
    ExecutionFailed, VersionUnreadable, TransientServiceError. Whatever it raises, the next pass goes on from there.
    """
    check_is_gone(stack, receipt)
    erasures, copies = Services(stack.connection).control.erasures(), copies / erasure_name(receipt)[:16]
    row = erasures.read(receipt)
    if row is None or row.erased_at is not None:  # a receipt may come, go and be erased again
        row = erasures.begin(receipt, stack.now())
    folded = dict(row.folded)
    for name in _published(stack):
        if name not in folded:
            folded[name] = _fold(stack, name)
            erasures.set_folded(receipt, name, folded[name])
            say(f"{name}: every shard was written anew, as version {folded[name]}.")
    waiting = {name: left for name, version in folded.items() if (left := _give_up(stack, name, version, say))}
    if waiting:
        return Erased(receipt.key, folded, waiting)
    if efs is None and stack.connection.efs_root is None:
        raise UsageError("the file system is not mounted here: go on where it is, with --efs FOLDER")
    deleted = delete_objects(stack, receipt, objects_with_ids(stack, receipt), copies)
    vectors = [*_vectors(receipt, deltas), *_vectors(receipt, sorted(copies.glob("*/")))]
    found = find_remains(stack, receipt, vectors=vectors, efs=efs)
    if not found.nothing_left:
        if any(one.current for one in found.remnants):  # it came and went again since the fold
            erasures.begin(receipt, stack.now())
        return Erased(receipt.key, folded, {}, deleted, found)
    return Erased(receipt.key, folded, {}, deleted, found, _finish(stack, erasures, receipt, copies))


def _finish(stack: Stack, erasures: Erasures, receipt: ReceiptId, copies: Path) -> str:
    now = stack.now()
    erasures.set_erased(receipt, now)
    shutil.rmtree(copies, ignore_errors=True)
    if copies.exists():
        raise EraseRefused(f"nothing is left of it in the stack, but its deltas are in {copies}: delete that folder")
    return now.isoformat(timespec="seconds")


def _published(stack: Stack) -> Iterator[str]:
    for name in all_generations(stack):
        head = stack.collections.head(name)
        if head is not None and head.pointer is not None:
            yield name


def _fold(stack: Stack, name: str) -> int:
    """The version of new bases that have live records alone."""
    ended = _succeeded(stack, stack.versions.fold(name, rebuild=True))
    if ended.outcome != "folded" or ended.version is None:
        raise ExecutionFailed(f"{name} was not folded, it is {ended.outcome}: erase again when that is over")
    return ended.version


def _give_up(stack: Stack, name: str, bound: int, say: Callable[[str], None]) -> tuple[int, ...]:
    """The versions older than the bound that are still there after an expiry of them."""
    if not any(_there(stack, name, bound)):
        return ()
    arn = stack.versions.expire(name, apply=True, before=str(bound))
    _succeeded(stack, arn)
    expiry = stack.versions.expiry(arn)
    if expiry is None or expiry.fenced:
        raise ExecutionFailed(f"expiry of {name} stopped: another execution took the lease; erase again")
    left = tuple(sorted(one.version for one in _there(stack, name, bound)))
    if expiry.expired or expiry.manifests:
        given_up = count_of(expiry.expired, "version")
        say(f"{name}: {given_up} given up, {expiry.manifests} deleted; {len(left)} older ones are still there.")
    return left


def _there(stack: Stack, name: str, bound: int) -> Iterator[Version]:
    for version in stack.versions.of(name):
        if version.version < bound:
            try:
                stack.stored.manifest(version.pointer)
            except VersionUnreadable:
                if version.state == "expired":
                    continue
            yield version


def _succeeded(stack: Stack, arn: str) -> Execution:
    ended = stack.executions.wait(arn)
    if ended.status != "succeeded":
        raise ExecutionFailed(failure_line(ended))
    if ended.outcome in LOST:
        raise ExecutionFailed(lost_line(ended))
    return ended


def _vectors(receipt: ReceiptId, deltas: Sequence[Path]) -> Iterator[Vector]:
    for given in deltas:
        checked = check_path(given, Belongs(receipt=receipt))
        if checked.error is not None:
            raise UsageError(f"{given} is no delta of {receipt.key}: {checked.message}")
        yield from (record.embedding for record in checked.rows)
