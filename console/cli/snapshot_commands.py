"""The commands about versions: list, compare, pin, verify, roll back, expire."""

from argparse import Namespace
from dataclasses import asdict

from receipt_dynamo_stream.grain import is_collection
from rich.text import Text

from console.cli import render_comparison, render_operator
from console.cli.commands import collections_of, follow, print_json, report, stack_of, waiting
from console.cli.confirm import confirm, require_answer
from console.cli.progress import stdout_console
from console.cli.render_renewal import across_table
from operate import asked_first
from operate.errors import ExecutionFailed, UsageError
from operate.models import Execution
from operate.stack import Stack
from operate.versions import Expiry
from operate.wording import count_of, restored


def versions(arguments: Namespace) -> int:
    """The newest are shown; what was never published is counted, not shown, unless asked for."""
    stack = stack_of(arguments)
    collections = collections_of(arguments, stack)
    if arguments.archived is not None:
        return _archived(arguments, stack, collections)
    with waiting("asking for versions"):
        found = {collection: stack.versions.of(collection) for collection in collections}
    wanted = {name: [one for one in rows if arguments.all or one.published] for name, rows in found.items()}
    shown = {name: rows[: arguments.limit] for name, rows in wanted.items()}
    if arguments.json:
        print_json(
            {
                "collections": {
                    name: {
                        "versions": [version.to_json() for version in shown[name]],
                        "hidden": len(found[name]) - len(shown[name]),
                    }
                    for name in collections
                }
            }
        )
        return 0
    stdout = stdout_console()
    for name in collections:
        if not shown[name]:
            stdout.print(f"No version of {name} yet.")
            continue
        table = render_operator.versions_table(name, shown[name], stack.now(), width=stdout.width, ids=arguments.all)
        stdout.print(table)
        if older := len(wanted[name]) - len(shown[name]):
            stdout.print(f"Not shown: {older} older (--limit).")
        if lost := len(found[name]) - len(wanted[name]):
            stdout.print(f"Not shown: {lost} of attempts that were never published (--all).")
    return 0


def _archived(arguments: Namespace, stack: Stack, collections: tuple[str, ...]) -> int:
    """A page of the archive of each collection."""
    with waiting("asking for archived versions"):
        pages = {
            name: stack.versions.archived(name, arguments.archived or None, arguments.limit) for name in collections
        }
    if arguments.json:
        print_json(
            {
                "collections": {
                    name: {"versions": [version.to_json() for version in page.versions], "older": page.older}
                    for name, page in pages.items()
                }
            }
        )
        return 0
    stdout = stdout_console()
    for name, page in pages.items():
        if not page.versions:
            stdout.print(f"No version of {name} expired so long ago.")
            continue
        stdout.print(
            render_operator.versions_table(name, page.versions, stack.now(), width=stdout.width, ids=arguments.all)
        )
        if page.older:
            stdout.print(f"Older: compaction versions {name} --archived {page.older}")
    return 0


def pin(arguments: Namespace) -> int:
    stack = stack_of(arguments)
    version = stack.versions.pin(arguments.collection, arguments.version, arguments.why)
    return _pinned(arguments, version.version, version.snapshot_id, pinned=True)


def unpin(arguments: Namespace) -> int:
    stack = stack_of(arguments)
    version = stack.versions.unpin(arguments.collection, arguments.version)
    return _pinned(arguments, version.version, version.snapshot_id, pinned=False)


def _pinned(arguments: Namespace, version: int, snapshot_id: str, *, pinned: bool) -> int:
    if arguments.json:
        print_json(
            {"collection": arguments.collection, "version": version, "snapshot_id": snapshot_id, "pinned": pinned}
        )
    else:
        kept = "is kept until it is unpinned" if pinned else "is left to expiry again"
        stdout_console().print(f"Version {version} of {arguments.collection} {kept}.")
    return 0


def compare(arguments: Namespace) -> int:
    """Two versions, or what is current in two generations. Raises UsageError, DimensionsDiffer, VersionUnreadable."""
    if arguments.newer is None:
        return _compare_generations(arguments)
    from operate.contents.contents import Contents

    with waiting("comparing versions"), Contents(stack_of(arguments)) as contents:
        found = contents.compare(arguments.collection, arguments.older, arguments.newer, limit=arguments.limit)
    if arguments.json:
        print_json(found.to_json())
        return 0
    stdout = stdout_console()
    stdout.print(render_comparison.counts_table(found))
    if found.across_shards:
        stdout.print(found.across_shards)
    if found.differs:
        stdout.print(render_comparison.changes_table(found, width=stdout.width))
    if hidden := render_comparison.hidden(found):
        stdout.print(f"Not shown: {hidden} (--limit).")
    return 0


def _compare_generations(arguments: Namespace) -> int:
    """By receipts and numbers of records: vectors of two models cannot be compared."""
    one, other = arguments.collection, arguments.older
    if not is_collection(other):
        raise UsageError(f"give two versions of {one}, or another generation of it: see `{arguments.called} --help`")
    with waiting("comparing generations"):
        found = stack_of(arguments).renewing.across(one, other)
    if arguments.json:
        print_json({"collection": one, "other": other, **asdict(found), "missing": found.missing})
        return 0
    stdout_console().print(across_table(one, other, found))
    stdout_console().print("Vectors of two models cannot be compared: a receipt is alike when it has as many records.")
    return 0


