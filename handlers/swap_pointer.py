"""SwapPointer: project a commit onto EFS, where readers follow CURRENT."""

from __future__ import annotations

from datetime import UTC, datetime

from receipt_chroma.snapshot import download, pointer
from receipt_chroma.snapshot.lineage import falls_back_to
from receipt_chroma.snapshot.manifest import load_manifest
from receipt_chroma.stopwatch import Stopwatch
from receipt_chroma.storage.tree import collection_folder
from receipt_dynamo_stream.control.head import Pointer

from .border import SwapPointerInput, SwapPointerOutput
from .clients import bucket, control_table
from .settings import settings
from .step import LambdaContext, step


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
    control = control_table()
    control.head(collection).raise_projected_version(committed.version)
    now = datetime.now(UTC).isoformat()
    control.versions(collection).mark_committed(committed.snapshot_id, committed_at=now, seconds=watch.seconds)
    return {"version": committed.version, "moved": moved, "files": fetched.files, "bytes": fetched.bytes}
