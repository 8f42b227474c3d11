"""The commands that work on a stack, local or deployed: ask the API, render the answer."""

import json
from argparse import Namespace
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from receipt_dynamo_stream.names import COLLECTIONS
from rich.text import Text

from console.cli import tables
from console.cli.progress import spinner, stderr_console, stdout_console
from operate import wording
from operate.api import Api
from operate.connection import Connection, load_aws, load_local
from operate.errors import ExecutionFailed, UsageError
from operate.execution_list import Listing, Wanted
from operate.executions_api import ExecutionsApi
from operate.models import Execution

ASKED_FIRST = ("rollback", "expire")
"""Modes of commands that say what will happen and ask; a re-run would not."""

NO_EXECUTIONS = "No executions yet. They start by themselves when receipts change; `compaction start` starts one."


def connect(arguments: Namespace) -> Connection:
    """The stack that the arguments name. Raises UsageError, and what `load_local` and `load_aws` raise."""
    if arguments.stack:
        return load_aws(arguments.stack, arguments.region)
    if arguments.region:
        raise UsageError("--region is of a stack on AWS: pass --stack NAME too")
    return load_local()


def print_json(value: dict[str, Any]) -> None:
    """One JSON object on one line of stdout."""
    print(json.dumps(value), flush=True)


def status(arguments: Namespace) -> int:
    api = Api(connect(arguments))
    with waiting("asking for heads, backlogs and executions"):
        statuses = [api.status(collection) for collection in COLLECTIONS]
    if arguments.json:
        print_json({"collections": {status.collection: status.to_json() for status in statuses}})
        return 0
    stdout = stdout_console()
    stdout.print(tables.status_table(statuses, api.now()))
    if any(status.quarantined for status in statuses):
        stdout.print("A quarantined run waits for a good run of its receipt, or for you: `compaction quarantine list`.")
    for status in statuses:
        if status.paused is not None:
            stdout.print(f"Nothing of {status.collection} is published until `compaction resume {status.collection}`.")
    return 0


def history(arguments: Namespace) -> int:
    """Executions that had nothing to do are counted, not shown, unless asked for: the schedule and bursts make many."""
    api = ExecutionsApi(connect(arguments))
    wanted = Wanted(collection=arguments.collection, result=arguments.status, idle=arguments.all)
    with waiting("asking for executions"):
        page = Listing(api).page(wanted, limit=arguments.limit)
    shown, idle = page.rows, page.folded
    if arguments.json:
        print_json({"executions": [row.to_json() for row in shown], "hidden": idle})
        return 0
    stdout = stdout_console()
    if shown:
        stdout.print(tables.history_table(shown, api.now(), width=stdout.width))
    elif not idle:
        stdout.print("No such executions." if arguments.status else NO_EXECUTIONS)
    if idle:
        stdout.print(f"Not shown: {idle} that had nothing pending or coalesced into a running one (--all).")
    if len(shown) == arguments.limit:
        stdout.print(f"These are the newest {len(shown)}; --limit shows more.")
    return 0


def start(arguments: Namespace) -> int:
    api = Api(connect(arguments))
    arn = api.start(arguments.collection, arguments.mode)
    preview = arguments.mode == "plan"
    execution = follow(api, arn, wait=arguments.wait or preview)
    if not preview or execution.status != "succeeded":
        return report(api, execution, as_json=arguments.json)
    plan = api.preview(execution)
    if arguments.json:
        print_json({**execution.to_json(), "plan": plan.to_json()})
    else:
        stdout_console().print(tables.preview_table(plan))
    return 0


def rerun(arguments: Namespace) -> int:
    api = Api(connect(arguments))
    old = api.describe(api.resolve(arguments.execution))
    if old.mode in ASKED_FIRST:
        raise UsageError(f"{old.name} is of mode {old.mode}: `compaction {old.mode}` does that, and asks first")
    arn = api.rerun(old.arn)
    return report(api, follow(api, arn, wait=arguments.wait), as_json=arguments.json)


def reconcile(arguments: Namespace) -> int:
    api = Api(connect(arguments))
    collections = [arguments.collection] if arguments.collection else list(COLLECTIONS)
    with waiting("marking receipts pending"):
        marked = api.reconcile(collections, arguments.image)
    if arguments.json:
        print_json({"collections": collections, "image": arguments.image, "receipts": marked})
        return 0
    stdout = stdout_console()
    stdout.print(f"{marked:,} {'receipt' if marked == 1 else 'receipts'} marked pending ({' and '.join(collections)}).")
    stdout.print("The schedule merges them; `compaction start COLLECTION` does it now.")
    return 0


def query(arguments: Namespace) -> int:
    from console.embedding import embedder_of
    from operate.contents.contents import Contents
    from operate.contents.query import read_where
    from operate.operator_api import OperatorApi

    if (arguments.text is None) == (arguments.vector is None):
        raise UsageError("give either a TEXT or --vector FILE")
    connection = connect(arguments)
    embed = embedder_of(connection)
    with waiting("asking the snapshot"), Contents(OperatorApi(connection), embed=embed) as contents:
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
    return 0


def follow(api: Api, arn: str, *, wait: bool) -> Execution:
    """An execution as it is now, or once it has ended."""
    if not wait:
        return api.describe(arn)
    with waiting(f"waiting for {wording.short_name(arn.rpartition(':')[2])}"):
        return api.wait(arn)


def report(api: Api, execution: Execution, *, as_json: bool, more: dict[str, Any] | None = None) -> int:
    """Say what became of an execution; `more` is added to its JSON.

    Raises ExecutionFailed, after the answer, when it did not succeed.
    """
    if as_json:
        print_json({**execution.to_json(), **(more or {})})
    elif execution.status == "running":
        stdout_console().print(Text(f"started {execution.name}"))
        stdout_console().print("`compaction history` shows what becomes of it; --wait waits for its end.")
    elif execution.status == "succeeded":
        stdout_console().print(tables.execution_line(execution, api.now()))
    if execution.status not in ("running", "succeeded"):
        raise ExecutionFailed(tables.failure_line(execution))
    return 0


def waiting(text: str) -> AbstractContextManager[object]:
    """A spinner on stderr while something is asked or waited for."""
    return spinner(stderr_console(), text)
