"""What is asked before an operator's action: what it will do, sentence by sentence. Values in, text out.

Pages ask before every action. A terminal asks before those that are `grave`: what is hard to take back.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from receipt_dynamo_stream.texts import one_line

from operate.lineage import Version
from operate.models import Execution
from operate.quarantine import Waiting
from operate.resharding import ReshardPlan
from operate.wording import count_of, duration, short_name, size


@dataclass(frozen=True)
class AskedFirst:
    """`title` and a question mark are the question, `says` the consequences; `reason` names the reason to be given."""

    title: str
    says: tuple[str, ...]
    reason: str | None = None
    grave: bool = False


def head_from_bucket(collection: str, version: int, records: int) -> AskedFirst:
    return AskedFirst(
        f"Let HEAD of {collection} name version {version}",
        (
            f"It is the newest version whose files are all in the bucket; it has {records:,} records.",
            "Every receipt is marked pending, so that what changed since is derived again.",
        ),
        grave=True,
    )


# Executions


def start(collection: str) -> AskedFirst:
    return AskedFirst(
        f"Start a compaction of {collection}",
        (
            "A new execution merges what is pending and publishes a new version, if anything changes.",
            "If one runs already, it is asked for another round, and the new one ends as coalesced.",
        ),
    )


def rerun(old: Execution) -> AskedFirst:
    return AskedFirst(
        f"Re-run {short_name(old.name)}",
        (
            f"A new execution starts with the same input: {old.mode or 'compact'} of {old.collection}.",
            "It reads everything anew, so it is safe at any time; what is merged already is not written again.",
        ),
    )


def redrive(old: Execution) -> AskedFirst:
    return AskedFirst(
        f"Redrive {short_name(old.name)}",
        (
            "The same execution goes on from the state that failed, with the input that state had.",
            "If another one has taken its lease since, it ends as fenced; a re-run does not depend on that.",
        ),
    )


def stop(running: Execution) -> AskedFirst:
    return AskedFirst(
        f"Stop {short_name(running.name)}",
        (
            "The execution ends as aborted. A function that it called may go on for minutes, and changes nothing.",
            "Nothing is lost and nothing needs cleaning up: the next execution takes its lease over.",
        ),
        reason="Why it is stopped",
    )


# Collections


def pause(collection: str) -> AskedFirst:
    return AskedFirst(
        f"Pause {collection}",
        (
            "Nothing of it is published until it is resumed; a round that runs now ends without a version.",
            "Changes keep collecting, and readers keep what they have.",
        ),
        reason="Why it is paused",
    )


def resume(collection: str) -> AskedFirst:
    return AskedFirst(
        f"Resume {collection}",
        (
            "Every receipt is marked pending, so that all that happened is derived again; that takes a while.",
            "Then the pause ends and an execution starts. After a rollback this publishes the present facts again.",
        ),
    )


def reconcile(collection: str) -> AskedFirst:
    return AskedFirst(
        f"Reconcile {collection}",
        (
            "Every receipt is marked pending, so that all its records are derived again from the table.",
            "This heals lost stream records; what is right already is not written again. It reads the whole table.",
        ),
    )


def restore(collection: str) -> AskedFirst:
    return AskedFirst(
        f"Restore what readers of {collection} see",
        (
            "An execution compares CURRENT, the manifest and the files on EFS with HEAD, and brings back from the"
            " bucket what is missing or wrong, also while the collection is paused.",
            "It changes no record. Where readers saw a later version than HEAD names, HEAD's is published again past"
            " it.",
        ),
    )


# Versions


def verify(collection: str, version: Version) -> AskedFirst:
    return AskedFirst(
        f"Verify version {version.version} of {collection}",
        ("An execution proves every file and every record of it again. It takes no lease and changes nothing.",),
    )


def rollback(collection: str, current: Version, target: Version) -> AskedFirst:
    return AskedFirst(
        f"Roll {collection} back to version {target.version}",
        (
            f"Its {target.records:,} records are published again as version {current.version + 1};"
            f" the current version {current.version} has {current.records:,}.",
            f"{collection} stays paused afterwards: changes collect, nothing else is published until you resume.",
            "Resuming derives everything again from the table, so nothing is lost.",
        ),
        grave=True,
    )


def reshard(plan: ReshardPlan) -> AskedFirst:
    written = size(plan.written_bytes)
    return AskedFirst(
        f"Re-shard {plan.collection} from {plan.shards} to {plan.into}",
        (
            f"{count_of(plan.records, 'record')} of version {plan.version} are written into"
            f" {count_of(plan.into, 'new base')}: {written} to EFS and as much to S3, {size(plan.read_bytes)} read from"
            " EFS. No record changes.",
            f"It takes about {duration(plan.seconds)}, {plan.functions} calls of functions, the largest of which need"
            f" {size(plan.memory_bytes)} of memory, and ${plan.dollars:.2f}: estimates.",
            "Publications go on meanwhile, and what they change is laid over the new bases.",
            "Every reader opens the new shards with its next refresh; until then it answers from what it has.",
            "The way back is a rollback to a version with the old number, or another re-shard.",
            *plan.warnings,
        ),
    )


def pin(collection: str, version: Version) -> AskedFirst:
    return AskedFirst(
        f"Pin version {version.version} of {collection}",
        ("It is kept whatever its age, until it is unpinned.",),
        reason="Why it is kept",
    )


def unpin(collection: str, version: Version) -> AskedFirst:
    return AskedFirst(
        f"Unpin version {version.version} of {collection}", ("Expiry may take it when it is old enough.",)
    )


def expire(collection: str, *, apply: bool, before: str | None = None) -> AskedFirst:
    return AskedFirst(
        f"Expire what no retained version of {collection} needs" + ("" if apply else ": dry run"),
        (
            "An execution takes the lease and "
            + ("deletes" if apply else "says, and deletes nothing of,")
            + " what no retained, pinned or current version names.",
            *([f"No version before {before} can be rolled back to afterwards."] if before else []),
            "Then it goes on as a normal compaction.",
        ),
        grave=apply,
    )


def erase(receipt: str, collections: Sequence[str]) -> AskedFirst:
    return AskedFirst(
        f"Erase {one_line(receipt)}",
        (
            f"Every shard of {' and '.join(collections)} is written anew from its live records, and every older version"
            " is given up: there is no way back to any of them.",
            "Then its deltas are deleted, and the plans and reports that have its key: all object versions of each.",
            "That takes a fold, the grace of expiry, and as long again: two hours with the settings of a deployment.",
            "It is said to be erased when its bytes were looked for everywhere, and not found.",
        ),
        grave=True,
    )


# Quarantine


def retry(waiting: Waiting) -> AskedFirst:
    return AskedFirst(
        f"Retry run {one_line(waiting[1].run_id)}",
        (
            _refused(waiting),
            "Its receipt is marked again and an execution starts. If its delta is still bad it comes back here.",
        ),
    )


def retry_all(waiting: Sequence[Waiting]) -> AskedFirst:
    reasons = ", ".join(sorted({run.error for _, run in waiting}))
    return AskedFirst(
        f"Retry {count_of(len(waiting), 'run')}",
        (
            f"Refused as {reasons}." if reasons else "None is in quarantine.",
            "Their receipts are marked again and an execution of each collection starts. What is still bad comes back.",
        ),
    )


def drop(waiting: Sequence[Waiting]) -> AskedFirst:
    """Wherever one run waits."""
    return AskedFirst(
        f"Drop run {one_line(waiting[0][1].run_id)}",
        (
            *map(_refused, waiting),
            "It is given up for good: it stays FAILED, with your reason in its error. Its delta is not deleted.",
        ),
        reason="Why it is given up",
        grave=True,
    )


def drop_all(waiting: Sequence[Waiting]) -> AskedFirst:
    """All that wait, or all of one reason."""
    reasons = ", ".join(sorted({run.error for _, run in waiting}))
    return AskedFirst(
        f"Drop {count_of(len(waiting), 'run')}",
        (
            f"Refused as {reasons}." if reasons else "None is in quarantine.",
            "They are given up for good: they stay FAILED, with your reason in their errors. No delta is deleted.",
        ),
        reason="Why they are given up",
        grave=True,
    )


def _refused(waiting: Waiting) -> str:
    collection, run = waiting
    return one_line(f"It is of {run.receipt.key}, and was refused in {collection} as {run.error}: {run.message}")
