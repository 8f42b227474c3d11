"""FoldShard: what a shard has becomes a new base, where no reader looks; or one of other shards. Takes no lease."""

from __future__ import annotations

from typing import Any

from receipt_chroma import fold, reshard
from receipt_dynamo_stream.control.head import Pointer
from receipt_dynamo_stream.round.fold_report import save_fold_report

from .border import FoldShardInput, FoldShardOutput
from .clients import bucket
from .measures import measure_fold
from .settings import settings
from .step import LambdaContext, step
from .work import work_folder


@step
def fold_shard(event: FoldShardInput, context: LambdaContext) -> FoldShardOutput:
    """Raises FoldChangedContent when base and segments do not come to what the manifest says."""
    base, shard, into = Pointer.from_json(event["base"]), event["shard"], event["into"]
    collection, execution = event["collection"], event["execution_name"]
    attempt = fold.fold_attempt(base, shard, context.aws_request_id, collection=collection, execution=execution)
    with work_folder("fold") as workdir:
        places: dict[str, Any] = {"bucket": bucket(), "efs_root": settings().efs, "workdir": workdir}
        if into:
            report = reshard.reshard(base, into, attempt, **places)
        else:
            report = fold.fold_shard(base, shard, attempt, rebuild=event["rebuild"], **places)
    report_key = save_fold_report(bucket(), report)
    measure_fold(report)
    return {"shard": shard, "report_key": report_key, "records": report.staged.records}
