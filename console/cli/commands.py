"""The commands that work on a stack, local or deployed: ask the API, render the answer."""

import json
from argparse import Namespace
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from receipt_dynamo_stream.generations import collection_of, number_of
from rich.text import Text

from console.cli import tables
from console.cli.progress import spinner, stderr_console, stdout_console
from operate import wording
from operate.connection import Connection, load_aws, load_local
from operate.errors import ExecutionFailed, NothingMarked, UsageError
from operate.history import Wanted
from operate.models import LOST, Execution, name_of
from operate.stack import Stack

NO_EXECUTIONS = "No executions yet. They start by themselves when receipts change; `compaction start` starts one."


def stack_of(arguments: Namespace) -> Stack:
    """The stack that the arguments name. Raises what `connect` raises, and CollectionNotFound for a generation that
    they name and that it never had."""
    stack = Stack(connect(arguments))
    if (name := getattr(arguments, "collection", None)) is not None:
        stack.collections.known(name)
    return stack


def collections_of(arguments: Namespace, stack: Stack) -> tuple[str, ...]:
    """The one that the arguments name, or all that the stack keeps up."""
    return (arguments.collection,) if arguments.collection else stack.collections.names()


def connect(arguments: Namespace) -> Connection:
    """Where the stack is that the arguments name. Raises UsageError, and what `load_local` and `load_aws` raise."""
    if arguments.stack:
        return load_aws(arguments.stack, arguments.region)
    if arguments.region:
        raise UsageError("--region is of a stack on AWS: pass --stack NAME too")
    return load_local()


def print_json(value: dict[str, Any]) -> None:
    """One JSON object on one line of stdout."""
    print(json.dumps(value), flush=True)


def status(arguments: Namespace) -> int:
    stack = stack_of(arguments)
    with waiting("asking for heads, backlogs and executions"):
        statuses = [stack.collections.status(collection) for collection in collections_of(arguments, stack)]
    if arguments.json:
        print_json({"collections": {status.collection: status.to_json() for status in statuses}})
        return 0
    stdout = stdout_console()
    stdout.print(tables.status_table(statuses, stack.now()))
    if any(status.version == 0 and not status.pending for status in statuses):
        stdout.print("Nothing was published and nothing waits: `compaction doctor` says whether anything should be.")
    if any(status.quarantined for status in statuses):
        stdout.print("A quarantined run waits for a good run of its receipt, or for you: `compaction quarantine list`.")
    for name in sorted({collection_of(one.collection) for one in statuses if number_of(one.collection) > 1}):
        serving = stack.collections.generations(name).serving
        stdout.print(f"Readers of {name} follow {serving}: `compaction renew {name}` shows its generations.")
    for status in statuses:
        if status.paused is not None:
            stdout.print(f"Nothing of {status.collection} is published until `compaction resume {status.collection}`.")
    return 0


def history(arguments: Namespace) -> int:
    """Executions that had nothing to do are counted, not shown, unless asked for: the schedule and bursts make many."""
    stack = stack_of(arguments)
    wanted = Wanted(collection=arguments.collection, result=arguments.status, idle=arguments.all)
    with waiting("asking for executions"):
        page = stack.executions.history.page(wanted, limit=arguments.limit)
    shown, idle = page.rows, page.folded
    if arguments.json:
        print_json({"executions": [row.to_json() for row in shown], "hidden": idle})
        return 0
    stdout = stdout_console()
    if shown:
        stdout.print(tables.history_table(shown, stack.now(), width=stdout.width))
    elif not idle:
        stdout.print("No such executions." if arguments.status else NO_EXECUTIONS)
    if idle:
        stdout.print(f"Not shown: {idle} that had nothing pending or coalesced into a running one (--all).")
    if len(shown) == arguments.limit:
        stdout.print(f"These are the newest {len(shown)}; --limit shows more.")
    return 0


