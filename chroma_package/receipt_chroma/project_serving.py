"""SERVING shows which generation HEAD of the collection names, on EFS and in the bucket.

Projected as CURRENT is: compared, not believed, and forward only. Where readers have seen a later switch than HEAD
knows of, HEAD went back (its table was restored to an earlier time): what HEAD names goes past it.
"""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.control.table import ControlTable

from receipt_chroma.errors import SnapshotUnavailable
from receipt_chroma.snapshot.serving import (
    Serving,
    read_serving,
    read_stored_serving,
    swap_serving,
    swap_stored_serving,
)

logger = logging.getLogger(__name__)

_UNREADABLE: Final = -1


def project_serving(
    control: ControlTable,
    bucket: Bucket,
    efs_root: Path,
    collection: str,
    *,
    execution: str,
    fence: int,
    by_hand: bool = False,
) -> bool:
    """Bring SERVING on both sides to what HEAD says; True when one of them was written.

    execution holds the lease with this fence. The bucket is asked where a switch was ever heard of, and when somebody
    asks for a restore. May run twice, late, and at once with others. Raises StorageUnavailable, TransientServiceError.
    """
    of = control.generations(collection)
    now = of.read()
    on_efs = _look(lambda: read_serving(efs_root, collection))
    if now.order == 0 and on_efs.order == 0 and not by_hand:
        return False
    stored = _look(lambda: read_stored_serving(bucket, collection))
    seen = max(on_efs, stored)
    tells_nothing = _UNREADABLE in (on_efs.order, stored.order)
    if seen.order > now.order or (now.order == 0 and tells_nothing):
        logger.warning("HEAD is behind a switch that readers saw", extra={"collection": collection, "seen": seen.order})
        of.pass_by(max(0, seen.order), holder=execution, fence=fence)
        now = of.read()
    if now.order == 0:
        return False
    serving = Serving(now.serving, now.order)
    # The bucket first, as with CURRENT: what readers on EFS ever saw it then knows.
    written = [
        stored != serving and swap_stored_serving(bucket, collection, serving),
        on_efs != serving and swap_serving(efs_root, collection, serving),
    ]
    if now.unseen is not None:
        of.note_seen(now.order)
    return any(written)


def _look(read: Callable[[], Serving]) -> Serving:
    try:
        return read()
    except SnapshotUnavailable as error:
        logger.warning("SERVING tells nothing", extra={"error": str(error)})
        return Serving("", _UNREADABLE)
