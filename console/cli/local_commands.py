"""The commands that bring a stack of their own: `up` keeps one running for the other commands, `demo` shows one."""

import random
import shutil
from argparse import Namespace
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from console.cli.commands import print_json
from console.cli.progress import Progress, stderr_console, stdout_console
from console.cli.signals import stop_signal
from operate.connection import STACK_FILE, Connection, load_local, save_local
from operate.errors import FolderInUse, StackNotRunning, UsageError
from operate.services import utc_now

if TYPE_CHECKING:
    from local.stack import LocalStack

UP_FOLDER = Path(".compaction/data")
DEMO_FOLDER = Path(".compaction/demo")
SAMPLE_SEED = 7

WHAT_TO_TRY = """\
Try, in another terminal and this folder:
  compaction status
  compaction history
  compaction query words "organic milk"
  compaction start lines --mode plan"""


def demo(arguments: Namespace) -> int:
    """Exit code 0 only when every act did what it claims and the snapshots are what they must be.

    With --json the last line of stdout is the result as one object, also when an act failed. Raises UsageError.
    """
    from local.demo.acts import run_demo
    from local.demo.result import DemoFailed, DemoSettings

    try:
        settings = DemoSettings(
            receipts=arguments.receipts, shards=arguments.shards, seed=arguments.seed, folder=DEMO_FOLDER.absolute()
        )
    except ValueError as error:
        raise UsageError(str(error)) from error
    progress = Progress(stderr_console() if arguments.json else stdout_console())
    try:
        result = run_demo(settings, progress)
    except DemoFailed as error:
        if arguments.json:
            print_json({"ok": False, "error": str(error), "efs": str(settings.folder / "efs")})
        raise
    if arguments.json:
        print_json(result.to_json())
    return 0 if result.ok else 1


def up(arguments: Namespace) -> int:
    """Run a stack until SIGINT or SIGTERM. Raises FolderInUse when one runs here already."""
    from console.cli.web_command import serve
    from local.lambdas.memory import few_arenas
    from local.settings import lasting
    from local.stack import LocalStack

    _refuse_a_second_stack()
    shutil.rmtree(UP_FOLDER, ignore_errors=True)  # the tables begin empty, so the file system must too
    progress = Progress(stderr_console())
    few_arenas()
    stack = LocalStack(UP_FOLDER.absolute(), lasting(arguments.shards))
    with stop_signal() as stopped:
        with progress.waiting("starting DynamoDB, S3, SQS, Step Functions and the workers on this machine"):
            stack.start()
        try:
            save_local(stack.connection)
            with ExitStack() as serving:
                console_url = None
                if not arguments.no_console:
                    server = serve(stack.connection, port=arguments.port)
                    serving.callback(server.stop)
                    console_url = server.url
                if arguments.sample and not stopped.is_set():
                    with progress.waiting(f"writing {arguments.sample} sample receipts"):
                        write_sample(stack, arguments.sample)
                if arguments.json:
                    print_json({**stack.connection.to_json(), "console_url": console_url})
                else:
                    stdout_console().print(Text(welcome(stack.connection, arguments.sample, console_url)))
                stopped.wait()
        finally:
            STACK_FILE.unlink(missing_ok=True)
            with progress.waiting("stopping: what runs may end first"):
                stack.stop()
    progress.say("The local stack is down; its snapshots stay until the next `compaction up`.")
    return 0


def welcome(connection: Connection, sample: int | None, console_url: str | None) -> str:
    """Where everything is, and what to do with it."""
    lines = [
        "The local stack is up; Ctrl-C stops it.",
        "",
        f"  console     {console_url or 'not started: `compaction console` does that'}",
        f"  endpoint    {connection.endpoint_url}  (DynamoDB, S3, SQS, Step Functions)",
        f"  tables      {connection.receipts_table}, {connection.control_table}",
        f"  bucket      {connection.bucket}",
        f"  snapshots   {connection.efs_root}",
        f"  known to the other commands by {STACK_FILE}",
        "",
        WHAT_TO_TRY,
    ]
    if sample is None:
        lines += ["", "The tables are empty; `compaction up --sample 20` begins with 20 receipts."]
    return "\n".join(lines)


def write_sample(stack: "LocalStack", count: int) -> None:
    """Put sample receipts and their runs into the table, as producers do; the stream does the rest."""
    from local.demo.samples.embedding import DIMENSION
    from local.demo.samples.producer import Producer
    from local.demo.samples.receipts import sample_receipts

    rng = random.Random(SAMPLE_SEED)  # noqa: S311 -- sample data, the same every time
    producer = Producer(
        dynamodb=stack.client("dynamodb"),
        s3=stack.client("s3"),
        table=stack.connection.receipts_table,
        bucket=stack.connection.bucket,
        dimension=DIMENSION,
        rng=rng,
    )
    producer.put_receipts(producer.plan_uploads(sample_receipts(rng, count, utc_now())))


def _refuse_a_second_stack() -> None:
    with suppress(StackNotRunning):
        running = load_local()
        raise FolderInUse(f"a local stack runs in this folder already, at {running.endpoint_url}: use it, or stop it")
