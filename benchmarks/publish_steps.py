"""One publication, step by step as a round takes them, and what each step costs."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pyarrow  # loaded before anything is measured
import pyarrow.ipc  # noqa: F401
from measured import Cost, measured
from merge_data import COLLECTION
from publish_data import Ground, new_facts
from receipt_chroma import (
    download_snapshot,
    load_manifest,
    merge_deltas,
    swap_pointer,
    validate_shard,
    write_manifest,
)
from receipt_chroma.folding import ALWAYS, FoldBound
from receipt_chroma.snapshot.lineage import falls_back_to
from receipt_chroma.stage import Attempt
from receipt_chroma.storage.tree import collection_folder
from receipt_dynamo_stream.control.head import Pointer
from receipt_dynamo_stream.facts import ReceiptFacts

STEPS: Final = ("merge", "validate", "manifest", "swap")


def publish(ground: Ground, facts: Sequence[ReceiptFacts], bound: FoldBound) -> dict[str, Cost]:
    """Publish receipts whose deltas are uploaded; the cost of each step."""
    plan = ground.plan(facts)
    with measured() as merge:
        reports = [
            merge_deltas(
                plan=plan,
                plan_key="plan",
                attempt=Attempt.of(plan, shard, f"a{plan.fence}"),
                bound=bound,
                **ground.places(),
            )
            for shard in plan.touched_shards()
        ]
    with measured() as validate:
        for report in reports:
            validate_shard(plan=plan, report=report, **ground.places())
    with measured() as manifest:
        pointer, _ = write_manifest(plan=plan, reports=reports, bucket=ground.bucket, efs_root=ground.efs)
    ground.commit(pointer)
    with measured() as swap:
        project(ground, pointer)
    return dict(zip(STEPS, (merge, validate, manifest, swap), strict=True))


def project(ground: Ground, pointer: Pointer) -> None:
    """SwapPointer."""
    manifest = load_manifest(ground.bucket, pointer)
    download_snapshot(ground.bucket, ground.efs, COLLECTION, manifest)
    before = falls_back_to(collection_folder(ground.efs, COLLECTION), manifest)
    assert swap_pointer(ground.efs, COLLECTION, pointer, before=before)


def build_base(ground: Ground, facts: Sequence[ReceiptFacts]) -> Pointer:
    """The first version: everything at once, into new bases."""
    plan = ground.plan(facts)
    reports = [
        merge_deltas(
            plan=plan, plan_key="plan", attempt=Attempt.of(plan, shard, "base"), bound=ALWAYS, **ground.places()
        )
        for shard in plan.touched_shards()
    ]
    pointer, _ = write_manifest(plan=plan, reports=reports, bucket=ground.bucket, efs_root=ground.efs)
    return pointer


def warm_up(bound: FoldBound, folder: Path) -> None:
    """Publish a little elsewhere, two versions of it, so that everything is imported and was called once."""
    with tempfile.TemporaryDirectory(dir=folder, prefix="warm-up-") as name:
        ground = Ground(Path(name))
        for facts in (new_facts(2), new_facts(1, 2)):
            ground.upload(facts)
            publish(ground, facts, bound)
