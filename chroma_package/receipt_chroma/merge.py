"""MergeDeltas: one shard of a plan, from what is published and the deltas to a staged segment.

A receipt is compared by its content digest, so what did not change is not read; of what did, the old rows are read by
receipt from the closed files on EFS. One segment with all changed receipts is written, and chromadb is not imported. A
round that changes more records than the bound writes a new base instead, as a fold does.

Memory: the changed records of the shard's planned receipts (the plan bounds them), FETCHED_AHEAD bytes for each of
RECEIPTS_AT_ONCE receipts, and the deltas of two receipts; not the shard.
"""

import os
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final, TypeVar

from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.facts import ReceiptFacts
from receipt_dynamo_stream.generations import collection_of
from receipt_dynamo_stream.round.blame import AtRisk, risk
from receipt_dynamo_stream.round.plan import Plan
from receipt_dynamo_stream.round.report import (
    MergeCounts,
    Note,
    ReceiptContent,
    ReceiptReport,
    Refusal,
    ShardReport,
    StagedSegment,
)

from receipt_chroma.delta.read import Fetched
from receipt_chroma.difference import difference
from receipt_chroma.errors import SnapshotDamaged
from receipt_chroma.folding import ALWAYS, FoldBound
from receipt_chroma.new_base import NewContent, write_new_base
from receipt_chroma.records import Record, content_of
from receipt_chroma.run_deltas import DeltaSource, WantedReceipt, first_dimension, want_receipt
from receipt_chroma.segment.content import Segment
from receipt_chroma.segment.file import encode_segment
from receipt_chroma.segment.places import ShardContent
from receipt_chroma.snapshot.manifest import Manifest, ManifestShard, load_manifest
from receipt_chroma.snapshot.repaired_shard import RepairedShard
from receipt_chroma.stage import Attempt, stage_segment
from receipt_chroma.stopwatch import Stopwatch
from receipt_chroma.storage.files import storage_errors, write_atomically
from receipt_chroma.storage.room import room
from receipt_chroma.storage.tree import collection_folder

RECEIPTS_AT_ONCE: Final = 16
"""Receipts whose deltas are fetched at the same time: S3 latency, not bandwidth, is what takes the time."""
FETCHED_AHEAD: Final = 4 << 20
"""Bytes of a receipt's deltas that are fetched ahead, some times those of a real one. What is larger is fetched when it
is decoded: sixteen of the largest at once would take a gigabyte and more."""

_Given = TypeVar("_Given")
_Done = TypeVar("_Done")


@dataclass
class _Merged:
    """What the receipts of the shard come to. changed: all records of each receipt that changes, by key."""

    changed: dict[str, list[Record]] = field(default_factory=dict)
    before: list[ReceiptContent] = field(default_factory=list)
    counts: MergeCounts = field(default_factory=MergeCounts)
    receipts: list[ReceiptReport] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)

    @property
    def records(self) -> int:
        return sum(len(records) for records in self.changed.values())

    @property
    def contents(self) -> dict[str, ReceiptContent]:
        return {key: content_of(key, records) for key, records in self.changed.items()}

    def take(self, receipt: WantedReceipt, published: "RepairedShard") -> None:
        """Compare a receipt's wanted records with what the shard has of it."""
        key = receipt.facts.receipt.key
        existing = published.records(key) if receipt.wanted.needs_existing else {}
        kept = receipt.wanted.kept(existing)
        wanted = {**receipt.wanted.records, **kept}
        now, counts = content_of(key, wanted.values()), MergeCounts(unchanged=len(wanted))
        if published.content(key) != now:
            existing = existing or published.records(key)
            before = published.content(key)  # asked again: by its records the index's line is proved, or put right
            if before != now:
                counts = difference(existing, wanted).counts
                self.changed[key] = list(wanted.values())
                self.before.append(before)
        self.counts += counts
        self.receipts.append(ReceiptReport(receipt.facts.receipt, receipt.runs, counts))
        refusals, notes = receipt.said(kept)
        self.refusals += refusals
        self.notes += notes


