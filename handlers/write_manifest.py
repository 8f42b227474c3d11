"""WriteManifest: staged shards go to their immutable places, and a manifest names them all. No reader knows yet."""

from __future__ import annotations

from dataclasses import asdict

from receipt_chroma import publish
from receipt_chroma.folding import FoldBound, shards_to_fold
from receipt_chroma.stopwatch import Stopwatch
from receipt_dynamo_stream.round.brought import brought_by
from receipt_dynamo_stream.round.plan import load_plan
from receipt_dynamo_stream.round.report import load_report

from .border import WriteManifestInput, WriteManifestOutput
from .clients import bucket, control_table
from .settings import settings
from .step import LambdaContext, step


@step
def write_manifest(event: WriteManifestInput, _context: LambdaContext) -> WriteManifestOutput:
    """Write the manifest, and the version's row as a candidate."""
    plan = load_plan(bucket(), event["plan_key"])
    reports = [load_report(bucket(), key) for key in event["report_keys"]]
    watch, brought = Stopwatch(), brought_by(plan, reports)
    with watch.measure("manifest"):
        pointer, manifest = publish.write_manifest(plan=plan, reports=reports, bucket=bucket(), efs_root=settings().efs)
    seconds = {**brought.seconds, **watch.seconds}
    row = manifest.row(plan.execution_arn, **{**asdict(brought), "seconds": seconds})
    control_table().versions(plan.collection).put_candidate(row)
    return {
        "base_version": plan.base.version if plan.base else 0,
        **pointer.to_json(),
        "records": manifest.records,
        "fold_due": len(shards_to_fold(manifest, FoldBound(**settings().fold_bound))),
        "shards": manifest.shard_count,
    }
