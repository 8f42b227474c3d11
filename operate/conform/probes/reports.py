"""REPORT lines: what Lambda says at the end of each invocation of its time, its memory, and what is billed."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from operate import prices

SOURCE: Final = "https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-view.html"
_LINE: Final = re.compile(r"^REPORT\b.*", re.M)
_FIELD: Final = re.compile(
    r"\t(Init Duration|Duration|Billed Duration|Memory Size|Max Memory Used): ([\d.]+) (?:ms|MB)"
)
_MOST_LINES: Final = 500


@dataclass(frozen=True)
class Invocation:
    """One, in milliseconds and MB; init is None where the instance was warm."""

    duration: float
    billed: float
    size: int
    used: int
    init: float | None

    @property
    def dollars(self) -> float:
        """In us-east-1, on x86."""
        return self.billed / 1000 * self.size / 1024 * prices.GB_SECOND_DOLLARS + prices.REQUEST_DOLLARS


@dataclass(frozen=True)
class Reports:
    """Read from CloudWatch Logs by its client."""

    logs: Any

    def of(self, functions: Mapping[str, Mapping[str, Any]], since: datetime) -> dict[str, list[Invocation]]:
        """The invocations that ended since then, by the name of the function's step. Raises what boto3 raises."""
        return {name: parsed(self._lines(one, since)) for name, one in sorted(functions.items())}

    def _lines(self, configuration: Mapping[str, Any], since: datetime) -> list[str]:
        group = configuration.get("LoggingConfig", {}).get("LogGroup") or f"/aws/lambda/{configuration['FunctionName']}"
        pages = self.logs.get_paginator("filter_log_events").paginate(
            logGroupName=group,
            startTime=int(since.timestamp() * 1000),
            filterPattern='"REPORT RequestId"',
            PaginationConfig={"MaxItems": _MOST_LINES},
        )
        return [event["message"] for page in pages for event in page["events"]]


def parsed(lines: Iterable[str]) -> list[Invocation]:
    """What is in them; other lines are passed over."""
    found = [dict(_FIELD.findall(report)) for line in lines for report in _LINE.findall(line)]
    return [
        Invocation(
            float(one["Duration"]),
            float(one["Billed Duration"]),
            int(one["Memory Size"]),
            int(one["Max Memory Used"]),
            float(one["Init Duration"]) if "Init Duration" in one else None,
        )
        for one in found
    ]


def in_short(invocations: Sequence[Invocation]) -> str:
    """Those of one function as a sentence."""
    if not invocations:
        return "not invoked"
    inits = sorted(one.init for one in invocations if one.init is not None)
    cold = f"{len(inits)} cold, init {inits[0]:.0f} to {inits[-1]:.0f} ms" if inits else "none cold"
    longest, most = max(one.duration for one in invocations), max(one.used for one in invocations)
    size = invocations[-1].size
    return f"{len(invocations)} invocations, {cold}; at most {longest:.0f} ms and {most} of {size} MB"
