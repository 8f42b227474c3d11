"""The commands that hold a collection back and let it go, and those about its quarantine."""

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from receipt_dynamo_stream.control.notes import NotedReceipt
from receipt_dynamo_stream.control.pausing import Resumed
from receipt_dynamo_stream.texts import one_line
from rich.text import Text

from console.cli import render_operator
from console.cli.commands import collections_of, follow, print_json, report, stack_of, waiting
from console.cli.confirm import confirm, require_answer
from console.cli.progress import stdout_console
from operate import asked_first
from operate.errors import ExecutionFailed, RunAmbiguous
from operate.quarantine import Waiting
from operate.receipts import parse_receipt
from operate.stack import Stack
from operate.wording import count_of, failure_line


def pause(arguments: Namespace) -> int:
    """Raises NothingToPause."""
    stack = stack_of(arguments)
    collection = arguments.collection
    standing = stack.collections.pause(collection, arguments.why)
    if arguments.json:
        print_json(
            {
                "collection": collection,
                "paused": stack.collections.paused(collection),
                "was_paused": standing is not None,
            }
        )
        return 0
    stdout = stdout_console()
    if standing is not None:
        stdout.print(Text(f"{collection} is paused already, and stays so: {standing}"))
        return 0
    stdout.print(f"{collection} is paused: changes keep collecting, nothing is published.")
    stdout.print(f"`compaction resume {collection}` goes on.")
    return 0


def resume(arguments: Namespace) -> int:
    """Raises ResumeRefused, VersionUnreadable, and ExecutionFailed when the execution that was waited for failed."""
    stack = stack_of(arguments)
    if arguments.collection is None:
        return _resume_all(arguments, stack)
    collection = arguments.collection
    with waiting("marking every receipt pending"):
        resumed = stack.collections.resume(collection)
    more = {"collection": collection, "was_paused": resumed.was_paused, "receipts": resumed.receipts}
    if resumed.arn is None:
        if arguments.json:
            print_json({**more, "execution": None})
        else:
            stdout_console().print(f"{collection} is not paused: nothing was done.")
        return 0
    if not arguments.json:
        _say_resumed(collection, resumed)
    return report(stack, follow(stack, resumed.arn, wait=arguments.wait), as_json=arguments.json, more=more)


def _resume_all(arguments: Namespace, stack: Stack) -> int:
    """Whatever is paused of what is kept up: all is resumed before any execution is waited for."""
    resumed: dict[str, Resumed] = {}
    for collection in stack.collections.names():
        with waiting(f"marking every receipt of {collection} pending"):
            one = stack.collections.resume(collection)
        if one.arn is not None:
            resumed[collection] = one
            if not arguments.json:
                _say_resumed(collection, one)
    executions = {name: follow(stack, one.arn or "", wait=arguments.wait) for name, one in resumed.items()}
    if arguments.json:
        more = {name: {"was_paused": one.was_paused, "receipts": one.receipts} for name, one in resumed.items()}
        print_json({"collections": {name: {**one.to_json(), **more[name]} for name, one in executions.items()}})
    elif not resumed:
        stdout_console().print("Nothing is paused: nothing was done.")
    for execution in executions.values():
        if execution.status not in ("running", "succeeded"):
            raise ExecutionFailed(failure_line(execution))
        if not arguments.json:
            report(stack, execution, as_json=False)
    return 0


def _say_resumed(collection: str, resumed: Resumed) -> None:
    stdout = stdout_console()
    stdout.print(Text(f"{collection} is no longer paused; it was: {resumed.was_paused}"))
    stdout.print(f"{count_of(resumed.receipts, 'receipt')} marked pending.")


