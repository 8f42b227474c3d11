"""The commands that `compaction` has: what each is for, an example, and the function that does it."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from console.cli import options
from operate.errors import UsageError


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


COMMANDS: tuple[Command, ...] = (
    Command(
        "demo",
        "on this machine",
        "show the whole machine at work on sample receipts; check it",
        "compaction demo --receipts 40 --shards 4",
        "console.cli.local_commands:demo",
        options.demo,
        on_stack=False,
    ),
    Command(
        "up",
        "on this machine",
        "run the local stack until Ctrl-C; the other commands find it",
        "compaction up --sample 20 --keep",
        "console.cli.local_commands:up",
        options.up,
        on_stack=False,
    ),
    Command(
        "sample",
        "on this machine",
        "write sample receipts into the local stack that runs",
        "compaction sample 20",
        "console.cli.feeding_commands:sample",
        options.sample,
        on_stack=False,
    ),
    Command(
        "load",
        "on this machine",
        "your own receipts into the local stack, from CSV or JSON lines",
        "compaction load receipts.csv --embedder my_model:embed",
        "console.cli.feeding_commands:load",
        options.load,
        on_stack=False,
    ),
    Command(
        "completion",
        "on this machine",
        "what a shell needs to complete these commands with TAB",
        "compaction completion bash",
        "console.cli.completion_command:completion",
        options.completion,
        on_stack=False,
    ),
    Command(
        "console",
        "look",
        "all of this as pages: what ran, why, what is in a version",
        "compaction console --read-only",
        "console.cli.web_command:console",
        options.console,
    ),
    Command(
        "status",
        "look",
        "versions, records, backlog, lease, quarantine of the collections",
        "compaction status words",
        "console.cli.commands:status",
        options.status,
    ),
    Command(
        "history",
        "look",
        "executions, newest first: what each came to, and why some failed",
        "compaction history words --status failed --limit 5",
        "console.cli.commands:history",
        options.history,
    ),
    Command(
        "query",
        "look",
        "the records of a version that are nearest to a text",
        'compaction query words "organic milk" -n 3',
        "console.cli.commands:query",
        options.query,
    ),
    Command(
        "delta",
        "look",
        "what a merge would say of a delta: a file, a prefix, a run",
        "compaction delta check ./delta.arrow",
        actions=(
            Command(
                "check",
                "",
                "whether a merge would take it, and what it would bring",
                "compaction delta check s3://my-bucket/words/delta/7b1f7c1e/",
                "console.cli.delta_commands:check",
                options.delta,
            ),
            Command(
                "show",
                "",
                "its rows: ids, documents, metadata",
                "compaction delta show ./delta.arrow -n 5",
                "console.cli.delta_commands:show",
                options.delta_show,
            ),
        ),
    ),
    Command(
        "doctor",
        "look",
        "what is missing of which receipt, and why; exit 1 if anything is",
        "compaction doctor words",
        "console.cli.adopt_commands:doctor",
        options.doctor,
    ),
    Command(
        "where",
        "look",
        "where a receipt's changes are: in which version, waiting, refused",
        "compaction where 3f52804b-2fad-4e00-92c8-b593da3a8ed3/1 words",
        "console.cli.where_command:where",
        options.where,
    ),
    Command(
        "remains",
        "look",
        "where bytes of a deleted receipt still are; exit 1 if anywhere",
        "compaction remains 3f52804b-2fad-4e00-92c8-b593da3a8ed3/1",
        "console.cli.remains_command:remains",
        options.remains,
    ),
    Command(
        "conform",
        "look",
        "whether what runs does what this repository says; exit 1 if not",
        "compaction conform --stack receipt-compaction-dev --report ./report.json",
        "console.cli.conform_command:conform",
        options.conform,
    ),
    Command(
        "start",
        "act",
        "start an execution by hand, or preview what one would do",
        "compaction start lines --mode plan",
        "console.cli.commands:start",
        options.start,
    ),
    Command(
        "rerun",
        "act",
        "start a new execution with the input of an old one; always safe",
        "compaction rerun words-stream-1b0f2c3d --wait",
        "console.cli.commands:rerun",
        options.rerun,
    ),
    Command(
        "reconcile",
        "act",
        "mark every receipt pending, so that its records are derived again",
        "compaction reconcile words",
        "console.cli.commands:reconcile",
        options.reconcile,
    ),
    Command(
        "adopt",
        "act",
        "make deltas and runs of an old Chroma directory; dry run first",
        "compaction adopt words --from ./old-words",
        "console.cli.adopt_commands:adopt",
        options.adopt,
    ),
    Command(
        "announce",
        "act",
        "split a delta of many receipts into one run for each",
        "compaction announce words ./batch.arrow",
        "console.cli.adopt_commands:announce",
        options.announce,
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
                "the runs that were refused, and why; with --notes those with a note",
                "compaction quarantine list words --notes",
                "console.cli.operator_commands:quarantine_list",
                options.quarantine_list,
            ),
            Command(
                "retry",
                "",
                "make a run PENDING again, or --all, and start an execution",
                "compaction quarantine retry 7b1f7c1e",
                "console.cli.operator_commands:quarantine_retry",
                options.quarantine_retry,
            ),
            Command(
                "drop",
                "",
                "give a run up: it stays FAILED, its error says why",
                'compaction quarantine drop 7b1f7c1e --why "the upload was cut off"',
                "console.cli.operator_commands:quarantine_drop",
                options.quarantine_drop,
            ),
        ),
    ),
    Command(
        "versions",
        "snapshots",
        "what was published, from the current version back",
        "compaction versions words --limit 5",
        "console.cli.snapshot_commands:versions",
        options.versions,
    ),
    Command(
        "compare",
        "snapshots",
        "what differs between two versions: records, metadata, vectors",
        "compaction compare words 41 42",
        "console.cli.snapshot_commands:compare",
        options.compare,
    ),
    Command(
        "export",
        "snapshots",
        "a version as one Chroma directory that chromadb opens as it is",
        "compaction export words ./words --version 41",
        "console.cli.export_command:export",
        options.export,
    ),
    Command(
        "verify",
        "snapshots",
        "prove a version again: all files, all records; waits",
        "compaction verify words 41",
        "console.cli.snapshot_commands:verify",
        options.verify,
    ),
    Command(
        "rollback",
        "snapshots",
        "publish an older version again, and pause; asks, waits",
        "compaction rollback words 41",
        "console.cli.snapshot_commands:rollback",
        options.rollback,
    ),
    Command(
        "restore",
        "snapshots",
        "bring back what readers lost, from the bucket; waits",
        "compaction restore words",
        "console.cli.snapshot_commands:restore",
        options.restore,
    ),
    Command(
        "pause",
        "snapshots",
        "publish nothing until resume; changes keep collecting",
        'compaction pause words --why "a bad import"',
        "console.cli.operator_commands:pause",
        options.pause,
    ),
    Command(
        "resume",
        "snapshots",
        "mark every receipt pending, unpause, start an execution",
        "compaction resume words --wait",
        "console.cli.operator_commands:resume",
        options.resume,
    ),
    Command(
        "pin",
        "snapshots",
        "keep a version whatever its age, until unpin",
        'compaction pin words 41 --why "the audit of July"',
        "console.cli.snapshot_commands:pin",
        options.pin,
    ),
    Command(
        "unpin",
        "snapshots",
        "leave a pinned version to expiry again",
        "compaction unpin words 41",
        "console.cli.snapshot_commands:unpin",
        options.unpin,
    ),
    Command(
        "fold",
        "snapshots",
        "fold what lies in segments into new bases; no record changes",
        "compaction fold words --wait",
        "console.cli.snapshot_commands:fold",
        options.fold,
    ),
    Command(
        "reshard",
        "snapshots",
        "bring the records into another number of shards; plan first",
        "compaction reshard words --shards 4 --plan",
        "console.cli.snapshot_commands:reshard",
        options.reshard,
    ),
    Command(
        "renew",
        "snapshots",
        "another embedding model: begin, look, switch, switch back, finish",
        "compaction renew words --model new-model --dimension 3072 --plan",
        "console.cli.renew_command:renew",
        options.renew,
    ),
    Command(
        "expire",
        "snapshots",
        "what no retained version needs: say it, or delete it; waits",
        "compaction expire words --apply",
        "console.cli.snapshot_commands:expire",
        options.expire,
    ),
    Command(
        "erase",
        "snapshots",
        "a deleted receipt, from everything that is kept; exit 0 when gone",
        "compaction erase 3f52804b-2fad-4e00-92c8-b593da3a8ed3/1 --wait",
        "console.cli.erase_command:erase",
        options.erase,
    ),
)