def verify(arguments: Namespace) -> int:
    stack = stack_of(arguments)
    version = stack.versions.find(arguments.collection, arguments.version)
    execution = follow(stack, stack.versions.verify(arguments.collection, version.snapshot_id), wait=True)
    result = stack.executions.output(execution.arn).get("result", {})
    more = {name: result.get(name) for name in ("snapshot_id", "records", "shards", "checks")}
    if arguments.json or execution.status != "succeeded":
        return report(stack, execution, as_json=arguments.json, more=more)
    stdout = stdout_console()
    stdout.print(
        f"Version {version.version} of {arguments.collection} is whole: {count_of(result['records'], 'record')} in"
        f" {count_of(result['shards'], 'shard')}."
    )
    stdout.print(Text(f"Checked: {', '.join(result['checks'])}."))
    return 0


def rollback(arguments: Namespace) -> int:
    """Raises VersionRefused for the version that is current, Declined, ExecutionFailed and what finds a version."""
    require_answer(arguments)
    stack = stack_of(arguments)
    collection = arguments.collection
    current, target = stack.versions.to_roll_back(collection, arguments.version)
    if not arguments.json:
        stdout_console().print(render_operator.rollback_table(collection, current, target, stack.now()))
    confirm(arguments, asked_first.rollback(collection, current, target))
    execution = follow(stack, stack.versions.rollback(collection, target.snapshot_id), wait=True)
    code = report(
        stack,
        execution,
        as_json=arguments.json,
        more={"from": current.to_json(), "to": target.to_json()},
    )
    if not arguments.json:
        stdout_console().print(
            f"{collection} is paused: changes wait until `compaction resume {collection}` derives them again."
        )
    return code


def restore(arguments: Namespace) -> int:
    """Raises what `Restoring` does, Declined, and ExecutionFailed when what readers lost could not be brought back."""
    stack = stack_of(arguments)
    collection = arguments.collection
    more: dict[str, object] = {}
    if arguments.head_from_bucket:
        require_answer(arguments)
        with waiting("looking for whole versions in the bucket"):
            found = stack.restoring.newest_in_bucket(collection)
        confirm(arguments, asked_first.head_from_bucket(collection, found.version, found.records))
        with waiting("marking every receipt pending"):
            more = {"taken_up": found.version, "receipts": stack.restoring.head_from_bucket(collection, found)}
    execution = follow(stack, stack.versions.restore(collection), wait=True)
    result = stack.executions.output(execution.arn).get("result", {})
    more |= {name: result.get(name) for name in ("found", "moved", "files", "bytes")}
    if arguments.json or execution.status != "succeeded":
        return report(stack, execution, as_json=arguments.json, more=more)
    stdout = stdout_console()
    for sentence in restored(collection, result):
        stdout.print(Text(sentence))
    if stack.collections.status(collection).went_back is not None:
        stdout.print(f"HEAD had gone back: `compaction reconcile {collection}` derives what it forgot.")
    return 0


def fold(arguments: Namespace) -> int:
    """It needs no question: it publishes the records that are there."""
    stack = stack_of(arguments)
    execution = follow(stack, stack.versions.fold(arguments.collection, rebuild=arguments.rebuild), wait=arguments.wait)
    return report(stack, execution, as_json=arguments.json)


def reshard(arguments: Namespace) -> int:
    """Its plan, and unless that is all, an execution. It needs no question: it publishes the records that are there.

    Raises UsageError, VersionRefused for the number that there is, SnapshotNotFound, ExecutionFailed.
    """
    stack = stack_of(arguments)
    plan = stack.versions.to_reshard(arguments.collection, arguments.shards)
    more = {"plan": plan.to_json()}
    if not arguments.json:
        stdout_console().print(render_operator.reshard_table(plan))
        for warning in plan.warnings:
            stdout_console().print(Text(warning))
    if arguments.plan:
        if arguments.json:
            print_json(more)
        return 0
    execution = follow(stack, stack.versions.reshard(arguments.collection, plan.into), wait=arguments.wait)
    return report(stack, execution, as_json=arguments.json, more=more)


def expire(arguments: Namespace) -> int:
    """A dry run, unless --apply. On a terminal --apply shows a dry run first, and asks."""
    stack = stack_of(arguments)
    if arguments.apply:
        require_answer(arguments)
        if not arguments.yes:
            execution, expiry = _expire(stack, arguments, apply=False)
            _say_expiry(arguments, execution, expiry)
            confirm(arguments, asked_first.expire(arguments.collection, apply=True, before=arguments.before))
    execution, expiry = _expire(stack, arguments, apply=arguments.apply)
    if arguments.json:
        report(stack, execution, as_json=True, more={"expired": expiry.to_json() if expiry else None})
    else:
        _say_expiry(arguments, execution, expiry)
        if not arguments.apply:
            stdout_console().print("Nothing was marked or deleted: that is what --apply does.")
    if expiry and expiry.fenced:
        raise ExecutionFailed("expiry stopped: another execution took the lease; try again")
    return 0


def _expire(stack: Stack, arguments: Namespace, *, apply: bool) -> tuple[Execution, Expiry | None]:
    execution = follow(
        stack, stack.versions.expire(arguments.collection, apply=apply, before=arguments.before), wait=True
    )
    return execution, stack.versions.expiry(execution.arn)


def _say_expiry(arguments: Namespace, execution: Execution, expiry: Expiry | None) -> None:
    if expiry is None:
        raise ExecutionFailed(render_operator.no_expiry_line(execution))
    stdout_console().print(render_operator.expiry_table(arguments.collection, expiry))
