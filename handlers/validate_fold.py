"""ValidateFold: another process than the fold proves the base that it staged, whole."""

from __future__ import annotations

from receipt_chroma import fold
from receipt_dynamo_stream.round.fold_report import load_fold_report

from .border import ValidateFoldInput, ValidateFoldOutput
from .clients import bucket
from .settings import settings
from .step import LambdaContext, step
from .work import work_folder


@step
def validate_fold(event: ValidateFoldInput, _context: LambdaContext) -> ValidateFoldOutput:
    """Raises ShardInvalid naming the check that failed, or FoldChangedContent."""
    report = load_fold_report(bucket(), event["report_key"])
    with work_folder("validate") as workdir:
        proof = fold.validate_fold(
            report,
            bucket=bucket(),
            efs_root=settings().efs,
            workdir=workdir,
            full_read_records=settings().validate_all_up_to_records,
        )
    return {"records": proof.records, "checks": list(proof.checks)}
