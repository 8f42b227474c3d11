"""SwapPointer: project a commit onto EFS, where readers follow CURRENT."""

from __future__ import annotations

from datetime import UTC, datetime

from receipt_chroma.folding import OVERDUE, FoldBound
from receipt_chroma.snapshot import download, pointer
from receipt_chroma.snapshot.lineage import falls_back_to
from receipt_chroma.snapshot.manifest import FOLD, Manifest, load_manifest
from receipt_chroma.stopwatch import Stopwatch
from receipt_chroma.storage.tree import collection_folder
from receipt_dynamo_stream.control.head import Pointer

from .border import SwapPointerInput, SwapPointerOutput
from .clients import bucket, control_table
from .settings import settings
from .step import LambdaContext, measure, metrics, step


@step
def swap_pointer(event: SwapPointerInput, _context: LambdaContext) -> SwapPointerOutput:
    """CURRENT moves only when every file that the manifest names is on EFS: what is missing comes from S3 first, so
    that a commit made before EFS was lost or replaced can be projected too."""
    collection = event["collection"]
    committed = Pointer.from_json(event)
    efs, watch = settings().efs, Stopwatch()
    with watch.measure("swap"):
        manifest = load_manifest(bucket(), committed)
        fetched = download.download_snapshot(bucket(), efs, collection, manifest)
        before = falls_back_to(collection_folder(efs, collection), manifest)
        moved = pointer.swap_pointer(efs, collection, committed, before=before)
    measure_snapshot(manifest, is_new=moved)
    control = control_table()
    control.head(collection).raise_projected_version(committed.version)
    now = datetime.now(UTC).isoformat()
    control.versions(collection).mark_committed(committed.snapshot_id, committed_at=now, seconds=watch.seconds)
    return {"version": committed.version, "moved": moved, "files": fetched.files, "bytes": fetched.bytes}


def measure_snapshot(manifest: Manifest, *, is_new: bool) -> None:
    """How much lies in segments, and how many shards are overdue. A fold counts when readers see it first."""
    bound = FoldBound(**settings().fold_bound)
    metrics().add_dimension(name="collection", value=manifest.collection)
    measure("FreshRecords", sum(shard.fresh_records for shard in manifest.shards))
    measure("ShardsOverdue", sum(bound.passed(shard, OVERDUE) for shard in manifest.shards))
    measure("Folds", is_new and manifest.kind == FOLD)
