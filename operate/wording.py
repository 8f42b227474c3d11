"""How values read, in a terminal and on a page: durations, numbers, sizes, short names. Plain text, no terminal."""

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from receipt_dynamo_stream.texts import one_line

from operate.models import EXECUTION_NAME, Execution

_RECORD_ID = re.compile(r"IMAGE#(?P<image>[^#\s]+)#RECEIPT#(?P<receipt>\d+)#LINE#(?P<line>\d+)(?:#WORD#(?P<word>\d+))?")
_REPORTED = re.compile(r'\{\s*"errorMessage":\s*"((?:[^"\\]|\\u[0-9a-fA-F]{4}|\\[^u])*)')
_UNITS = (("d", 86_400.0), ("h", 3_600.0), ("min", 60.0))
_SIZES = ("B", "KB", "MB", "GB", "TB")
_CONTROLS = (*range(0x09), *range(0x0B, 0x20), *range(0x7F, 0xA0))
_ACTING = dict.fromkeys((*_CONTROLS, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A)))
_COUNTS = (("added", "+"), ("replaced", "="), ("updated", "~"), ("removed", "-"))


def duration(seconds: float) -> str:
    """Roughly, in one unit, for ages and waits: `0.4 s`, `12 s`, `5 min`, `3 h`, `2 d`."""
    for unit, size in _UNITS:
        if seconds >= size:
            return f"{int(seconds / size)} {unit}"
    return f"{seconds:.1f} s" if 0 < seconds < 9.95 else f"{max(seconds, 0):.0f} s"


def exact_duration(seconds: float) -> str:
    """In two units, for spans that are compared with each other: `35 ms`, `2.4 s`, `3 min 20 s`, `1 h 5 min`."""
    if seconds < 0.0005:
        return "0 s"
    if round(seconds, 3) < 1:
        return f"{seconds * 1000:.0f} ms"
    if round(seconds, 1) < 60:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    whole = timedelta(seconds=round(seconds))
    minutes, rest = divmod(int(whole.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    larger, smaller = (f"{hours} h", f"{minutes} min") if hours else (f"{minutes} min", f"{rest} s")
    return larger if smaller.startswith("0 ") else f"{larger} {smaller}"


def clock(moment: datetime) -> str:
    """The moment in UTC, to the second."""
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def age(moment: datetime | None, now: datetime) -> str:
    """How long ago; `-` when it never was. A clock that runs a little ahead of ours is `0 s ago`."""
    if moment is None:
        return "-"
    seconds = (now - moment).total_seconds()
    return f"{seconds:.0f} s ago" if 0 <= seconds < 59.5 else f"{duration(max(seconds, 0))} ago"


def number(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def count_of(count: int, noun: str, plural: str | None = None) -> str:
    """`1 receipt`, `2,000 receipts`."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def changed(counts: Mapping[str, int]) -> str:
    """What a merge did to records: `+120 =3 ~7 -2` added, replaced, updated, removed; `-` when nothing is known."""
    return " ".join(f"{sign}{counts[name]:,}" for name, sign in _COUNTS if counts.get(name)) or "-"


def restored(collection: str, result: Mapping[str, Any]) -> tuple[str, ...]:
    """What an execution of mode `restore` that succeeded says in its `result`: what it found, and brought back."""
    if not result["version"]:
        return (f"Nothing of {collection} was published yet: there is nothing to bring back.",)
    sees = f"eaders of {collection} see version {result['version']}"
    if not result["found"] and not result["moved"]:
        return (f"R{sees}, whole: nothing was to be brought back.",)
    brought = f"{count_of(result['files'], 'file')} ({size(result['bytes'])})"
    pointer = ", and CURRENT was written" if result["moved"] else ""
    found = (f"Found: {result['found']}.",) if result["found"] else ()
    return (*found, f"Brought back {brought}{pointer}: r{sees}.")


def plain(word: str) -> str:
    """`timed_out` reads `timed out`."""
    return word.replace("_", " ")


def size(count: int) -> str:
    """`0 B`, `12 KB`, `1.4 MB`, in steps of 1,000."""
    value, unit = float(count), 0
    while value >= 999.5 and unit < len(_SIZES) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.1f} {_SIZES[unit]}" if unit and value < 9.95 else f"{value:.0f} {_SIZES[unit]}"


def short_name(name: str) -> str:
    """Enough of an execution's name to tell it apart and to give it back to `rerun`."""
    named = EXECUTION_NAME.fullmatch(name)
    return f"{named['collection']}-{named['trigger']}-{named['unique'][:8]}" if named else name


def short_record(record_id: str) -> str:
    """`IMAGE#3f52804b-…#RECEIPT#00001#LINE#00004#WORD#00002` as `3f52804b 1/4/2`: image, receipt, line, word."""
    parts = _RECORD_ID.fullmatch(record_id)
    if parts is None:
        return one_line(record_id)
    numbers = [int(part) for part in parts.group("receipt", "line", "word") if part is not None]
    return short_receipt(parts["image"], *numbers)


def short_receipt(image_id: str, *numbers: int) -> str:
    """`3f52804b 1`: enough of the image's id, then the receipt, and line and word if given."""
    return f"{one_line(image_id[:8])} {'/'.join(map(str, numbers))}"


def cause_text(cause: str | None) -> str:
    """A cause in one line. A Lambda's is JSON with its stack trace in it: its message is enough. Rows of the history
    keep the beginning of that only."""
    text = cause or ""
    if reported := _REPORTED.match(text):
        with suppress(ValueError):
            text = json.loads(f'"{reported[1]}"')
    return " ".join(text.split())


def inert(text: str) -> str:
    """The text without what would act on a terminal or a page in place of being read: control characters but newline
    and tab (a terminal's sequences begin with one), line separators, and overrides of the direction of writing."""
    return text if text.isprintable() else text.translate(_ACTING)


def lost_line(execution: Execution) -> str:
    """One line of an execution whose outcome is one of LOST."""
    why = "too much has changed" if execution.outcome == "reshard_lost" else "a fold or a rollback came first"
    return (
        f"{short_name(execution.name)} {plain(execution.result)}: {why}, or it took too long; nothing of it was"
        " published, start it again"
    )


def failure_line(execution: Execution) -> str:
    """One line of an execution that did not succeed: its error and cause, newlines folded."""
    why = ": ".join(part for part in (execution.error, cause_text(execution.cause)) if part)
    return f"{short_name(execution.name)} {plain(execution.result)}{': ' + why if why else ''}"
