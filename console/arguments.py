"""What the `compaction` command takes, and what `--help` says of it."""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import NoReturn

from receipt_dynamo_stream.names import COLLECTIONS

from console.models import RESULTS

EXIT_USAGE = 2

INTRODUCTION = """\
usage: compaction COMMAND [options]

Merges receipt embeddings that DynamoDB announces into versioned ChromaDB
snapshots, and lets you watch, start and question the machine that does it.
`compaction COMMAND --help` says more of a command and shows an example."""

TARGETS = """\
Commands work on the local stack that `compaction up` runs in the same folder,
or, with --stack NAME [--region REGION] and ordinary AWS credentials, on a
deployed one. Each takes --json: one JSON object on stdout, for scripts; what is
said on the way goes to stderr."""

EXIT_CODES = """\
exit codes:
  0    done
  1    it was tried and failed: an execution, the demo, a service
  2    a wrong argument, no such stack, or nothing of that name
  130  interrupted"""


@dataclass(frozen=True)
class Command:
    """One command. `run` is the `module:function` that does it: it takes the arguments and returns the exit code."""

    name: str
    group: str
    summary: str
    example: str
    run: str
    options: Callable[[argparse.ArgumentParser], None]
    on_stack: bool = True

    def __call__(self, arguments: argparse.Namespace) -> int:
        module, _, function = self.run.partition(":")
        exit_code: int = getattr(import_module(module), function)(arguments)
        return exit_code


def build_parser() -> argparse.ArgumentParser:
    """The whole command line; `COMMANDS` is its table of contents."""
    parser = _TopParser(prog="compaction")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)
    for command in COMMANDS:
        sub = commands.add_parser(
            command.name,
            description=f"{command.summary[0].upper()}{command.summary[1:]}.",
            epilog=f"example:\n  {command.example}\n\n{EXIT_CODES}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.options(sub)
        sub.add_argument("--json", action="store_true", help="print one JSON object on stdout, for scripts")
        if command.on_stack:
            sub.add_argument("--stack", metavar="NAME", help="a stack deployed on AWS (default: the local stack)")
            sub.add_argument("--region", metavar="REGION", help="its AWS region (default: as the AWS CLI finds it)")
    return parser


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


def _positive(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def _demo_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--receipts", type=_positive, default=40, metavar="N", help="sample receipts (default: 40)")
    parser.add_argument("--shards", type=_positive, default=1, metavar="K", help="shards per collection (default: 1)")
    parser.add_argument("--seed", type=int, default=7, metavar="S", help="another seed, other receipts (default: 7)")


def _up_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--shards", type=_positive, default=1, metavar="K", help="shards per collection (default: 1)")
    parser.add_argument("--sample", type=_positive, metavar="N", help="begin with N sample receipts")


def _no_options(parser: argparse.ArgumentParser) -> None:
    """Only what every command takes."""


def _history_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("collection", nargs="?", choices=COLLECTIONS, metavar="COLLECTION", help="lines or words")
    parser.add_argument("--limit", type=_positive, default=20, metavar="N", help="how many to show (default: 20)")
    parser.add_argument("--all", action="store_true", help="also those that had nothing pending or coalesced")
    parser.add_argument("--status", choices=RESULTS, metavar="RESULT", help=f"only these: {', '.join(RESULTS)}")


def _start_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("collection", choices=COLLECTIONS, metavar="COLLECTION", help="lines or words")
    parser.add_argument(
        "--mode",
        choices=("compact", "plan"),
        default="compact",
        help="compact merges what is pending (default); plan waits and shows what it would merge, changing nothing",
    )
    parser.add_argument("--wait", action="store_true", help="wait for its end; exit code 1 when it fails")


def _rerun_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("execution", metavar="EXECUTION", help="name, beginning of a name, or ARN, from the history")
    parser.add_argument("--wait", action="store_true", help="wait for its end; exit code 1 when it fails")


def _reconcile_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("collection", nargs="?", choices=COLLECTIONS, metavar="COLLECTION", help="default: both")
    parser.add_argument("--image", metavar="ID", help="only the receipts of this image")


def _query_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("collection", choices=COLLECTIONS, metavar="COLLECTION", help="lines or words")
    parser.add_argument("text", nargs="?", metavar="TEXT", help="what to look for (on a local stack)")
    parser.add_argument("--vector", metavar="FILE", help="a JSON array of floats to look for instead of a text")
    parser.add_argument("-n", type=_positive, default=5, metavar="N", help="how many records to show (default: 5)")


COMMANDS: tuple[Command, ...] = (
    Command(
        "demo",
        "on this machine",
        "show the whole machine at work on sample receipts; check it",
        "compaction demo --receipts 40 --shards 4",
        "console.local_commands:demo",
        _demo_options,
        on_stack=False,
    ),
    Command(
        "up",
        "on this machine",
        "run the local stack until Ctrl-C; the other commands find it",
        "compaction up --sample 20",
        "console.local_commands:up",
        _up_options,
        on_stack=False,
    ),
    Command(
        "status",
        "look",
        "versions, records, backlog, lease, quarantine of both collections",
        "compaction status --json",
        "console.commands:status",
        _no_options,
    ),
    Command(
        "history",
        "look",
        "executions, newest first: what each came to, and why some failed",
        "compaction history words --status failed --limit 5",
        "console.commands:history",
        _history_options,
    ),
    Command(
        "query",
        "look",
        "the records of the published snapshot that are nearest to a text",
        'compaction query words "organic milk" -n 3',
        "console.commands:query",
        _query_options,
    ),
    Command(
        "start",
        "act",
        "start an execution by hand, or preview what one would do",
        "compaction start lines --mode plan",
        "console.commands:start",
        _start_options,
    ),
    Command(
        "rerun",
        "act",
        "start a new execution with the input of an old one; always safe",
        "compaction rerun words-stream-1b0f2c3d --wait",
        "console.commands:rerun",
        _rerun_options,
    ),
    Command(
        "reconcile",
        "act",
        "mark every receipt pending, so that its records are derived again",
        "compaction reconcile words",
        "console.commands:reconcile",
        _reconcile_options,
    ),
)
