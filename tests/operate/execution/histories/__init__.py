"""Histories of executions: recorded ones, which `record.py` made on a local stack, and a pen to write AWS's with."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
DEFINITION: dict[str, Any] = json.loads((FOLDER.parents[3] / "state_machines/compaction.asl.json").read_text())
RECORDED = sorted(file.stem for file in FOLDER.glob("*.json"))
START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class History:
    """What GetExecutionHistory and DescribeExecution said."""

    events: list[dict[str, Any]]
    status: str
    ended_at: datetime | None


def load(name: str) -> History:
    """A recorded one, with datetimes for its timestamps as boto3 has them."""
    saved = json.loads((FOLDER / f"{name}.json").read_text())
    events = [event | {"timestamp": datetime.fromisoformat(event["timestamp"])} for event in saved["events"]]
    ended_at = datetime.fromisoformat(saved["ended_at"]) if saved["ended_at"] else None
    return History(events, saved["status"], ended_at)


@dataclass
class Pen:
    """Writes events as AWS does, one second apart. Each follows the one written before, or the one that `after` says;
    `write` returns the event's id."""

    events: list[dict[str, Any]] = field(default_factory=list)

    def write(self, kind: str, *, after: int | None = None, **details: Any) -> int:
        number = len(self.events) + 1
        event = {
            "id": number,
            "previousEventId": number - 1 if after is None else after,
            "timestamp": START + timedelta(seconds=number),
            "type": kind,
        }
        if details:
            key = (
                "stateEntered"
                if kind.endswith("StateEntered")
                else "stateExited"
                if kind.endswith("StateExited")
                else ""
            )
            event[f"{key or kind[0].lower() + kind[1:]}EventDetails"] = details
        self.events.append(event)
        return number

    def entered(self, kind: str, name: str, *, after: int | None = None, **more: Any) -> int:
        return self.write(f"{kind}StateEntered", after=after, name=name, **({"input": "{}"} | more))

    def exited(self, kind: str, name: str, *, after: int | None = None) -> int:
        return self.write(f"{kind}StateExited", after=after, name=name, output="{}")

    def task(self, name: str, *, after: int | None = None, fails: str | None = None) -> int:
        """Enter a Lambda task and run it once; unless it fails, leave it. The id of the last event."""
        self.entered("Task", name, after=after)
        self.attempt()
        if fails:
            return self.write("TaskFailed", resourceType="lambda", resource="invoke", error=fails, cause="because")
        self.write("TaskSucceeded", resourceType="lambda", resource="invoke", output="{}")
        return self.exited("Task", name)

    def attempt(self, *, after: int | None = None) -> int:
        parameters = json.dumps({"FunctionName": "arn:aws:lambda:us-east-1:123456789012:function:work"})
        self.write("TaskScheduled", after=after, resourceType="lambda", resource="invoke", parameters=parameters)
        return self.write("TaskStarted", resourceType="lambda", resource="invoke")

    def now(self, seconds: float = 0) -> datetime:
        return self.events[-1]["timestamp"] + timedelta(seconds=seconds)
