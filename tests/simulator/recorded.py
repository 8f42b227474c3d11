"""An execution as moto's interpreter ran it, and through the stepper with the answers that were recorded."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from local.names import function_name
from operate.asl.paths import StateError
from operate.asl.stepper import Call, Entered, steps


@dataclass
class Recorded:
    """States in the order in which they were entered; what each task was asked; its answers; how it all ended."""

    input: Any
    arn: str
    name: str
    states: list[str] = field(default_factory=list)
    asked: list[Any] = field(default_factory=list)
    answers: list[Any] = field(default_factory=list)
    ended: Any = None


def recorded(events: Sequence[Mapping[str, Any]], arn: str) -> Recorded:
    """Read an execution's history, as GetExecutionHistory gives it. Its Maps must have had one item at a time."""
    found = Recorded(json.loads(events[0]["executionStartedEventDetails"]["input"]), arn, arn.rpartition(":")[2])
    for event in events:
        if details := event.get("stateEnteredEventDetails"):
            found.states.append(details["name"])
        elif details := event.get("taskScheduledEventDetails"):
            found.asked.append(_bare(json.loads(details["parameters"])))
        elif details := event.get("taskSucceededEventDetails"):
            found.answers.append(json.loads(details["output"]))
        elif details := event.get("taskFailedEventDetails"):
            found.answers.append(StateError(details["error"], details["cause"]))
        elif details := event.get("executionSucceededEventDetails"):
            found.ended = json.loads(details["output"])
        elif details := event.get("executionFailedEventDetails"):
            found.ended = details["error"]
    return found


def replay(machine: Mapping[str, Any], history: Recorded) -> Recorded:
    """The stepper's way over the same answers."""
    ours = Recorded(history.input, history.arn, history.name)
    context = {"Execution": {"Id": history.arn, "Name": history.name}}
    running = steps(machine, history.input, context)
    answers = iter(history.answers)
    answer: Any = None
    try:
        while True:
            action = running.throw(answer) if isinstance(answer, StateError) else running.send(answer)
            answer = None
            if isinstance(action, Entered):
                ours.states.append(action.state)
                answer = "now"
            elif isinstance(action, Call):
                ours.asked.append(_bare(action.parameters))
                answer = next(answers)
    except StopIteration as end:
        ours.ended = end.value
    except StateError as error:
        ours.ended = error.error
    return ours


def _bare(parameters: Any) -> Any:
    """What was asked, without moments and without how a function's ARN is written."""
    if isinstance(parameters, dict):
        bare = {name: _bare(value) for name, value in parameters.items()}
        if "FunctionName" in bare:
            bare["FunctionName"] = function_name(bare["FunctionName"])
        if isinstance(bare.get("ExpressionAttributeValues"), dict):
            moments = (":now", ":why")
            bare["ExpressionAttributeValues"] = {
                name: value for name, value in bare["ExpressionAttributeValues"].items() if name not in moments
            }
        return bare
    return parameters
