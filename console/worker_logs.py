"""What the workers of a local stack logged about one execution. On AWS the same lines are in CloudWatch."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NEWEST_BYTES = 2_000_000
"""How much of the end of each log file is looked at."""
LINES = 500
_FUNCTION = re.compile(r"[A-Za-z]{1,64}")
_REQUEST = "function_request_id"


@dataclass(frozen=True)
class LogLine:
    """One line; `level` and `message` are empty for what is no structured log record, such as a traceback."""

    text: str
    level: str = ""
    message: str = ""
    time: str = ""


def lines_about(folder: Path, function: str, execution: str) -> list[LogLine]:
    """The last LINES lines that the workers of a function wrote in invocations of this execution, oldest first.

    An invocation is known by its request id, which its structured lines carry; one of them names the execution or its
    plan. Lines without structure belong to the invocation that wrote before them.
    """
    if not _FUNCTION.fullmatch(function):
        return []
    found: list[LogLine] = []
    for file in sorted(folder.glob(f"{function}-*.log*")):
        found += _lines_of(_tail(file), execution)
    return sorted(found, key=lambda line: line.time)[-LINES:]


def _lines_of(lines: list[str], execution: str) -> list[LogLine]:
    records = [_record(line) for line in lines]
    requests = {
        record[_REQUEST]
        for record, line in zip(records, lines, strict=True)
        if _REQUEST in record and execution in line
    }
    about: list[LogLine] = []
    is_ours, time = False, ""
    for record, line in zip(records, lines, strict=True):
        if _REQUEST in record:
            is_ours = record[_REQUEST] in requests
        time = str(record.get("timestamp", time))
        if is_ours:
            about.append(LogLine(line, str(record.get("level", "")), str(record.get("message", "")), time))
    return about


def _record(line: str) -> dict[str, Any]:
    if not line.startswith("{"):
        return {}
    try:
        value = json.loads(line)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _tail(file: Path) -> list[str]:
    with file.open("rb") as stream:
        stream.seek(max(0, file.stat().st_size - NEWEST_BYTES))
        return stream.read().decode(errors="replace").splitlines()
