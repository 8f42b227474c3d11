"""ExpireSnapshots: delete what no retained version names."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from receipt_chroma import expire
from receipt_chroma.snapshot.retention import Retention

from .clients import bucket, control_table
from .settings import settings
from .step import Event, step


@step
def expire_snapshots(event: Event, _context: Any) -> Event:
    """{collection, fence, apply} -> what was marked and deleted; it stops when the fence is no longer the newest.

    Without `apply` (the default is true: after a commit expiry is part of the round) nothing is deleted.
    """
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
    return {name: len(value) if isinstance(value, tuple) else value for name, value in asdict(done).items()}
