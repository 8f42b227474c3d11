"""What lies on EFS and in the bucket beside what retained versions name."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.simulator.checks import files_of

from .stage import Stage

_ALWAYS = ("CURRENT", "CURRENT.lock", "SERVING", "SERVING.lock")
_OF_INVOCATIONS = ("merge-", "fold-", "validate-", "verify-")


def orphans(stage: Stage) -> list[str]:
    """Nothing of this should be there once expiry had its time."""
    left = [one.name for one in (stage.stack.folder / "tmp").iterdir() if one.name.startswith(_OF_INVOCATIONS)]
    published = [f"{name}: {path}" for name in stage.kept_up for path in _of(stage, name)]
    return published + [f"tmp: {name}" for name in left]


def versions_kept(stage: Stage, collection: str) -> int:
    """Rows of the live partition."""
    return len(stage.control.versions(collection).list())


def rows_of_control(stage: Stage) -> Counter[str]:
    """How many items of each kind the control table has."""
    pages = stage.stack.client("dynamodb").get_paginator("scan")
    rows: Counter[str] = Counter()
    for page in pages.paginate(TableName=stage.stack.connection.control_table, ProjectionExpression="PK"):
        rows.update(item["PK"]["S"].partition("#")[0] for item in page["Items"])
    return rows


def _of(stage: Stage, collection: str) -> Iterator[str]:
    folder = stage.stack.efs / collection
    rows = stage.control.versions(collection).list()
    named: set[str] = set(_ALWAYS)
    retained: set[str] = set()
    for row in rows:
        manifest = f"manifests/{row.snapshot_id}.json"
        if (folder / manifest).is_file():
            content: dict[str, Any] = json.loads((folder / manifest).read_bytes())
            files = {manifest, *files_of(content)}
            named |= files
            retained |= files if row.state == "committed" else set()
    on_efs = {path.relative_to(folder).as_posix() for path in _files(folder)}
    s3, prefix = stage.stack.client("s3"), f"snapshots/{collection}/"
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=stage.stack.connection.bucket, Prefix=prefix)
    in_bucket = {one["Key"].removeprefix(prefix) for page in pages for one in page.get("Contents", ())}
    yield from (f"EFS has {path}" for path in sorted(on_efs - named))
    yield from (f"the bucket has {path}" for path in sorted(in_bucket - named))
    lacking = {path for path in retained if path not in in_bucket or path not in on_efs}
    yield from (f"{path} is retained, and not in both places" for path in sorted(lacking))


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())
