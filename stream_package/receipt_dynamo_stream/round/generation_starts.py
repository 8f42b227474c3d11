"""StartGenerations: the schedule of a collection is that of its other generations too."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

from receipt_dynamo_stream.control.generations import GenerationsOf

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


def start_generations(
    generations: GenerationsOf, sfn: "SFNClient", machine: str, *, new_token: Callable[[], str]
) -> list[str]:
    """Start an execution for each other generation that is kept up, and the switch to one that may be complete.

    `machine` is the state machine's ARN; the names of what was started, each of them fresh. May run twice: an
    execution that finds another one asks it for a round, and ends. Raises what boto3 raises.
    """
    now = generations.read()
    asked: list[dict[str, object]] = [
        {"collection": name, "mode": "compact"} for name in now.active if name != now.collection
    ]
    if now.switching is not None:
        to = now.switching.partition(" ")[0]
        asked.append({"collection": now.collection, "mode": "switch", "generation": to, "when_complete": True})
    started = []
    for given in asked:
        name = f"{given['collection']}-schedule-{new_token()}"
        sfn.start_execution(stateMachineArn=machine, name=name, input=json.dumps({**given, "trigger": "schedule"}))
        started.append(name)
    return started
