"""MergeDeltas: one shard of a plan, from the base and the deltas to a staged directory.

Everything is written to a private copy below `workdir`; EFS and S3 get whole, closed files under paths that carry the
attempt. Memory: the changed records of the shard's planned receipts (the plan bounds them), their existing rows, and
the deltas of RECEIPTS_AT_ONCE receipts; not the shard, and not more for more deltas of the same records.
"""

import os
import tempfile
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final

from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.round.plan import Plan
from receipt_dynamo_stream.round.report import ReceiptReport, Refusal, ShardReport, StagedShard

from receipt_chroma.difference import Difference, difference
from receipt_chroma.errors import SnapshotDamaged
from receipt_chroma.private_shard import PrivateShard
from receipt_chroma.records import add_digests
from receipt_chroma.run_deltas import DeltaSource, WantedReceipt, first_dimension, want_receipt
from receipt_chroma.shard.chroma_dir import load_chromadb
from receipt_chroma.snapshot.base_copy import copy_base
from receipt_chroma.snapshot.manifest import Manifest, ManifestShard, load_manifest
from receipt_chroma.stage import Stage
from receipt_chroma.stopwatch import Stopwatch
from receipt_chroma.storage.tree import collection_folder, shard_version_of, staging_path

RECEIPTS_AT_ONCE: Final = 16
"""Receipts whose deltas are read at the same time: S3 latency, not bandwidth, is what takes the time."""


@dataclass
class _Merged:
    """What the receipts of the shard come to."""

    difference: Difference = field(default_factory=Difference)
    receipts: list[ReceiptReport] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)

    def take(self, receipt: WantedReceipt, changes: Difference) -> None:
        self.difference.extend(changes)
        self.receipts.append(ReceiptReport(receipt.facts.receipt, receipt.runs, changes.counts))
        self.refusals += receipt.refusals


def merge_shard(
    *,
    plan: Plan,
    plan_key: str,
    shard: int,
    attempt: str,
    bucket: Bucket,
    efs_root: Path,
    workdir: Path,
) -> ShardReport:
    """Merge the plan's receipts of one shard and stage the result; a shard that does not change is not staged.

    A run whose delta has wrong content is returned as a refusal while the rest is merged. May run twice: every attempt
    writes its own paths. `plan_key` is written into the report. Raises SnapshotDamaged when the base is wrong on EFS
    and on S3, SchemaUnsupported, StorageUnavailable, TransientServiceError.
    """
    workdir.mkdir(parents=True, exist_ok=True)
    os.environ["SQLITE_TMPDIR"] = str(workdir)  # SQLite sorts and vacuums in files: never on EFS
    watch, merged = Stopwatch(), _Merged()
    manifest = load_manifest(bucket, plan.base) if plan.base else None
    base = _base_shard(plan, shard, manifest)
    staged = None
    with (
        tempfile.TemporaryDirectory(dir=workdir, prefix=f"merge-{shard:04d}-") as private,
        ThreadPoolExecutor(max_workers=RECEIPTS_AT_ONCE, thread_name_prefix="deltas") as pool,
    ):
        folder = Path(private)
        source = DeltaSource(bucket, plan.collection, folder)
        dimension = (manifest.dimension if manifest else None) or first_dimension(source, plan)
        receipts = _wanted_receipts(pool, source, plan, shard, dimension)  # read while the base is copied
        if base.path is not None:
            with watch.measure("copy"):
                pool.submit(load_chromadb)
                efs_folder = collection_folder(efs_root, plan.collection)
                copy_base(base, folder / "base", bucket=bucket, efs_folder=efs_folder)
        with watch.measure("read"):
            target = PrivateShard(folder, plan.collection, base)
            for receipt in receipts:
                existing = target.existing(receipt.facts.receipt)
                merged.take(receipt, difference(existing, receipt.wanted.resolve(existing)))
        if merged.difference.counts.changed:
            planned = target.plan_write(merged.difference)
            with Stage(
                planned.folder, plan=plan, shard=shard, attempt=attempt, bucket=bucket, efs_root=efs_root
            ) as stage:
                with watch.measure("write"):
                    stage.begin(planned.kept)
                    written = target.write(merged.difference, planned)
                with watch.measure("stage"):
                    files = stage.finish()
            staged = StagedShard(
                path=staging_path(plan.execution, plan.round, shard, attempt),
                shard_version=shard_version_of(plan.snapshot_id, attempt),
                files=files,
                records=written.records,
                tombstones=written.tombstones,
                digest=add_digests(base.digest, merged.difference.digest),
                dimension=dimension,
            )
    return ShardReport(
        collection=plan.collection,
        execution=plan.execution,
        round=plan.round,
        shard=shard,
        attempt=attempt,
        plan_key=plan_key,
        changed=staged is not None,
        staged=staged,
        counts=merged.difference.counts,
        receipts=tuple(merged.receipts),
        refusals=tuple(merged.refusals),
        seconds=watch.seconds,
    )


def _base_shard(plan: Plan, shard: int, manifest: Manifest | None) -> ManifestShard:
    if not 0 <= shard < plan.shards:
        raise ValueError(f"the plan has {plan.shards} shards, there is no shard {shard}")
    if manifest is None:
        return ManifestShard(shard)
    if manifest.shard_count != plan.shards or [entry.shard for entry in manifest.shards] != list(range(plan.shards)):
        raise SnapshotDamaged(
            f"snapshot {manifest.snapshot_id} has {manifest.shard_count} shards, HEAD says {plan.shards}:"
            " the shard count of a collection does not change in place"
        )
    return manifest.shards[shard]


def _wanted_receipts(
    pool: Executor, source: DeltaSource, plan: Plan, shard: int, dimension: int | None
) -> Iterator[WantedReceipt]:
    """The shard's receipts in the plan's order, RECEIPTS_AT_ONCE of them read ahead, from now on."""
    facts = iter([planned.facts for planned in plan.receipts if planned.shard == shard])

    def begin(some: int) -> list[Future[WantedReceipt]]:
        return [pool.submit(want_receipt, source, one, dimension) for one in islice(facts, some)]

    ahead = deque(begin(RECEIPTS_AT_ONCE))

    def results() -> Iterator[WantedReceipt]:
        while ahead:
            wanted = ahead.popleft().result()
            ahead.extend(begin(1))
            yield wanted

    return results()