def quarantine_list(arguments: Namespace) -> int:
    stack = stack_of(arguments)
    collections = collections_of(arguments, stack)
    with waiting("asking for quarantined runs"):
        found = stack.quarantine.runs(collections)
        noted = stack.quarantine.notes(collections) if arguments.notes else []
    if arguments.json:
        print_json({"runs": [_run_json(one) for one in found], **(_notes_json(noted) if arguments.notes else {})})
        return 0
    stdout = stdout_console()
    for collection in collections:
        if runs := [run for name, run in found if name == collection]:
            stdout.print(render_operator.quarantine_table(collection, runs, stack.now(), width=stdout.width))
    stdout.print(
        "`compaction quarantine retry RUN` gives a run another chance, `drop RUN` gives it up."
        if found
        else "No run is in quarantine."
    )
    for collection in collections:
        if receipts := [one for name, one in noted if name == collection]:
            stdout.print(render_operator.notes_table(collection, receipts, stack.now(), width=stdout.width))
    if arguments.notes:
        stdout.print(
            "A change of its receipt in the table takes a note away once its cause is gone. Of a delta that was mended"
            " or uploaded again the table says nothing: `compaction reconcile --image ID` looks again."
            if noted
            else "No run has a note."
        )
    return 0


def quarantine_retry(arguments: Namespace) -> int:
    """Raises RunNotFound or RunAmbiguous."""
    stack, found = _meant(arguments)
    started = stack.quarantine.retry_all(found)
    executions = {collection: stack.executions.describe(arn) for collection, arn in started.items()}
    if arguments.json:
        print_json(
            {
                "runs": [_run_json(one) for one in found],
                "executions": {collection: execution.to_json() for collection, execution in executions.items()},
            }
        )
        return 0
    for collection, run in found:
        stdout_console().print(
            Text(f"Run {one_line(run.run_id)} of {collection} is PENDING again; started {executions[collection].name}")
        )
    if not found:
        stdout_console().print(_none_waits(arguments))
    return 0


def quarantine_drop(arguments: Namespace) -> int:
    """Raises RunNotFound, RunAmbiguous or Declined."""
    require_answer(arguments)
    stack, found = _meant(arguments)
    if found:
        confirm(arguments, asked_first.drop_all(found) if arguments.all else asked_first.drop(found))
    states = stack.quarantine.drop_all(found, arguments.why)
    if arguments.json:
        runs = [{**_run_json(one), "state": state} for one, state in zip(found, states, strict=True)]
        of_one = {} if arguments.all else {"states": {run["collection"]: run["state"] for run in runs}}
        print_json({"runs": runs, **of_one})
        return 0
    for (collection, run), state in zip(found, states, strict=True):
        now = "its item is gone" if state is None else f"it is {state}"
        stdout_console().print(Text(f"Run {one_line(run.run_id)} left the quarantine of {collection}; {now}."))
    if not found:
        stdout_console().print(_none_waits(arguments))
    return 0


def _meant(arguments: Namespace) -> tuple[Stack, list[Waiting]]:
    """The stack, and the runs that the arguments name. Raises RunNotFound or RunAmbiguous."""
    if (
        bool(arguments.run) == arguments.all
        or (arguments.reason and not arguments.all)
        or (arguments.receipt and arguments.all)
    ):
        raise RunAmbiguous(f"give one RUN, or --all, or --all --reason NAME: `{arguments.called} --help`")
    stack = stack_of(arguments)
    if arguments.all:
        return stack, stack.quarantine.runs(collections_of(arguments, stack), arguments.reason)
    receipt = parse_receipt(arguments.receipt) if arguments.receipt else None
    return stack, stack.quarantine.find(arguments.run, collections_of(arguments, stack), receipt)


def _none_waits(arguments: Namespace) -> str:
    return "No run is in quarantine" + (f" as {arguments.reason}." if arguments.reason else ".")


def _notes_json(noted: Sequence[tuple[str, NotedReceipt]]) -> dict[str, Any]:
    """Every note that is listed, and how many more there are."""
    notes = [
        {**asdict(run), "collection": collection, "receipt": one.receipt.key}
        for collection, one in noted
        for run in one.runs
    ]
    return {"notes": notes, "more_notes": sum(one.more for _, one in noted)}


def _run_json(quarantined: Waiting) -> dict[str, Any]:
    collection, run = quarantined
    return {
        **{k: v for k, v in asdict(run).items() if k not in ("since", "order")},
        "collection": collection,
        "receipt": run.receipt.key,
    }