def start(arguments: Namespace) -> int:
    stack = stack_of(arguments)
    arn = stack.executions.start(arguments.collection, arguments.mode)
    preview = arguments.mode == "plan"
    execution = follow(stack, arn, wait=arguments.wait or preview)
    if not preview or execution.status != "succeeded":
        return report(stack, execution, as_json=arguments.json)
    plan = stack.executions.preview(execution)
    if arguments.json:
        print_json({**execution.to_json(), "plan": plan.to_json()})
    else:
        stdout_console().print(tables.preview_table(plan))
    return 0


def rerun(arguments: Namespace) -> int:
    """Raises ExecutionNotFound, ExecutionAmbiguous or RerunRefused."""
    stack = stack_of(arguments)
    arn = stack.executions.rerun(arguments.execution)
    return report(stack, follow(stack, arn, wait=arguments.wait), as_json=arguments.json)


def reconcile(arguments: Namespace) -> int:
    """Raises VersionUnreadable, and NothingMarked for an image of no receipt."""
    stack = stack_of(arguments)
    collections = collections_of(arguments, stack)
    with waiting("marking receipts pending"):
        marked = stack.collections.reconcile(collections, arguments.image)
    if arguments.image is not None and not marked:
        raise NothingMarked(f"no receipt of image {arguments.image} is in the table or in a snapshot: none was marked")
    if arguments.json:
        print_json({"collections": collections, "image": arguments.image, "receipts": marked})
        return 0
    stdout = stdout_console()
    stdout.print(f"{wording.count_of(marked, 'receipt')} marked pending ({' and '.join(collections)}).")
    stdout.print("The schedule merges them; `compaction start COLLECTION` does it now.")
    return 0


def query(arguments: Namespace) -> int:
    from console.embedding import embedder_of
    from operate.contents.contents import Contents
    from operate.contents.query import read_where

    if (arguments.text is None) == (arguments.vector is None):
        raise UsageError("give either a TEXT or --vector FILE")
    stack = stack_of(arguments)
    embedder = embedder_of(stack.connection, arguments.embedder)
    with waiting("asking the snapshot"), Contents(stack, embedder=embedder) as contents:
        answer = contents.search(
            arguments.collection,
            arguments.version,
            text=arguments.text,
            vector=Path(arguments.vector) if arguments.vector is not None else None,
            n=arguments.n,
            where=read_where(arguments.where) if arguments.where is not None else None,
        )
    if arguments.json:
        print_json(answer.to_json())
        return 0
    stdout = stdout_console()
    stdout.print(tables.answer_table(answer, width=stdout.width))
    if not answer.hits:
        stdout.print("No record fits." if arguments.where is None else "No record fits the filter.")
    elif line := tables.embedded_line(answer):
        stdout.print(line)
    if (serving := stack.collections.generations(arguments.collection).serving) != arguments.collection:
        stdout.print(f"Readers follow {serving}; this was {arguments.collection}.")
    return 0


def follow(stack: Stack, arn: str, *, wait: bool) -> Execution:
    """An execution as it is now, or once it has ended."""
    if not wait:
        return stack.executions.describe(arn)
    with waiting(f"waiting for {wording.short_name(name_of(arn))}"):
        return stack.executions.wait(arn)


def report(stack: Stack, execution: Execution, *, as_json: bool, more: dict[str, Any] | None = None) -> int:
    """Say what became of an execution; `more` is added to its JSON.

    Raises ExecutionFailed, after the answer, when it did not succeed, or did not do what it was started for.
    """
    if as_json:
        print_json({**execution.to_json(), **(more or {})})
    elif execution.status == "running":
        stdout_console().print(Text(f"started {execution.name}"))
        stdout_console().print("`compaction history` shows what becomes of it; --wait waits for its end.")
    elif execution.status == "succeeded":
        stdout_console().print(tables.execution_line(execution, stack.now()))
    if execution.status not in ("running", "succeeded"):
        raise ExecutionFailed(wording.failure_line(execution))
    if execution.outcome in LOST:
        raise ExecutionFailed(wording.lost_line(execution))
    return 0


def waiting(text: str) -> AbstractContextManager[object]:
    """A spinner on stderr while something is asked or waited for."""
    return spinner(stderr_console(), text)
