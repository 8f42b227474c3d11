"""The commands that bring a stack of their own: `up` keeps one running for the other commands, `demo` shows one."""

from argparse import Namespace
from contextlib import ExitStack, suppress
from pathlib import Path

from rich.text import Text

from console.cli.commands import print_json
from console.cli.feeding_commands import write_sample
from console.cli.progress import Progress, stderr_console, stdout_console
from console.cli.signals import stop_signal
from console.embedding import named_embedder
from operate.connection import STACK_FILE, Connection, load_local, save_local
from operate.errors import FolderInUse, StackNotRunning, UsageError

UP_FOLDER = Path(".compaction/data")
KEPT_FOLDER = Path(".compaction/kept")
DEMO_FOLDER = Path(".compaction/demo")
SAMPLE_SEED = 7

NOT_KEPT = "Its data goes with it; `compaction up --keep` keeps it."
KEPT = f"""\
Its data is saved in {KEPT_FOLDER} when it stops, and `up --keep` goes on
with it. A kill saves nothing: what came since the start is then lost."""
EMPTY = """\
The tables are empty: `compaction sample 20` writes 20 receipts into them,
`compaction load FILE` your own."""
GONE = "its snapshots stay until the next `compaction up`, its tables are gone."
LOST = "The last stack here was killed: what it did is lost, and this one goes on from the last whole stop."
LOST_ALL = "The last stack here was killed before it was ever stopped: what it did is lost, and this one begins empty."
NOT_EMPTY = (
    "--sample and --shards are for a stack that begins empty, and this one has its data: `compaction sample N` adds."
)

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
    """Run a stack until Ctrl-C, SIGTERM or SIGHUP. Raises FolderInUse when one runs here already, and
    StackAlreadyRunning when it does not answer."""
    from console.cli.web_command import serve
    from local.kept import Kept
    from local.lambdas.memory import few_arenas
    from local.settings import lasting
    from local.stack import LocalStack

    _refuse_a_second_stack()
    if arguments.embedder is not None:
        named_embedder(arguments.embedder)  # refused before anything is started
    folder = KEPT_FOLDER if arguments.keep else UP_FOLDER
    kept = Kept(folder)
    goes_on, killed = arguments.keep and kept.saved, arguments.keep and kept.killed
    progress = Progress(stderr_console())
    if killed:
        progress.say(LOST if goes_on else LOST_ALL)
    if goes_on and (arguments.sample or arguments.shards != 1):
        progress.say(NOT_EMPTY)
    few_arenas()
    fresh = not arguments.keep  # the tables begin empty, so the file system must too
    stack = LocalStack(folder.absolute(), lasting(arguments.shards), keep=arguments.keep, fresh=fresh)
    with stop_signal() as stopped:
        with progress.waiting("starting DynamoDB, S3, SQS, Step Functions and the workers on this machine"):
            stack.start()
        try:
            save_local(stack.connection)
            with ExitStack() as serving:
                console_url = None
                if not arguments.no_console:
                    server = serve(stack.connection, port=arguments.port, embedder=arguments.embedder)
                    serving.callback(server.stop)
                    console_url = server.url
                if arguments.sample and not goes_on and not stopped.is_set():
                    with progress.waiting(f"writing {arguments.sample} sample receipts"):
                        write_sample(stack.connection, arguments.sample, SAMPLE_SEED)
                if arguments.json:
                    print_json({**stack.connection.to_json(), "console_url": console_url})
                elif not stopped.is_set():
                    empty = arguments.sample is None and not goes_on
                    said = welcome(stack.connection, console_url, keep=arguments.keep, empty=empty)
                    stdout_console().print(Text(said))
                stopped.wait()
        finally:
            STACK_FILE.unlink(missing_ok=True)
            with progress.waiting("stopping: what runs may end first"):
                stack.stop()
    progress.say(f"The local stack is down; {f'its data is in {folder}.' if arguments.keep else GONE}")
    return 0


def welcome(connection: Connection, console_url: str | None, *, keep: bool, empty: bool) -> str:
    """Where everything is, how long it stays, and what to do with it."""
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
    lines += ["", KEPT if keep else NOT_KEPT]
    if empty:
        lines += ["", EMPTY]
    return "\n".join(lines)


def _refuse_a_second_stack() -> None:
    with suppress(StackNotRunning):
        running = load_local()
        raise FolderInUse(f"a local stack runs in this folder already, at {running.endpoint_url}: use it, or stop it")
