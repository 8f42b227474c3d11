"""Where a receipt is, in sentences: the same ones in a terminal and on a page."""

from datetime import UTC, datetime

from receipt_dynamo_stream.times import instant

from operate.whereabouts.models import ReceiptWhere, Where
from operate.wording import age, clock, count_of, duration


def of_receipt(found: ReceiptWhere) -> str:
    """Whether the table has it, and since when."""
    if not found.exists:
        return "The receipts table does not have it: its records go with the next round."
    added = instant(found.added_at)
    return f"In the receipts table since {clock(added.astimezone(UTC))}." if added else "In the receipts table."


def of_collection(where: Where, now: datetime) -> tuple[str, ...]:
    """What readers see of it, then what waits."""
    return (*_served(where), *_waits(where, now))


def _served(where: Where) -> tuple[str, ...]:
    if where.problem:
        return (f"Nobody can tell what the current version has of it: {where.problem}.",)
    if not where.version:
        return ("Nothing is published yet.",)
    if not where.records:
        said = f"The current version {where.version} has no record of it."
        if where.pending is None:
            said += f" `compaction doctor {where.collection}` says why."
    else:
        said = f"The current version {where.version} has {count_of(where.records, 'record')} of it"
        said += f", written by version {where.as_of}." if where.as_of else "."
        if where.since:
            said += f" Readers of version {where.since} or newer see some."
    readers = f"Readers that follow the pointer see version {where.readers}."
    return (said, readers) if where.readers != where.version else (said,)


def _waits(where: Where, now: datetime) -> tuple[str, ...]:
    one = where.pending
    if one is None:
        return ()
    waited = duration(max(0.0, (now - one.since).total_seconds())) if one.since else "a time that nobody wrote down"
    why = f" ({', '.join(one.reasons)})" if one.reasons else ""
    said = f"Changes have waited for {waited}, the last came {age(one.last, now)}{why}."
    if one.together:
        others = "alone" if one.together == 1 else f"with at most {count_of(one.together - 1, 'other')}"
        said += f" A merge with it failed: it goes after the others, {others}."
    paused = f"{where.collection} is paused: {where.paused}." if where.paused is not None else None
    return (said, paused) if paused else (said,)
