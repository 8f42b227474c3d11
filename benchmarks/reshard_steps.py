"""The steps of a re-shard and of a fold, each for a process of its own, on the ground of the publication benchmark."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from measured import measured
from merge_data import COLLECTION
from publish_data import Ground, base_facts, new_facts
from publish_steps import project, publish
from receipt_chroma import load_manifest
from receipt_chroma.fold import fold_attempt, fold_shard, validate_fold
from receipt_chroma.folding import FoldBound
from receipt_chroma.reshard import reshard
from receipt_chroma.write_reshard import validate_reshard, write_reshard
from receipt_dynamo_stream.control.head import Head
from receipt_dynamo_stream.round.fold_report import load_fold_report, save_fold_report

AT: Final = "2026-02-01T00:00:00+00:00"


def publish_fresh(ground: Ground, receipts: int) -> dict[str, Any]:
    """Lay a segment with new receipts over the base, so that a fold has something to fold."""
    facts = new_facts(receipts)
    ground.upload(facts)
    publish(ground, facts, FoldBound())
    return of_version(ground)


def of_version(ground: Ground) -> dict[str, Any]:
    """What the published version has."""
    assert ground.pointer is not None
    manifest = load_manifest(ground.bucket, ground.pointer)
    return {"records": manifest.records, "shards": manifest.shard_count, "digest": manifest.digest}


def stage(ground: Ground, shard: int, into: int) -> dict[str, Any]:
    """FoldShard: of a re-shard into so many, or with 0 of a fold."""
    assert ground.pointer is not None
    attempt = fold_attempt(ground.pointer, shard, f"a{into}", collection=COLLECTION, execution=f"into-{into}")
    with measured() as cost:
        if into:
            report = reshard(ground.pointer, into, attempt, **ground.places())
        else:
            report = fold_shard(ground.pointer, shard, attempt, **ground.places())
    return {**asdict(cost), "report_key": save_fold_report(ground.bucket, report)}


def prove(ground: Ground, report_key: str) -> dict[str, Any]:
    """ValidateFold of what was staged."""
    report = load_fold_report(ground.bucket, report_key)
    with measured() as cost:
        validate_fold(report, **ground.places())
    return asdict(cost)


def commit(ground: Ground, report_keys: Sequence[str]) -> dict[str, Any]:
    """WriteFold, ValidateReshard, CommitSnapshot and SwapPointer: what is done under the lease."""
    before = ground.pointer
    assert before is not None
    reports = [load_fold_report(ground.bucket, key) for key in report_keys]
    head = Head(COLLECTION, fence=before.version + 1, pointer=before, version=before.version)
    places = {"bucket": ground.bucket, "efs_root": ground.efs}
    with measured() as cost:
        written = write_reshard(
            head, reports, bound=FoldBound(), execution="reshard", trigger="operator", at=AT, **places
        )
        assert written is not None, "nothing was published meanwhile"
        validate_reshard(written[0], **ground.places())
        ground.commit(written[0])
        project(ground, written[0])
    return asdict(cost)


def asked(ground: Ground, beside: dict[str, str], queries: int, receipts: int, fresh: int) -> dict[str, Any]:
    """Queries of this ground as `before` and of the others, in turns."""
    from publish_queries import of_grounds

    grounds = {"before": ground, **{name: Ground(Path(folder)) for name, folder in beside.items()}}
    return of_grounds(grounds, queries, [*base_facts(receipts), *new_facts(fresh)])


RESHARDING: Final[dict[str, Callable[..., Any]]] = {
    one.__name__: one for one in (publish_fresh, of_version, stage, prove, commit, asked)
}
