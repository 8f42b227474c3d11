"""The `compaction` command: runs one command and turns what can go wrong into one line and an exit code.

Only what a command needs is imported, and only when it runs: `--help` loads neither boto3, moto nor chromadb.
"""

import os
import sys
from collections.abc import Sequence

from console.cli.arguments import EXIT_USAGE, build_parser, top_help
from console.cli.command_table import COMMANDS
from operate.errors import ConsoleError

EXIT_FAILED, EXIT_INTERRUPTED = 1, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. Whatever an operator can cause ends in one line on stderr."""
    try:
        arguments = build_parser().parse_args(argv)
    except SystemExit as leave:  # argparse has said what it had to say
        return leave.code if isinstance(leave.code, int) else EXIT_USAGE
    if arguments.command is None:
        print(top_help())
        return EXIT_USAGE
    command = next(command for command in COMMANDS if command.name == arguments.command)
    try:
        return command(arguments)
    except ConsoleError as error:
        return _fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        return _fail("interrupted", EXIT_INTERRUPTED)
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
    except _expected_errors() as error:
        return _fail(f"{type(error).__name__}: {' '.join(str(error).split())}", EXIT_FAILED)


def _fail(message: str, exit_code: int) -> int:
    from receipt_dynamo_stream.texts import one_line

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
