"""ExpireSnapshots: delete what no retained version names."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from receipt_chroma import expire
from receipt_chroma.snapshot.retention import Retention

from .border import ExpireSnapshotsInput, ExpireSnapshotsOutput
from .clients import bucket, control_table
from .settings import settings
from .step import LambdaContext, step


@step
def expire_snapshots(event: ExpireSnapshotsInput, _context: LambdaContext) -> ExpireSnapshotsOutput:
    """It stops when the fence is no longer the newest."""
    done = expire.expire_snapshots(
        control_table(),
        bucket(),
        efs_root=settings().efs,
        collection=event["collection"],
        fence=event["fence"],
        retention=Retention(
            keep=settings().keep_snapshots,
            grace=timedelta(seconds=settings().expire_grace_seconds),
            now=datetime.now(UTC),
        ),
        dry_run=not event.get("apply", True),
    )
    # Numbers only: state data has a bound, a list of paths has none.
    return {
        "dry_run": done.dry_run,
        "fenced": done.fenced,
        "expired": len(done.expired),
        "manifests": len(done.manifests),
        "shards": len(done.shards),
        "segments": len(done.segments),
        "staging": len(done.staging),
        "bytes": done.bytes,
    }
