"""What the `compaction` command takes, and what `--help` says of it."""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import NoReturn

from console import options
from console.errors import UsageError

EXIT_USAGE = 2

INTRODUCTION = """\
usage: compaction COMMAND [options]

Merges receipt embeddings that DynamoDB announces into versioned ChromaDB
snapshots, and lets you watch, start and question the machine that does it.
`compaction COMMAND --help` says more of a command and shows an example."""

TARGETS = """\
Commands work on the local stack that `compaction up` runs in the same folder,
or, with --stack NAME [--region REGION] before or after the command and ordinary
AWS credentials, on a deployed one. Each takes --json: one JSON object on
stdout, for scripts; what is said on the way goes to stderr."""

EXIT_CODES = """\
exit codes:
  0    done
  1    it was tried and failed: an execution, the demo, a service; or declined
  2    a wrong argument, no such stack, or nothing of that name
  130  interrupted"""


@dataclass(frozen=True)
class Command:
    """One command. `run` is the `module:function` that does it: it takes the arguments and returns the exit code.

    A command with `actions` does nothing itself: the word after its name says which of them is meant.
    """

    name: str
    group: str
    summary: str
    example: str
    run: str = ""
    options: Callable[[argparse.ArgumentParser], None] = options.none
    on_stack: bool = True
    actions: tuple["Command", ...] = ()

    def __call__(self, arguments: argparse.Namespace) -> int:
        if not self.on_stack and (arguments.stack or arguments.region):
            raise UsageError(f"`{arguments.called}` works on this machine only: leave out --stack and --region")
        if self.actions:
            return next(action for action in self.actions if action.name == arguments.action)(arguments)
        module, _, function = self.run.partition(":")
        exit_code: int = getattr(import_module(module), function)(arguments)
        return exit_code


def build_parser() -> argparse.ArgumentParser:
    """The whole command line; `COMMANDS` is its table of contents."""
    parser = _TopParser(prog="compaction")
    _add_target(parser, default=None)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)
    for command in COMMANDS:
        _add(commands, command)
    return parser


