"""DownloadSnapshot: EFS holds every shard of the base that the plan starts from."""

from __future__ import annotations

from receipt_chroma.snapshot import download
from receipt_chroma.snapshot.manifest import load_manifest
from receipt_dynamo_stream.round.plan import load_plan

from .border import DownloadSnapshotInput, DownloadSnapshotOutput
from .clients import bucket
from .settings import settings
from .step import LambdaContext, step


@step
def download_snapshot(event: DownloadSnapshotInput, _context: LambdaContext) -> DownloadSnapshotOutput:
    """Fetch what EFS lacks of the plan's base."""
    plan = load_plan(bucket(), event["plan_key"])
    if plan.base is None:
        return {"files": 0, "bytes": 0}
    manifest = load_manifest(bucket(), plan.base)
    fetched = download.download_snapshot(bucket(), settings().efs, plan.collection, manifest)
    return {"files": fetched.files, "bytes": fetched.bytes}
