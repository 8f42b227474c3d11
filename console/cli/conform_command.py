"""The command that asks whether what runs does what this repository says."""

import json
import os
from argparse import Namespace
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from console.cli.commands import connect, print_json
from console.cli.progress import Progress, stderr_console, stdout_console
from operate.errors import UsageError
from operate.services import new_unique

if TYPE_CHECKING:
    from operate.conform.level_0 import Answerer
    from operate.conform.report import Report
    from operate.conform.rows import Row
    from operate.connection import Connection

AWS_RECORDS, LOCAL_RECORDS, MOST_RECORDS = 70_000, 1_000, 200_000
WHOM_TO_ASK = "whom to ask? --stack NAME, a stack on AWS; --local; or --level 0, which needs AWS credentials alone"


def conform(arguments: Namespace) -> int:
    """Exit code 0 only when every required row held, 1 otherwise. What was made is removed also when it is interrupted.

    Raises UsageError, and what `connect` raises, before anything is asked.
    """
    from console.cli.render_conform import closing_line, part_lines
    from operate.conform.report import Report

    _check(arguments)
    stdout = stdout_console()
    shown: list[Row] = []
    kept: list[Row] = []

    def show() -> None:
        if shown and not arguments.json:
            for line in part_lines(shown, width=stdout.width):
                stdout.print(line)
        shown.clear()

    asked_at = datetime.now(UTC).isoformat(timespec="seconds")
    with Progress(stderr_console()).telling("asking") as tell:
        region, rows = _asked(arguments, tell)
        with closing(rows):
            for row in rows:
                if shown and (row.part, row.whose) != (shown[-1].part, shown[-1].whose):
                    show()
                shown.append(row)
                kept.append(row)
                tell(f"{row.part}: {len(shown):,} asked, of {row.whose}")
            show()
    report = Report(
        asked_at,
        version("receipt-compaction"),
        stack=_name(arguments),
        region=region,
        levels=_levels(arguments),
        chromadb=version("chromadb"),
        botocore=version("botocore"),
        rows=tuple(kept),
    )
    return _told(report, arguments, closing_line)


def _told(report: "Report", arguments: Namespace, closing_line: Callable[["Report"], Any]) -> int:
    if arguments.report:
        Path(arguments.report).write_text(report.to_text())
    if arguments.json:
        print_json({"passed": report.passed, **report.to_json()})
    else:
        stdout_console().print(closing_line(report))
    return 0 if report.passed else 1


def _check(arguments: Namespace) -> None:
    if arguments.local and (arguments.stack or arguments.region):
        raise UsageError("--local asks this machine: leave out --stack and --region")
    if not (arguments.local or arguments.stack or arguments.level == 0):
        raise UsageError(WHOM_TO_ASK)
    if arguments.template and (arguments.local or arguments.level == 1):
        raise UsageError("a change set is made on AWS, at level 0: leave out --template, or --local and --level 1")
    if arguments.records is not None and not 0 <= arguments.records <= MOST_RECORDS:
        raise UsageError(f"--records {arguments.records}: give 0 to {MOST_RECORDS:,}")
    if arguments.report:
        _check_writable(Path(arguments.report).absolute(), arguments.report)


def _check_writable(path: Path, given: str) -> None:
    """It is written in the end, after half an hour of questions."""
    if not path.parent.is_dir():
        raise UsageError(f"--report {given}: there is no such folder")
    if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        raise UsageError(f"--report {given}: this cannot be written")


def _levels(arguments: Namespace) -> tuple[int, ...]:
    return (0, 1) if arguments.level is None else (arguments.level,)


def _records(arguments: Namespace) -> int:
    """Of the seeded base: what users have on AWS, little here."""
    if arguments.records is not None:
        return int(arguments.records)
    return LOCAL_RECORDS if arguments.local else AWS_RECORDS


def _name(arguments: Namespace) -> str | None:
    return "local" if arguments.local else arguments.stack


def _asked(arguments: Namespace, tell: Callable[[str], None]) -> tuple[str | None, "Generator[Row]"]:
    """The region, and the rows as they come. Who is asked is reached at once, or an error says what that needs."""
    connection: Connection | None = None
    if arguments.stack or 1 in _levels(arguments):
        connection = connect(arguments)
    if arguments.local:
        return None, _rows(arguments, connection, _local_rows)
    from operate.conform.on_aws import OnAws

    aws = OnAws.reach(connection, arguments.region, tell=tell, unique=new_unique())
    template = None if arguments.template is None else _text(arguments.template)
    return aws.region, _rows(arguments, connection, lambda: aws.rows(_machine(), template, arguments.stack))


def _rows(
    arguments: Namespace, connection: "Connection | None", level_0: "Callable[[], Iterator[Row]]"
) -> "Generator[Row]":
    from operate.conform.probes import probe_rows
    from operate.stack import Stack

    if 0 in _levels(arguments):
        yield from level_0()
    if 1 in _levels(arguments) and connection is not None:
        yield from probe_rows(Stack(connection), _records(arguments))


def _text(file: str) -> str:
    try:
        return Path(file).read_text()
    except OSError as error:
        raise UsageError(f"--template {file}: {error.strerror}") from error


def _machine() -> dict[str, Any]:
    from local.application import compaction_application
    from local.aws.resources import definition

    machine: dict[str, Any] = json.loads(definition(compaction_application(), shards=1))
    return machine


_machine_here = _machine
"""What is asked on this machine: what the local stack runs is this repository's file."""


def _local_rows() -> "Iterator[Row]":
    """What needs AWS is left out, and not required."""
    from local.aws.moto_patterns import matches_in_moto
    from local.aws.status_events import StatusChange
    from operate.conform import change_set, quotas, validation
    from operate.conform.level_0 import case_rows
    from operate.conform.rows import Whose
    from operate.conform.services import left_out

    for part in (validation.DEFINITION, quotas.PART, change_set.PART):
        yield left_out(part, "only AWS can be asked: --stack NAME, or --level 0", Whose.AWS, required=False)
    now = datetime.now(UTC)
    change = StatusChange(
        arn=f"{validation.MACHINE_ARN}:e",
        state_machine_arn=validation.MACHINE_ARN,
        name="e",
        status="RUNNING",
        started_at=now,
    )
    event = change.to_event("id")
    yield from validation.pattern_rows(matches_in_moto, Whose.EMULATOR, event=event)
    yield from case_rows(_machine(), _machine_here(), _answerers())


def _answerers() -> "list[Answerer]":
    from local.aws.moto_differences import MOTO_DIFFERENCES
    from local.aws.moto_states import came_by_moto, handled_by_moto
    from operate.asl.answers import came_of_our_evaluator, of_our_evaluator
    from operate.conform.level_0 import Answerer
    from operate.conform.rows import Whose

    return [
        Answerer(Whose.OUR_EVALUATOR, of_our_evaluator, came_of_our_evaluator),
        Answerer(Whose.EMULATOR, handled_by_moto, came_by_moto, MOTO_DIFFERENCES, "moto"),
    ]
