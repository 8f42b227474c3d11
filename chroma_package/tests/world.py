"""A bucket, an EFS folder, and the steps of a round in order."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from receipt_chroma import (
    Manifest,
    Record,
    SnapshotReader,
    download_snapshot,
    load_manifest,
    merge_deltas,
    swap_pointer,
    validate_shard,
    write_manifest,
)
from receipt_chroma.delta.arrow import encode_arrow
from receipt_chroma.fold import fold_shard, validate_fold, write_fold
from receipt_chroma.folding import ALWAYS, FoldBound
from receipt_chroma.reshard import reshard
from receipt_chroma.rollback import prepare_rollback
from receipt_chroma.snapshot.lineage import falls_back_to
from receipt_chroma.snapshot.published_shard import PublishedShard
from receipt_chroma.snapshot.stored_pointer import swap_stored_pointer
from receipt_chroma.stage import Attempt
from receipt_chroma.verify import Verified, verify_snapshot
from receipt_chroma.write_reshard import validate_reshard, write_reshard
from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.control.head import Head, Pointer, snapshot_id_of
from receipt_dynamo_stream.facts import ReceiptFacts, RunFact
from receipt_dynamo_stream.round.fold_report import FoldReport
from receipt_dynamo_stream.round.plan import Plan, PlannedReceipt
from receipt_dynamo_stream.round.report import ShardReport
from receipt_dynamo_stream.sharding import shard_of


def create_control_table(dynamodb: Any, name: str) -> None:
    """An empty control table."""
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in ("PK", "SK")],
        KeySchema=[{"AttributeName": "PK", "KeyType": "HASH"}, {"AttributeName": "SK", "KeyType": "RANGE"}],
    )


class World:
    """What the steps of one collection leave on S3 and EFS. `pointer` is what HEAD would say."""

    def __init__(self, s3: Any, bucket: str, folder: Path, collection: str = "words", shards: int = 1) -> None:
        self.s3 = s3
        self.bucket = bucket
        self.efs = folder / "efs"
        self.work = folder / "work"
        self.collection = collection
        self.shards = shards
        self.pointer: Pointer | None = None
        self.fence = 0
        self.bound = ALWAYS
        self.delta_buckets: tuple[str, ...] = ()
        self.model = ""

    @property
    def store(self) -> Bucket:
        """The bucket as the steps have it."""
        return Bucket(self.s3, self.bucket)

    @property
    def folder(self) -> Path:
        """The collection's folder on EFS."""
        return self.efs / self.collection

    @property
    def manifest(self) -> Manifest:
        """The current snapshot's manifest."""
        assert self.pointer is not None
        return load_manifest(self.store, self.pointer)

    def upload(self, run: RunFact, records: Sequence[Record]) -> None:
        """Upload a run's delta, whatever it holds."""
        self.store.put(f"{run.delta_prefix}delta.arrow", encode_arrow(records))

    def plan(self, *facts: ReceiptFacts) -> Plan:
        """The plan of a new execution."""
        self.fence += 1
        version = self.pointer.version + 1 if self.pointer else 1
        return Plan(
            collection=self.collection,
            execution=f"execution-{self.fence}",
            execution_arn="arn:aws:states:execution",
            trigger="stream",
            round=1,
            fence=self.fence,
            base=self.pointer,
            snapshot_id=snapshot_id_of(version, self.fence, 1),
            shards=self.shards,
            planned_at="2026-02-01T00:00:00+00:00",
            receipts=tuple(
                PlannedReceipt(shard_of(one.receipt.image_id, one.receipt.receipt_id, self.shards), "token", 0, "", one)
                for one in facts
            ),
            model=self.model,
        )

    def merge(self, plan: Plan, shard: int = 0, attempt: str = "attempt-1") -> ShardReport:
        """MergeDeltas."""
        return merge_deltas(
            plan=plan,
            plan_key=plan.plan_key("attempt"),
            attempt=Attempt.of(plan, shard, attempt),
            bucket=self.store,
            efs_root=self.efs,
            workdir=self.work,
            bound=self.bound,
            delta_buckets=self.delta_buckets,
        )

    def fold(
        self, shard: int = 0, *, of: Pointer | None = None, attempt: str = "attempt-1", rebuild: bool = False
    ) -> FoldReport:
        """FoldShard and its validation, of the current version or an earlier one; nothing is committed."""
        base = of or self.pointer
        assert base is not None
        self.fence += 1
        place = Attempt(self.collection, f"fold-{self.fence}", 0, shard, attempt, f"{base.snapshot_id}-fold")
        places = {"bucket": self.store, "efs_root": self.efs, "workdir": self.work}
        report = fold_shard(base, shard, place, rebuild=rebuild, **places)
        validate_fold(report, bucket=self.store, efs_root=self.efs, workdir=self.work)
        return report

    def commit_fold(self, *reports: FoldReport) -> bool:
        """The rest of a fold, under a lease of its own; False when it has lost."""
        self.fence += 1
        version = self.pointer.version if self.pointer else 0
        head = Head(self.collection, fence=self.fence, pointer=self.pointer, version=version, shards=self.shards)
        at = "2026-02-01T00:00:00+00:00"
        written = write_fold(
            head, reports, execution="fold", trigger="schedule", at=at, bucket=self.store, efs_root=self.efs
        )
        if written is not None:
            self.commit(written[0])
        return written is not None

    def reshard(self, into: int, *, of: Pointer | None = None, attempt: str = "attempt-1") -> list[FoldReport]:
        """Every shard of a re-shard, staged and validated; nothing is committed."""
        base = of or self.pointer
        assert base is not None
        self.fence += 1
        reports = []
        for shard in range(into):
            name = f"{base.snapshot_id}-reshard-{self.fence}"
            place = Attempt(self.collection, f"reshard-{self.fence}", 0, shard, attempt, name)
            reports.append(reshard(base, into, place, bucket=self.store, efs_root=self.efs, workdir=self.work))
            validate_fold(reports[-1], bucket=self.store, efs_root=self.efs, workdir=self.work)
        return reports

    def write_reshard(self, reports: Sequence[FoldReport], bound: FoldBound | None = None) -> Pointer | None:
        """WriteFold of a re-shard under a new lease; None when it has lost."""
        self.fence += 1
        version = self.pointer.version if self.pointer else 0
        head = Head(self.collection, fence=self.fence, pointer=self.pointer, version=version, shards=self.shards)
        written = write_reshard(
            head,
            reports,
            bound=bound or FoldBound(),
            execution="reshard",
            trigger="operator",
            at="2026-02-01T00:00:00+00:00",
            bucket=self.store,
            efs_root=self.efs,
        )
        return written[0] if written else None

    def commit_reshard(self, reports: Sequence[FoldReport]) -> bool:
        """The rest of a re-shard; False when it has lost."""
        pointer = self.write_reshard(reports)
        if pointer is not None:
            validate_reshard(pointer, bucket=self.store, efs_root=self.efs, workdir=self.work)
            self.commit(pointer)
        return pointer is not None

    def verify(self, pointer: Pointer | None = None) -> Verified:
        """VerifySnapshot of a version, the current one unless another is given."""
        of = pointer or self.pointer
        assert of is not None
        return verify_snapshot(
            pointer=of, collection=self.collection, bucket=self.store, efs_root=self.efs, workdir=self.work
        )

    def records(self, manifest: Manifest | None = None) -> dict[str, Record]:
        """The records of a version, read from the closed files of base and segments."""
        found: dict[str, Record] = {}
        for shard in (manifest or self.manifest).shards if self.pointer else ():
            with PublishedShard.open(self.folder, self.collection, shard) as published:
                for key in published.contents():
                    found |= published.records(key)
        return found

    def validate(self, plan: Plan, report: ShardReport, **options: Any) -> Any:
        """ValidateShard."""
        return validate_shard(
            plan=plan,
            report=report,
            bucket=self.store,
            efs_root=self.efs,
            workdir=self.work,
            **options,
        )

    def write_manifest(self, plan: Plan, reports: Sequence[ShardReport]) -> Pointer:
        """WriteManifest."""
        pointer, _ = write_manifest(plan=plan, reports=reports, bucket=self.store, efs_root=self.efs)
        return pointer

    def commit(self, pointer: Pointer) -> None:
        """CommitSnapshot and SwapPointer."""
        self.pointer = pointer
        self.shards = self.manifest.shard_count
        download_snapshot(self.store, self.efs, self.collection, self.manifest)
        before = falls_back_to(self.folder, self.manifest)
        assert swap_pointer(self.efs, self.collection, pointer, before=before)
        assert swap_stored_pointer(self.store, self.collection, pointer, before=before)

    def roll_back(self, target: Pointer | None) -> Manifest:
        """A version with the shards of `target`, committed."""
        assert target is not None
        assert self.pointer is not None
        self.fence += 1
        pointer, manifest = prepare_rollback(
            head=Head(
                self.collection,
                fence=self.fence,
                pointer=self.pointer,
                version=self.pointer.version,
                shards=self.shards,
            ),
            target=target,
            execution="rollback",
            trigger="operator",
            at="2026-02-01T00:00:00+00:00",
            bucket=self.store,
            efs_root=self.efs,
        )
        self.commit(pointer)
        return manifest

    def publish(self, *facts: ReceiptFacts) -> list[ShardReport]:
        """A whole round; the pointer moves when something changed."""
        plan = self.plan(*facts)
        reports = [self.merge(plan, shard) for shard in plan.touched_shards()]
        for report in reports:
            self.validate(plan, report)
        if any(report.changed for report in reports):
            self.commit(self.write_manifest(plan, reports))
        return reports

    def read(self) -> dict[str, Record]:
        """The published records."""
        with SnapshotReader(self.efs, self.collection, cache_dir=self.work) as reader:
            return {record.id: record for record in reader.records()}
