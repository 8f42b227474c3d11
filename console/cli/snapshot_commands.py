"""The commands about versions: list, compare, pin, verify, roll back, expire."""

from argparse import Namespace

from receipt_dynamo_stream.names import COLLECTIONS
from rich.text import Text

from console.cli import render_comparison, render_operator
from console.cli.commands import connect, follow, print_json, report, waiting
from console.cli.confirm import confirm, require_answer
from console.cli.progress import stdout_console
from operate.errors import ExecutionFailed, VersionRefused
from operate.models import Execution
from operate.operator_api import Expiry, OperatorApi


def versions(arguments: Namespace) -> int:
    """The newest are shown; what was never published is counted, not shown, unless asked for."""
    api = OperatorApi(connect(arguments))
    collections = [arguments.collection] if arguments.collection else list(COLLECTIONS)
    with waiting("asking for versions"):
        found = {collection: api.versions(collection) for collection in collections}
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
        table = render_operator.versions_table(name, shown[name], api.now(), width=stdout.width, ids=arguments.all)
        stdout.print(table)
        if older := len(wanted[name]) - len(shown[name]):
            stdout.print(f"Not shown: {older} older (--limit).")
        if lost := len(found[name]) - len(wanted[name]):
            stdout.print(f"Not shown: {lost} of attempts that were never published (--all).")
    return 0


def pin(arguments: Namespace) -> int:
    api = OperatorApi(connect(arguments))
    version = api.pin(arguments.collection, arguments.version, arguments.why)
    return _pinned(arguments, version.version, version.snapshot_id, pinned=True)


def unpin(arguments: Namespace) -> int:
    api = OperatorApi(connect(arguments))
    version = api.unpin(arguments.collection, arguments.version)
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
    """Raises DimensionsDiffer and VersionUnreadable."""
    from operate.contents.contents import Contents

    with waiting("comparing versions"), Contents(OperatorApi(connect(arguments))) as contents:
        found = contents.compare(arguments.collection, arguments.older, arguments.newer, limit=arguments.limit)
    if arguments.json:
        print_json(found.to_json())
        return 0
    stdout = stdout_console()
    stdout.print(render_comparison.counts_table(found))
    if found.differs:
        stdout.print(render_comparison.changes_table(found, width=stdout.width))
    if hidden := render_comparison.hidden(found):
        stdout.print(f"Not shown: {hidden} (--limit).")
    return 0


def verify(arguments: Namespace) -> int:
    api = OperatorApi(connect(arguments))
    version = api.version(arguments.collection, arguments.version)
    execution = follow(api, api.start(arguments.collection, "verify", snapshot_id=version.snapshot_id), wait=True)
    result = api.output(execution.arn).get("result", {})
    more = {name: result.get(name) for name in ("snapshot_id", "records", "shards", "checks")}
    if arguments.json or execution.status != "succeeded":
        return report(api, execution, as_json=arguments.json, more=more)
    stdout = stdout_console()
    stdout.print(
        f"Version {version.version} of {arguments.collection} is whole: {result['records']:,} records in"
        f" {result['shards']} {'shard' if result['shards'] == 1 else 'shards'}."
    )
    stdout.print(Text(f"Checked: {', '.join(result['checks'])}."))
    return 0


def rollback(arguments: Namespace) -> int:
    """Raises VersionRefused for the version that is current, Declined, ExecutionFailed and what finds a version."""
    require_answer(arguments)
    api = OperatorApi(connect(arguments))
    collection = arguments.collection
    current, target = api.version(collection, None), api.version(collection, arguments.version)
    if target.state == "current":
        raise VersionRefused(f"version {target.version} of {collection} is the current one: name an older version")
    if not arguments.json:
        stdout_console().print(render_operator.rollback_table(collection, current, target, api.now()))
    confirm(arguments, f"Roll {collection} back to version {target.version}?")
    execution = follow(api, api.start(collection, "rollback", snapshot_id=target.snapshot_id), wait=True)
    code = report(
        api,
        execution,
        as_json=arguments.json,
        more={"from": current.to_json(), "to": target.to_json()},
    )
    if not arguments.json:
        stdout_console().print(
            f"{collection} is paused: changes wait until `compaction resume {collection}` derives them again."
        )
    return code


def expire(arguments: Namespace) -> int:
    """A dry run, unless --apply. On a terminal --apply shows a dry run first, and asks."""
    api = OperatorApi(connect(arguments))
    if arguments.apply:
        require_answer(arguments)
        if not arguments.yes:
            execution, expiry = _expire(api, arguments.collection, apply=False)
            _say_expiry(arguments, execution, expiry)
            confirm(arguments, f"Delete that from {arguments.collection}?")
    execution, expiry = _expire(api, arguments.collection, apply=arguments.apply)
    if arguments.json:
        report(api, execution, as_json=True, more={"expired": expiry.to_json() if expiry else None})
    else:
        _say_expiry(arguments, execution, expiry)
        if not arguments.apply:
            stdout_console().print("Nothing was marked or deleted: that is what --apply does.")
    if expiry and expiry.fenced:
        raise ExecutionFailed("expiry stopped: another execution took the lease; try again")
    return 0


def _expire(api: OperatorApi, collection: str, *, apply: bool) -> tuple[Execution, Expiry | None]:
    execution = follow(api, api.start(collection, "expire", apply=apply), wait=True)
    return execution, api.expiry(execution.arn)


def _say_expiry(arguments: Namespace, execution: Execution, expiry: Expiry | None) -> None:
    if expiry is None:
        raise ExecutionFailed(render_operator.no_expiry_line(execution))
    stdout_console().print(render_operator.expiry_table(arguments.collection, expiry))
