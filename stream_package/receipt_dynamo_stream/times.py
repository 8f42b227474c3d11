"""Times as text: ISO-8601, UTC, offset +00:00, so that they compare as text."""

from datetime import UTC, datetime


def utc_text(moment: datetime) -> str:
    """The text of a moment; a naive one is taken as UTC."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC).isoformat()


def normal_time(text: str) -> str:
    """The same moment in the one spelling that compares as text; unreadable text stays as it is.

    `…Z`, other offsets and naive times (taken as UTC) are all found in tables of this kind.
    """
    if text.endswith("+00:00") and len(text) in (25, 32):
        return text
    try:
        return utc_text(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        return text


def instant(text: str | None) -> datetime | None:
    """The moment of an ISO-8601 time; a naive one is taken as UTC. None when absent or unreadable."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def seconds_between(earlier: str, later: str) -> float | None:
    """Seconds from one time to another, never below 0; None when either is unreadable."""
    try:
        start, end = datetime.fromisoformat(normal_time(earlier)), datetime.fromisoformat(normal_time(later))
        return max(0.0, (end - start).total_seconds())
    except (ValueError, TypeError):
        return None
