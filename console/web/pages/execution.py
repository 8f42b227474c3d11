"""One execution: its graph, its steps in time, what failed, what it planned and merged, and the raw events."""

import json
from dataclasses import dataclass

from flask import Blueprint, abort, g, render_template, request, url_for
from receipt_dynamo_stream.grain import is_collection

from console.web.site import seen, site
from console.web.worker_logs import lines_about
from operate.aws_pages import execution_page, log_page
from operate.contents.merged import what_merged
from operate.contents.merged_models import MergedRound
from operate.errors import ExecutionNotFound
from operate.execution.graph import Painted, compact, layout, paint
from operate.execution.read_steps import trace
from operate.execution.steps import Step, Trace
from operate.execution.timeline import Row, Tick, bars, ticks
from operate.executions import Details, Events
from operate.models import MODES_WITH_ROUNDS, Execution
from operate.wording import restored

page = Blueprint("execution", __name__)

EVENTS = 5_000
"""How many events of the history are read for the picture; `?events=all` reads all of them."""
ALL_EVENTS = 25_000
EVENT_ROWS = 200
STEPS_SHOWN = 400
BOOKKEEPING = ("Choice", "Pass", "Succeed")
"""Types of states that only lead from one to the next: not shown unless the whole machine is asked for."""


@dataclass(frozen=True)
class Story:
    """What Step Functions still knows of an execution."""

    details: Details
    events: Events
    trace: Trace
    graph: Painted
    rows: tuple[Row, ...]
    ticks: tuple[Tick, ...]


@page.get("/executions/<name>")
def show(name: str) -> str:
    limit = ALL_EVENTS if request.args.get("events") == "all" else EVENTS
    whole = "whole" in request.args
    try:
        story = story_of(name, limit, whole=whole)
    except ExecutionNotFound:
        return _forgotten(name)
    one = story.details.execution
    return render_template(
        "execution.html",
        one=one,
        story=story,
        steps=[one for one in story.trace.steps if whole or one.type not in BOOKKEEPING][-STEPS_SHOWN:],
        failed=story.trace.failed_step,
        whole=whole,
        rounds=rounds_of(one),
        healed_by=seen(("healed", name), 3, lambda: site().stack.executions.history.healed_by(one)),
        restored=restored_of(story.details),
        aws=execution_page(site().stack.connection, one.arn),
        log=log_of,
        live=1 if one.status == "running" else None,
    )


@page.get("/executions/<name>/steps/<int:number>")
def step(name: str, number: int) -> str:
    """One step with its input and output; the page of the execution takes it in when the step is unfolded."""
    story = story_of(name, ALL_EVENTS, whole=False)
    found = next((one for one in story.trace.steps if one.id == number), None)
    if found is None:
        abort(404, f"The execution {name} has no step {number}.")
    return render_template("step.html", one=story.details.execution, step=found, log=log_of)


@page.get("/executions/<name>/events")
def events(name: str) -> str:
    start = request.args.get("from", 0, int)
    found = seen(("events", name, start), 1, lambda: site().stack.executions.events(name, max(0, start) + EVENT_ROWS))
    rows = found.events[start:]
    following = None if found.whole else url_for(".events", name=name, **{"from": start + EVENT_ROWS})
    return render_template("events.html", name=name, rows=rows, start=start, following=following)


@page.get("/executions/<name>/log/<function>")
def log(name: str, function: str) -> str:
    folder = site().logs
    if folder is None:
        abort(404, "The logs of this stack are in CloudWatch.")
    lines = lines_about(folder, function, name)
    return render_template("log.html", name=name, function=function, lines=lines, live=2)


def story_of(name: str, limit: int, *, whole: bool) -> Story:
    """Raises ExecutionNotFound. What has ended does not change, so it is not asked for again."""
    details = seen(("details", name), 0.8, lambda: site().stack.executions.details(name))
    one = details.execution
    fresh = 0.8 if one.status == "running" else 600.0
    history = seen(("history", name, limit, one.ended_at), fresh, lambda: site().stack.executions.events(name, limit))
    definition = seen(("definition", name), 600, lambda: site().stack.executions.definition(name))
    traced = trace(definition, history.events, now=g.now, status=one.status, ended_at=one.ended_at)
    graph = layout(definition, only=None if whole else compact(definition, traced))
    return Story(details, history, traced, paint(graph, traced), bars(traced, g.now), ticks(traced, g.now))


def rounds_of(one: Execution) -> tuple[MergedRound, ...]:
    """What it planned and merged, by round; nothing for an execution that names no collection."""
    if not is_collection(one.collection or "") or one.mode not in MODES_WITH_ROUNDS:
        return ()
    fresh = 2.0 if one.status == "running" else 600.0
    collection = str(one.collection)
    return seen(("rounds", one.name, one.ended_at), fresh, lambda: what_merged(site().stack, collection, one.name))


def restored_of(details: Details) -> tuple[str, ...]:
    """What an execution found and brought back for readers; nothing for one that was not started for that."""
    if details.execution.outcome != "restored" or details.output is None:
        return ()
    return restored(str(details.execution.collection), json.loads(details.output)["result"])


def log_of(name: str, step: Step) -> str | None:
    """Where the log of a step is: the worker's on this machine, or its log group in CloudWatch."""
    if step.resource is None or ":function:" not in step.resource:
        return None
    function = step.resource.partition(":function:")[2].partition(":")[0]
    connection = site().stack.connection
    if connection.endpoint_url is None:
        return seen(("log group", function), 3600, lambda: log_page(connection, function))
    return url_for(".log", name=name, function=function) if site().logs else None


def _forgotten(name: str) -> str:
    """Step Functions keeps executions for 90 days; its row tells the rest. Raises ExecutionNotFound without a row."""
    one = seen(("row", name), 60, lambda: site().stack.executions.history.find(name))
    if one is None:
        raise ExecutionNotFound(f"There is no execution {name}, and no row of the history tells of one.")
    return render_template(
        "execution.html",
        one=one,
        story=None,
        steps=(),
        failed=None,
        rounds=rounds_of(one),
        restored=(),
        healed_by=site().stack.executions.history.healed_by(one),
        aws=None,
        log=log_of,
        live=None,
        whole=False,
    )
