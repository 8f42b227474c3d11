"""Step Functions: executions that are stopped, taken over and redriven, and what a round's history looks like.

On AWS, estimated: some ten executions of about 25 transitions each, less than a cent. Redrive:
https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from operate.conform.probes.collection import ProbeCollection
from operate.conform.probes.told import Told
from operate.conform.rows import Row
from operate.models import Execution, listed_execution
from operate.stack import Stack

PART: Final = "Step Functions"
REDRIVE: Final = "https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html"
HISTORY_LIMIT: Final = "https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html"
MOST_EVENTS: Final = 25_000
VERSIONS: Final = "https://docs.aws.amazon.com/step-functions/latest/dg/execution-alias-version-associate.html"
_KEPT_CODE: Final = (
    "the code of an execution over a deployment",
    "begun by the alias `live`, as a version of the machine that names versions of the functions",
)
_FUNCTION: Final = re.compile(r'"FunctionName": "arn:[^"]*:function:[^":]+(:\d+)?"')
SEVERAL_TICKS: Final = timedelta(minutes=30)


def rows(stack: Stack, collection: ProbeCollection, told: Told) -> Iterator[Row]:
    """The part's rows."""
    stopped = collection.caught("MergeDeltas", lambda arn: _stop(collection, arn))
    after = taken_over(collection, stopped)
    yield after_take_over(told, collection, stopped, after)
    yield from redriven(collection, told, stopped)
    yield from of_history(told, collection.events(after.arn))
    yield of_version(told, stack, collection, after.arn)
    yield of_schedule(told, listed(collection), stack.now())


def listed(collection: ProbeCollection) -> list[Execution]:
    """The latest executions of the machine, of whatever collection."""
    answer = collection.services.stepfunctions.list_executions(
        stateMachineArn=collection.stack.connection.state_machine_arn, maxResults=1_000
    )
    return [listed_execution(row) for row in answer["executions"]]


def _stop(collection: ProbeCollection, arn: str) -> None:
    collection.services.stepfunctions.stop_execution(executionArn=arn, error="StoppedByOperator", cause="conform")


def taken_over(collection: ProbeCollection, stopped: str) -> Execution:
    """Another execution, after the one that was stopped with the lease in its hands."""
    collection.end_of(stopped)
    return collection.run()


def after_take_over(told: Told, collection: ProbeCollection, stopped: str, after: Execution) -> Row:
    """What the one that came after did."""
    first, states, head = collection.end_of(stopped), collection.states_of(after.arn), collection.head
    seen = (
        f"the first {first.status}; the next {'took over' if 'TakeOverLease' in states else 'did not take over'},"
        f" {after.result}; {len(collection.pending())} pending, lease {'held' if head.holder else 'free'}"
    )
    return told.judged(
        "an execution is stopped in MergeDeltas, and another one starts",
        "the first aborted; the next took over, published; 0 pending, lease free",
        seen,
        first.status == "aborted"
        and "TakeOverLease" in states
        and after.result == "published"
        and not collection.pending()
        and head.holder is None,
    )


def redriven(collection: ProbeCollection, told: Told, overtaken: str) -> Iterator[Row]:
    """Redrives, where the service has them."""
    late = ("a stopped execution is redriven after another one took its lease over", "failed with Fenced")
    untouched = ("a stopped execution is redriven before anybody came", "published")
    why = collection.stack.executions.details(overtaken).redrive
    if why is not None:
        yield told.left_out(*late, why, REDRIVE)
        yield told.left_out(*untouched, why, REDRIVE)
        return
    version = collection.head.version
    yield redrive_of_an_overtaken_one(told, late, _redriven(collection, overtaken), version, collection.head.version)
    stopped = collection.caught("MergeDeltas", lambda arn: _stop(collection, arn))
    collection.end_of(stopped)
    again = _redriven(collection, stopped)
    yield told.judged(*untouched, f"{again.result} {again.error or ''}".strip(), again.result == "published", REDRIVE)


def redrive_of_an_overtaken_one(
    told: Told, question: tuple[str, str], again: Execution, before: int, after: int
) -> Row:
    """It must end fenced, and publish nothing."""
    holds = again.error == "Fenced" and before == after
    seen = f"{again.status} with {again.error or again.outcome}" + ("" if before == after else f", version {after}")
    return told.judged(*question, seen, holds, REDRIVE)


def _redriven(collection: ProbeCollection, arn: str) -> Execution:
    collection.stack.executions.redrive(arn)
    return collection.end_of(arn)


def of_history(told: Told, events: Sequence[Mapping[str, Any]]) -> Iterator[Row]:
    """How long the history of one published round is, and how quick its transitions."""
    yield told.judged(
        "history events of a round",
        "far below 25,000, where Step Functions ends an execution: a hundred rounds stay within it",
        len(events),
        len(events) * 100 < MOST_EVENTS,
        HISTORY_LIMIT,
    )
    gaps = sorted(transitions(events))
    if gaps:
        yield told.measured(
            "milliseconds per transition, from one state's end to the next one's beginning",
            f"p50 {gaps[len(gaps) // 2]:.0f}, most {gaps[-1]:.0f}, of {len(gaps)}",
        )


def transitions(events: Iterable[Mapping[str, Any]]) -> Iterator[float]:
    """Milliseconds between the end of each state and the beginning of the next."""
    left: datetime | None = None
    for event in events:
        if event["type"].endswith("StateEntered") and left is not None:
            yield (event["timestamp"] - left).total_seconds() * 1000
        left = event["timestamp"] if event["type"].endswith("StateExited") else None


def of_version(told: Told, stack: Stack, collection: ProbeCollection, arn: str) -> Row:
    """Whether an execution began as `live`, with the code of one deployment."""
    live = stack.connection.live_arn
    if live is None:
        return told.left_out(*_KEPT_CODE, "this stack has no alias: it starts the machine itself", VERSIONS)
    described = collection.services.stepfunctions.describe_execution(executionArn=arn)
    return keeps_its_code(told, described, live, json.dumps(stack.executions.definition(arn)))


def keeps_its_code(told: Told, described: Mapping[str, Any], live: str, definition: str) -> Row:
    """Started by the alias, as a version, whose functions are versions too."""
    began_as, version = described.get("stateMachineAliasArn"), described.get("stateMachineVersionArn")
    named = _FUNCTION.findall(definition)
    loose = sum(qualifier == "" for qualifier in named)
    return told.judged(
        *_KEPT_CODE,
        f"by {began_as or 'no alias'}, as {version or 'no version'}; {loose} of {len(named)} functions unversioned",
        began_as == live and bool(version) and bool(named) and not loose,
        VERSIONS,
    )


def of_schedule(told: Told, listed: Sequence[Execution], now: datetime) -> Row:
    """Whether the schedule gives each execution a name of its own: a name that comes again starts nothing."""
    question = (
        "names of the executions that the schedule starts",
        "a new one each time, so that every tick starts one",
    )
    ticks = [one for one in listed if one.trigger == "schedule" and one.collection == "words"]
    names = {one.name for one in ticks}
    if len(names) < 2 and not (ticks and now - ticks[-1].started_at > SEVERAL_TICKS):
        return told.left_out(*question, f"the schedule has started {len(names)} so far: ask again in half an hour")
    return told.judged(*question, f"{len(names)} names of the last {len(listed)} executions", len(names) > 1)