def merge_deltas(
    *,
    plan: Plan,
    plan_key: str,
    attempt: Attempt,
    bucket: Bucket,
    efs_root: Path,
    workdir: Path,
    bound: FoldBound = ALWAYS,
    delta_buckets: tuple[str, ...] = (),
    at_risk: AtRisk | None = None,
) -> ShardReport:
    """Merge the plan's receipts of one shard and stage the result; a shard that does not change stages nothing.

    A run whose delta has wrong content is returned as a refusal while the rest is merged. May run twice: every attempt
    writes its own paths. `plan_key` is written into the report. bound: from how many changed records on a new base is
    written. delta_buckets: other buckets that a run's prefix may name. at_risk is put around what a receipt may be to
    blame for, after everything else has answered. Raises SnapshotDamaged when what is published is wrong on EFS and on
    S3, SchemaUnsupported, DiskFull, StorageUnavailable, TransientServiceError.
    """
    workdir.mkdir(parents=True, exist_ok=True)
    os.environ["SQLITE_TMPDIR"] = str(workdir)  # SQLite sorts and vacuums in files: never on EFS
    watch, merged = Stopwatch(), _Merged()
    manifest = load_manifest(bucket, plan.base) if plan.base else None
    base = _base_shard(plan, attempt.shard, manifest)
    staged, segment = None, None
    with (
        room(workdir),
        tempfile.TemporaryDirectory(dir=workdir, prefix=f"merge-{attempt.shard:04d}-") as private,
        ThreadPoolExecutor(max_workers=RECEIPTS_AT_ONCE, thread_name_prefix="deltas") as fetching,
        ThreadPoolExecutor(max_workers=1, thread_name_prefix="records") as decoding,
        RepairedShard(base, plan.collection, bucket=bucket, efs_root=efs_root) as published,
    ):
        folder = Path(private)
        source = DeltaSource(bucket, collection_of(plan.collection), delta_buckets)
        if at_risk:
            _prove_files(published, attempt, efs_root)
        with watch.measure("read"), risk(at_risk):
            known = (manifest.dimension if manifest else None) or plan.dimension
            dimension = known or first_dimension(source, plan)
            for receipt in _wanted_receipts(fetching, decoding, source, plan, attempt.shard, dimension):
                merged.take(receipt, published)
        if merged.changed and bound.is_for_base(merged.records, base.base_records):
            contents = published.contents() | merged.contents
            with risk(at_risk):
                staged = write_new_base(
                    base,
                    NewContent(
                        overlay={**published.overlay(), **merged.changed},
                        contents={key: content for key, content in contents.items() if content.records},
                        dimension=dimension,
                    ),
                    attempt=attempt,
                    folder=folder,
                    watch=watch,
                    bucket=bucket,
                    efs_root=efs_root,
                )
        elif merged.changed:
            with watch.measure("write"), risk(at_risk):
                laid = Segment.of(merged.changed)
                content = encode_segment(laid)
            with watch.measure("stage"):
                path, sha256 = stage_segment(attempt, content, bucket=bucket, efs_root=efs_root)
            whole = ShardContent(base.records, base.digest).after(merged.before, laid.receipts)
            segment = StagedSegment(
                path=path,
                segment_version=attempt.version,
                size=len(content),
                sha256=sha256,
                receipts=laid.receipts,
                shard_records=whole.records,
                shard_digest=whole.digest,
                dimension=dimension,
            )
    return ShardReport(
        collection=plan.collection,
        execution=plan.execution,
        round=plan.round,
        shard=attempt.shard,
        attempt=attempt.name,
        plan_key=plan_key,
        changed=bool(staged or segment),
        staged=staged,
        segment=segment,
        counts=merged.counts,
        receipts=tuple(merged.receipts),
        refusals=tuple(merged.refusals),
        notes=tuple(merged.notes),
        seconds=watch.seconds,
    )


def _prove_files(published: RepairedShard, attempt: Attempt, efs_root: Path) -> None:
    """Read the base's index and write to staging. Raises SnapshotDamaged, StorageUnavailable, DiskFull."""
    published.contents()
    probe = collection_folder(efs_root, attempt.collection) / attempt.staging / "probe"
    with storage_errors():
        write_atomically(probe, b"")
        probe.unlink()


def _base_shard(plan: Plan, shard: int, manifest: Manifest | None) -> ManifestShard:
    if not 0 <= shard < plan.shards:
        raise ValueError(f"the plan has {plan.shards} shards, there is no shard {shard}")
    if manifest is None:
        return ManifestShard(shard)
    if manifest.shard_count != plan.shards or [entry.shard for entry in manifest.shards] != list(range(plan.shards)):
        raise SnapshotDamaged(
            f"snapshot {manifest.snapshot_id} has {manifest.shard_count} shards, HEAD says {plan.shards}:"
            " a commit changes both together, so HEAD was written by something else; see `compaction restore`"
        )
    return manifest.shards[shard]


def _wanted_receipts(
    fetching: Executor, decoding: Executor, source: DeltaSource, plan: Plan, shard: int, dimension: int | None
) -> Iterator[WantedReceipt]:
    """The shard's receipts in the plan's order: RECEIPTS_AT_ONCE of them fetched ahead, one decoded, from now on."""

    def fetch(facts: ReceiptFacts) -> tuple[ReceiptFacts, dict[str, Fetched]]:
        return facts, source.fetch_ahead(facts, FETCHED_AHEAD)

    def want(fetched: tuple[ReceiptFacts, dict[str, Fetched]]) -> WantedReceipt:
        return want_receipt(source, fetched[0], dimension, fetched[1])

    receipts = iter([planned.facts for planned in plan.receipts if planned.shard == shard])
    return _ahead(decoding, want, _ahead(fetching, fetch, receipts, RECEIPTS_AT_ONCE), 1)


def _ahead(pool: Executor, work: Callable[[_Given], _Done], given: Iterator[_Given], most: int) -> Iterator[_Done]:
    """What the work makes of each that is given, in order; so many are begun ahead, from now on."""
    begun = deque(pool.submit(work, one) for one in islice(given, most))

    def results() -> Iterator[_Done]:
        while begun:
            done = begun.popleft().result()
            begun.extend(pool.submit(work, one) for one in islice(given, 1))
            yield done

    return results()
