"""ValidateShard: another process than the merge proves the staged files of one shard."""

from __future__ import annotations

from receipt_chroma import validate
from receipt_dynamo_stream.round.blame import at_risk
from receipt_dynamo_stream.round.plan import load_plan
from receipt_dynamo_stream.round.report import load_report

from .border import ValidateShardInput, ValidateShardOutput
from .clients import bucket, control_table
from .settings import settings
from .step import LambdaContext, step
from .work import work_folder


@step
def validate_shard(event: ValidateShardInput, _context: LambdaContext) -> ValidateShardOutput:
    """Raises ShardInvalid or SegmentInvalid naming the check that failed."""
    plan = load_plan(bucket(), event["plan_key"])
    report = load_report(bucket(), event["report_key"])
    with work_folder("validate") as workdir:
        proof = validate.validate_shard(
            plan=plan,
            report=report,
            bucket=bucket(),
            efs_root=settings().efs,
            workdir=workdir,
            full_read_records=settings().validate_all_up_to_records,
            at_risk=at_risk(control_table().pending(plan.collection), plan, event["plan_key"]),
        )
    return {"records": proof.records, "checks": list(proof.checks)}
