"""ValidateReshard: another process than WriteFold proves the version of a re-shard, beside its bases."""

from __future__ import annotations

from receipt_chroma import write_reshard
from receipt_dynamo_stream.control.head import Pointer

from .border import ValidateReshardInput, ValidateReshardOutput
from .clients import bucket
from .settings import settings
from .step import LambdaContext, step
from .work import work_folder


@step
def validate_reshard(event: ValidateReshardInput, _context: LambdaContext) -> ValidateReshardOutput:
    """Raises SegmentInvalid naming the check that failed, or FoldChangedContent."""
    with work_folder("validate") as workdir:
        records = write_reshard.validate_reshard(
            Pointer.from_json(event), bucket=bucket(), efs_root=settings().efs, workdir=workdir
        )
    return {"records": records, "checks": list(write_reshard.CHECKS)}
