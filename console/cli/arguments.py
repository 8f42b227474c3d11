"""What the `compaction` command takes, and what `--help` says of it."""

import argparse
import difflib
import platform
import re
import sys
from typing import NoReturn

from console.cli.command_table import COMMANDS, Command

EXIT_USAGE = 2

_CHOICE = re.compile(
    r"argument (?P<what>\S+): invalid choice: '(?P<given>.*)' \(choose from (?P<choices>.*)\)", re.DOTALL
)
"""How argparse refuses a word that is none of those it knows."""
_NAME = re.compile(r"[\w-]+")

INTRODUCTION = """\
usage: compaction COMMAND [options]

Merges receipt embeddings that DynamoDB announces into versioned ChromaDB
snapshots, and lets you watch, start and question the machine that does it.
`compaction COMMAND --help` says more of a command and shows an example,
`compaction --version` what is installed."""

TARGETS = """\
Commands work on the local stack that `compaction up` runs in the same folder,
or, with --stack NAME [--region REGION] before or after the command and ordinary
AWS credentials, on a deployed one. Each takes --json: one JSON object on
stdout, for scripts; what is said on the way goes to stderr."""

OF_ACTIONS = ("Each takes --json, and has a --help of its own.", "")

EXIT_CODES = """\
exit codes:
  0    done
  1    it was tried and failed: an execution, the demo, a service; or declined
  2    a wrong argument, no such stack, or nothing of that name
  130  interrupted"""


def build_parser() -> argparse.ArgumentParser:
    """The whole command line; `COMMANDS` is its table of contents."""
    parser = _TopParser(prog="compaction")
    parser.add_argument("--version", action=_Version, nargs=0)
    _add_target(parser, default=None)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)
    for command in COMMANDS:
        _add(commands, command)
    return parser


def _add(commands: "argparse._SubParsersAction[_Parser]", command: Command) -> None:
    parser = commands.add_parser(
        command.name,
        help=command.summary,
        description=f"{command.summary[0].upper()}{command.summary[1:]}.",
        epilog="\n".join([*(OF_ACTIONS if command.actions else ()), f"example:\n  {command.example}", "", EXIT_CODES]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(called=parser.prog)
    if command.actions:
        actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
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


def top_help() -> str:
    """What `compaction --help` says: the commands in groups."""
    width = max(len(command.name) for command in COMMANDS)
    lines = [INTRODUCTION, ""]
    for group in dict.fromkeys(command.group for command in COMMANDS):
        lines.append(f"{group}:")
        lines += [f"  {command.name:<{width}}  {command.summary}" for command in COMMANDS if command.group == group]
        lines.append("")
    return "\n".join([*lines, TARGETS, "", EXIT_CODES])


def versions() -> str:
    """What is installed: our own version first, then what a snapshot's format and the local stack depend on."""
    from importlib.metadata import version

    parts = [f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in ("chromadb", "moto"))]
    return f"compaction {version('receipt-compaction')} ({', '.join(parts)})"


class _Version(argparse.Action):
    """Only asks when it is asked: reading metadata takes time that no other command has to spend."""

    def __call__(self, parser: argparse.ArgumentParser, *_given: object) -> None:
        print(versions())
        parser.exit()


class _Parser(argparse.ArgumentParser):
    """Refuses in one line, and names what may have been meant."""

    def error(self, message: str) -> NoReturn:
        if wrong := _CHOICE.fullmatch(message):
            choices = _NAME.findall(wrong["choices"])
            near = difflib.get_close_matches(wrong["given"], choices, n=1)
            meant = f"did you mean `{near[0]}`?" if near else f"there are {', '.join(choices)}"
            message = f"no {wrong['what']} is called {wrong['given']!r}: {meant}"
        print(f"{self.prog}: {message}; see `{self.prog} --help`", file=sys.stderr)
        raise SystemExit(EXIT_USAGE)


class _TopParser(_Parser):
    def format_help(self) -> str:
        return top_help() + "\n"
