"""WriteFold: under the lease, the manifest of a version with the same records on the new bases."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from receipt_chroma import fold
from receipt_chroma.folding import FoldBound, shards_to_fold
from receipt_chroma.snapshot.manifest import Manifest, load_manifest
from receipt_chroma.stopwatch import Stopwatch
from receipt_chroma.write_reshard import write_reshard
from receipt_dynamo_stream.control.head import Head, Pointer
from receipt_dynamo_stream.errors import PointerMissing
from receipt_dynamo_stream.round.brought import slowest
from receipt_dynamo_stream.round.fold_report import FoldReport, load_fold_report

from .border import WriteFoldInput, WriteFoldOutput
from .clients import bucket, control_table
from .settings import settings
from .step import LambdaContext, step


@step
def write_fold(event: WriteFoldInput, _context: LambdaContext) -> WriteFoldOutput:
    """The new version has the fence of this lease and grows from the version that HEAD names now: when either is
    another one later, its commit is refused."""
    collection, grace = event["collection"], timedelta(seconds=settings().expire_grace_seconds)
    head = control_table().head(collection).read()
    if head is None or head.pointer is None:
        raise PointerMissing(f"HEAD of {collection} names no snapshot: there is nothing to fold into")
    reports = [load_fold_report(bucket(), key) for key in event["report_keys"]]
    current = load_manifest(bucket(), head.pointer)
    written, watch = None, Stopwatch()
    if not fold.is_late(event["planned_at"], grace, datetime.now(UTC)):
        with watch.measure("manifest"):
            written = _write(replace(head, fence=event["fence"]), reports, event)
    if written is None:
        return answer_of(head.version, current, folded=0)
    _, manifest = written
    old = {shard.path for shard in current.shards}
    folded = sum(shard.path not in old for shard in manifest.shards)
    seconds = {**slowest([report.seconds for report in reports]), **watch.seconds}
    row = manifest.row(event["execution"], seconds=seconds, folded=folded)
    control_table().versions(collection).put_candidate(row)
    return answer_of(head.version, manifest, folded=folded)


def _write(head: Head, reports: list[FoldReport], event: WriteFoldInput) -> tuple[Pointer, Manifest] | None:
    """The manifest of a fold, or of a re-shard: the reports say which."""
    common: dict[str, Any] = {
        "execution": event["execution_name"],
        "trigger": event["trigger"],
        "at": event["acquired_at"],
        "bucket": bucket(),
        "efs_root": settings().efs,
    }
    if reports[0].into is None:
        return fold.write_fold(head, reports, **common)
    return write_reshard(head, reports, bound=FoldBound(**settings().fold_bound), **common)


def answer_of(base_version: int, manifest: Manifest, *, folded: int) -> WriteFoldOutput:
    """What the next states read: the version that HEAD named, and what it may name next."""
    return {
        "fits": folded > 0,
        "base_version": base_version,
        **manifest.pointer.to_json(),
        "records": manifest.records,
        "folded": folded,
        "fold_due": len(shards_to_fold(manifest, FoldBound(**settings().fold_bound))),
        "shards": manifest.shard_count,
    }