def _add(commands: "argparse._SubParsersAction[_Parser]", command: Command) -> None:
    parser = commands.add_parser(
        command.name,
        description=f"{command.summary[0].upper()}{command.summary[1:]}.",
        epilog="\n".join([*_action_help(command), f"example:\n  {command.example}", "", EXIT_CODES]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(called=parser.prog)
    if command.actions:
        actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True, help="one of those below")
        for action in command.actions:
            _add(actions, action)
        return
    command.options(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object on stdout, for scripts")
    if command.on_stack:
        _add_target(parser, default=argparse.SUPPRESS)  # or it would undo what stands before the command


def _add_target(parser: argparse.ArgumentParser, *, default: str | None) -> None:
    for flag, metavar, what in (
        ("--stack", "NAME", "a stack deployed on AWS (default: the local stack)"),
        ("--region", "REGION", "its AWS region (default: as the AWS CLI finds it)"),
    ):
        parser.add_argument(flag, metavar=metavar, default=default, help=what)


def _action_help(command: Command) -> list[str]:
    if not command.actions:
        return []
    width = max(len(action.name) for action in command.actions)
    lines = [f"  {action.name:<{width}}  {action.summary}" for action in command.actions]
    return ["actions:", *lines, "", "Each takes --json, --stack and --region, and has a --help of its own.", ""]


def top_help() -> str:
    """What `compaction --help` says: the commands in groups."""
    width = max(len(command.name) for command in COMMANDS)
    lines = [INTRODUCTION, ""]
    for group in dict.fromkeys(command.group for command in COMMANDS):
        lines.append(f"{group}:")
        lines += [f"  {command.name:<{width}}  {command.summary}" for command in COMMANDS if command.group == group]
        lines.append("")
    return "\n".join([*lines, TARGETS, "", EXIT_CODES])


class _Parser(argparse.ArgumentParser):
    """Refuses in one line."""

    def error(self, message: str) -> NoReturn:
        print(f"{self.prog}: {message}; see `{self.prog} --help`", file=sys.stderr)
        raise SystemExit(EXIT_USAGE)


class _TopParser(_Parser):
    def format_help(self) -> str:
        return top_help() + "\n"


COMMANDS: tuple[Command, ...] = (
    Command(
        "demo",
        "on this machine",
        "show the whole machine at work on sample receipts; check it",
        "compaction demo --receipts 40 --shards 4",
        "console.local_commands:demo",
        options.demo,
        on_stack=False,
    ),
    Command(
        "up",
        "on this machine",
        "run the local stack until Ctrl-C; the other commands find it",
        "compaction up --sample 20",
        "console.local_commands:up",
        options.up,
        on_stack=False,
    ),
    Command(
        "console",
        "look",
        "all of this as pages: what ran, why, what is in a version",
        "compaction console --read-only",
        "console.web_command:console",
        options.console,
    ),
    Command(
        "status",
        "look",
        "versions, records, backlog, lease, quarantine of both collections",
        "compaction status --json",
        "console.commands:status",
        options.none,
    ),
    Command(
        "history",
        "look",
        "executions, newest first: what each came to, and why some failed",
        "compaction history words --status failed --limit 5",
        "console.commands:history",
        options.history,
    ),
    Command(
        "query",
        "look",
        "the records of a version that are nearest to a text",
        'compaction query words "organic milk" -n 3',
        "console.commands:query",
        options.query,
    ),
    Command(
        "start",
        "act",
        "start an execution by hand, or preview what one would do",
        "compaction start lines --mode plan",
        "console.commands:start",
        options.start,
    ),
    Command(
        "rerun",
        "act",
        "start a new execution with the input of an old one; always safe",
        "compaction rerun words-stream-1b0f2c3d --wait",
        "console.commands:rerun",
        options.rerun,
    ),
    Command(
        "reconcile",
        "act",
        "mark every receipt pending, so that its records are derived again",
        "compaction reconcile words",
        "console.commands:reconcile",
        options.reconcile,
    ),
    Command(
        "quarantine",
        "act",
        "runs that were refused: list them, retry one, drop one",
        "compaction quarantine list",
        actions=(
            Command(
                "list",
                "",
                "the runs that were refused, since when, and why",
                "compaction quarantine list words --json",
                "console.operator_commands:quarantine_list",
                options.quarantine_list,
            ),
            Command(
                "retry",
                "",
                "make a run PENDING again and start an execution",
                "compaction quarantine retry 7b1f7c1e",
                "console.operator_commands:quarantine_retry",
                options.quarantine_retry,
            ),
            Command(
                "drop",
                "",
                "give a run up: it stays FAILED, its error says why",
                'compaction quarantine drop 7b1f7c1e --why "the upload was cut off"',
                "console.operator_commands:quarantine_drop",
                options.quarantine_drop,
            ),
        ),
    ),
    Command(
        "versions",
        "snapshots",
        "what was published, from the current version back",
        "compaction versions words --limit 5",
        "console.snapshot_commands:versions",
        options.versions,
    ),
    Command(
        "compare",
        "snapshots",
        "what differs between two versions: records, metadata, vectors",
        "compaction compare words 41 42",
        "console.snapshot_commands:compare",
        options.compare,
    ),
    Command(
        "verify",
        "snapshots",
        "prove a version again: all files, all records; waits",
        "compaction verify words 41",
        "console.snapshot_commands:verify",
        options.verify,
    ),
    Command(
        "rollback",
        "snapshots",
        "publish an older version again, and pause; asks, waits",
        "compaction rollback words 41",
        "console.snapshot_commands:rollback",
        options.rollback,
    ),
    Command(
        "pause",
        "snapshots",
        "publish nothing until resume; changes keep collecting",
        'compaction pause words --why "a bad import"',
        "console.operator_commands:pause",
        options.pause,
    ),
    Command(
        "resume",
        "snapshots",
        "mark every receipt pending, unpause, start an execution",
        "compaction resume words --wait",
        "console.operator_commands:resume",
        options.resume,
    ),
    Command(
        "pin",
        "snapshots",
        "keep a version whatever its age, until unpin",
        'compaction pin words 41 --why "the audit of July"',
        "console.snapshot_commands:pin",
        options.pin,
    ),
    Command(
        "unpin",
        "snapshots",
        "leave a pinned version to expiry again",
        "compaction unpin words 41",
        "console.snapshot_commands:unpin",
        options.unpin,
    ),
    Command(
        "expire",
        "snapshots",
        "what no retained version needs: say it, or delete it; waits",
        "compaction expire words --apply",
        "console.snapshot_commands:expire",
        options.expire,
    ),
)
