"""The `compaction` command: runs one command and turns what can go wrong into one line and an exit code.

Only what a command needs is imported, and only when it runs: `--help` loads neither boto3, moto nor chromadb.
"""

import errno
import os
import sys
from collections.abc import Sequence
from contextlib import suppress

from console.cli.arguments import EXIT_USAGE, build_parser, top_help
from console.cli.command_table import COMMANDS
from console.cli.signals import interruptible
from operate.errors import ConsoleError

EXIT_FAILED, EXIT_INTERRUPTED = 1, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. Whatever an operator can cause ends in one line on stderr."""
    try:
        code = _run(argv)
        sys.stdout.flush()  # or Python does when it ends, and has no words for what it cannot write
        return code
    except BrokenPipeError:  # whoever read our output has seen enough
        _write_no_more()
        return EXIT_FAILED
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        _write_no_more()
        return _fail(f"{error.filename or 'what it answers'} cannot be written: {error.strerror}", EXIT_FAILED)


def _run(argv: Sequence[str] | None) -> int:
    try:
        arguments = build_parser().parse_args(argv)
    except SystemExit as leave:  # argparse has said what it had to say
        return leave.code if isinstance(leave.code, int) else EXIT_USAGE
    if arguments.command is None:
        print(top_help())
        return EXIT_USAGE
    command = next(command for command in COMMANDS if command.name == arguments.command)
    try:
        with interruptible():
            return command(arguments)
    except ConsoleError as error:
        return _fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        return _fail("interrupted", EXIT_INTERRUPTED)
    except _expected_errors() as error:
        return _fail(f"{type(error).__name__}: {' '.join(str(error).split())}", EXIT_FAILED)


def _write_no_more() -> None:
    """What is still buffered goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(message: str, exit_code: int) -> int:
    from receipt_dynamo_stream.texts import one_line

    with suppress(OSError):  # then nobody can be told
        print(f"compaction: {one_line(message)}", file=sys.stderr)
    return exit_code


def _expected_errors() -> tuple[type[Exception], ...]:
    """What services and packages raise by name; anything else is a defect and keeps its traceback."""
    from botocore.exceptions import BotoCoreError, ClientError
    from receipt_dynamo_stream.errors import CompactionError

    from local.errors import LocalStackError

    return BotoCoreError, ClientError, CompactionError, LocalStackError


if __name__ == "__main__":
    sys.exit(main())
