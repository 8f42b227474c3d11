"""EFS, from two instances of the probe function at once: what a reader keeps, what a lock is worth, how soon one sees.

On AWS, estimated: two dozen invocations and some 130 MB written and read, about two cents. Sources:
https://docs.aws.amazon.com/efs/latest/ug/how-it-works.html#consistency (close-to-open),
https://docs.aws.amazon.com/efs/latest/ug/features.html#file-locking (advisory locks).
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from typing import Any, Final

from operate.conform.probes.instances import Answer, Instances
from operate.conform.probes.told import Told
from operate.conform.rows import Row

PART: Final = "EFS"
CONSISTENCY: Final = "https://docs.aws.amazon.com/efs/latest/ug/features.html#consistency"
LOCKS: Final = "https://docs.aws.amazon.com/efs/latest/ug/limits.html"
SANDBOX: Final = "https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html"
OLD, NEW = "old " * 5_000, "new " * 5_000
TIMES: Final = 50
MEGABYTES: Final = 64
LOOKS: Final = 3
SOON_SECONDS: Final = 60.0
"""An NFS client believes its attributes for at most so long, when it does not open anew; ours opens anew."""


def rows(instances: Instances, told: Told) -> Iterator[Row]:
    """The part's rows."""
    instances.ask("put", name="current", text=OLD)
    held, _ = instances.meet(_hold("current"), _act("current", "replace", text=NEW))
    yield rename_over(told, held)
    instances.ask("put", name="one/file", text=OLD)
    held, _ = instances.meet(_hold("one/file", also="two/file"), _act("one/file", "rename", also="two/file"))
    yield rename_of_folder(told, held)
    instances.ask("put", name="removed", text=OLD)
    held, _ = instances.meet(_hold("removed"), _act("removed", "remove"))
    yield removed_under_reader(told, held)
    holder, tried = instances.meet({"command": "lock", "name": "lock"}, {"command": "try_lock", "name": "lock"})
    yield excludes(told, holder, tried)
    holder, tried = instances.meet(
        {"command": "lock", "name": "killed", "die": True}, {"command": "try_lock", "name": "killed"}
    )
    yield released_by_a_kill(told, holder, tried)
    _, watched = instances.meet(
        {"command": "stamp", "name": "pointer", "count": TIMES},
        {"command": "watch", "name": "pointer", "count": TIMES},
    )
    yield seen_soon(told, watched)
    yield from throughput(instances, told)


def tmp_rows(instances: Instances, left: "Future[Answer]", told: Told) -> Iterator[Row]:
    """What is left of an invocation of `leave`, which takes as long as the function may and so began long before."""
    ended = left.result()
    looked = [instances.begin("look") for _ in range(LOOKS)]  # one of them has that sandbox, if nobody else came
    yield left_in_tmp(told, ended, [one.result()["there"] for one in looked])


def _hold(name: str, **more: Any) -> dict[str, Any]:
    return {"command": "hold", "name": name, **more}


def _act(name: str, act: str, **more: Any) -> dict[str, Any]:
    return {"command": "act", "name": name, "act": act, **more}


def short(text: str) -> str:
    """What was read, in a word."""
    return {OLD: "the old bytes", NEW: "the new bytes"}.get(text, text if len(text) < 40 else "a mixture")


def rename_over(told: Told, held: Answer) -> Row:
    """A file is replaced by rename while another instance reads it."""
    seen = f"the open handle: {short(held['held'])}; opened anew: {short(held['anew'])}"
    return told.judged(
        "rename over a file that another instance has open",
        "the open handle: the old bytes or ESTALE, never a mixture; opened anew: the new bytes",
        seen,
        held["held"] in (OLD, "ESTALE") and held["anew"] == NEW,
        CONSISTENCY,
    )


def rename_of_folder(told: Told, held: Answer) -> Row:
    """A folder is renamed while another instance reads a file in it."""
    seen = ", ".join(f"{name} {short(held[name])}" for name in ("held", "anew", "also"))
    return told.judged(
        "rename of a folder in which another instance has a file open",
        "held the old bytes, anew ENOENT, also (the new name) the old bytes",
        seen,
        (held["held"], held["anew"], held["also"]) == (OLD, "ENOENT", OLD),
        CONSISTENCY,
    )


def removed_under_reader(told: Told, held: Answer) -> Row:
    """A file is removed while another instance reads it: readers take either answer, see reader.open_snapshot."""
    return told.judged(
        "a file is removed that another instance has open",
        "the old bytes or ESTALE; opened anew: ENOENT or ESTALE",
        f"{short(held['held'])}; opened anew: {short(held['anew'])}",
        held["held"] in (OLD, "ESTALE") and held["anew"] in ("ENOENT", "ESTALE"),
        CONSISTENCY,
    )


def excludes(told: Told, holder: Answer, tried: Answer) -> Row:
    """The lock that SwapPointer takes, while another instance holds it."""
    refused, had, after = tried["refused"], tried["had"], tried["after_seconds"]
    return told.judged(
        "flock while another instance has it",
        "refused, and had once it is let go",
        f"{'refused' if refused else 'NOT refused'}, {'had' if had else 'not had'} after {after:.2f} s",
        refused and had and holder.error is None,
        LOCKS,
    )


def released_by_a_kill(told: Told, holder: Answer, tried: Answer) -> Row:
    """The same, and who holds it is killed."""
    killed = holder.error is not None
    return told.judged(
        "flock whose holder is killed",
        "the holder was killed; refused before, had afterwards",
        f"the holder ended with {holder.error}; {'refused' if tried['refused'] else 'NOT refused'},"
        f" {'had' if tried['had'] else 'not had'} after {tried['after_seconds']:.2f} s",
        killed and tried["refused"] and tried["had"],
        LOCKS,
    )


def seen_soon(told: Told, watched: Answer) -> Row:
    """How soon a replaced pointer is seen by an instance that opens it anew all the time. The clocks are two."""
    delays = sorted(max(0.0, one) * 1000 for one in watched["delays"])
    whole = watched["last"] == TIMES and not watched["went_back"] and delays[-1] <= SOON_SECONDS * 1000
    seen = f"{len(delays)} of {TIMES} seen, {'went back' if watched['went_back'] else 'forward only'}"
    if delays:
        seen += f"; p50 {_at(delays, 0.5):.0f} ms, p99 {_at(delays, 0.99):.0f} ms"
    return told.judged(
        f"a pointer is replaced {TIMES} times while another instance opens it again and again",
        "forward only, and the last one is seen within a minute",
        seen,
        whole,
        CONSISTENCY,
    )


def _at(values: list[float], share: float) -> float:
    return values[min(len(values) - 1, int(len(values) * share))]


def throughput(instances: Instances, told: Told) -> Iterator[Row]:
    """Bytes a second of one instance."""
    for command, what in (("write_much", f"{MEGABYTES} MB written, and flushed"), ("read_much", "the same read")):
        answer = instances.ask(command, name="much", count=MEGABYTES)
        speed = answer["bytes"] / 1e6 / max(answer["seconds"], 1e-9)
        yield told.measured(what, f"{speed:.0f} MB/s (an instance that wrote it may have it in memory)")


def left_in_tmp(told: Told, ended: Answer, there: Sequence[bool]) -> Row:
    """Whether /tmp outlives an invocation that was ended by its time-out: steps make folders of their own there."""
    return told.measured(
        "a file in /tmp after the invocation that left it was timed out",
        f"{'still there' if any(there) else 'gone'}; that invocation ended with {ended.error}",
        SANDBOX,
    )
