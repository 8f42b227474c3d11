"""ExpireSnapshots: delete what no retained version names."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from receipt_chroma import expire
from receipt_chroma.snapshot.retention import Retention

from .border import ExpireSnapshotsInput, ExpireSnapshotsOutput
from .clients import bucket, control_table
from .settings import settings
from .step import LambdaContext, measure, metrics, step

NAMED = 20
NAME_CHARACTERS = 500


@step
def expire_snapshots(event: ExpireSnapshotsInput, _context: LambdaContext) -> ExpireSnapshotsOutput:
    """It stops when the fence is no longer the newest. The machine goes on whatever becomes of expiry: what fails is
    counted, for the alarm to tell."""
    metrics().add_dimension(name="collection", value=event["collection"])
    try:
        done = _expire(event)
    except Exception:
        measure("ExpiryFailures", 1)
        raise
    measure("ExpiryFailures", len(done.unremovable))
    # Of paths the first few only: state data has a bound, a list of paths has none.
    return {
        "dry_run": done.dry_run,
        "fenced": done.fenced,
        "expired": len(done.expired),
        "archived": len(done.archived),
        "manifests": len(done.manifests),
        "shards": len(done.shards),
        "segments": len(done.segments),
        "staging": len(done.staging),
        "bytes": done.bytes,
        "unremovable": len(done.unremovable),
        "named": [f"{path}: {why}"[:NAME_CHARACTERS] for path, why in done.unremovable[:NAMED]],
        "more": done.more,
    }


def _expire(event: ExpireSnapshotsInput) -> expire.Expired:
    return expire.expire_snapshots(
        control_table(),
        bucket(),
        efs_root=settings().efs,
        collection=event["collection"],
        fence=event["fence"],
        retention=Retention(
            keep=settings().keep_snapshots,
            grace=timedelta(seconds=settings().expire_grace_seconds),
            now=datetime.now(UTC),
            expired_for=timedelta(seconds=settings().expired_for_seconds),
            before=int(event.get("before", 0)),
        ),
        dry_run=not event.get("apply", True),
        rows_a_round=expire.ROWS_BY_HAND if "apply" in event else expire.ROWS_A_ROUND,
    )
