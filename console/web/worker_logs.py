"""What the workers of a local stack logged about one execution. On AWS the same lines are in CloudWatch."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.lambdas.worker_logs import InvocationLog, invocations

LINES = 500
_FUNCTION = re.compile(r"[A-Za-z]{1,64}")


@dataclass(frozen=True)
class LogLine:
    """One line; `level`, `message` and `time` are empty for what is no structured record, such as a traceback."""

    text: str
    level: str = ""
    message: str = ""
    time: str = ""


def lines_about(folder: Path, function: str, execution: str) -> list[LogLine]:
    """The last LINES lines that a function's workers wrote in invocations of this execution, the oldest first.

    One of an invocation's lines names the execution, or its plan.
    """
    if not _FUNCTION.fullmatch(function):
        return []
    about = [one for one in invocations(folder, function) if any(execution in line for line in one.lines)]
    return [_line(line) for one in sorted(about, key=_began) for line in one.lines][-LINES:]


def _began(invocation: InvocationLog) -> str:
    return next((line.time for line in map(_line, invocation.lines) if line.time), "")


def _line(text: str) -> LogLine:
    record = _record(text)
    return LogLine(text, *(str(record.get(name, "")) for name in ("level", "message", "timestamp")))


def _record(line: str) -> dict[str, Any]:
    if not line.startswith("{"):
        return {}
    try:
        value = json.loads(line)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
