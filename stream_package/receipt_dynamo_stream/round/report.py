"""The report of one merged shard: what was staged, what each receipt and run brought, what was refused."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.errors import ReportMissing, StoredObjectDamaged
from receipt_dynamo_stream.keys import ReceiptId
from receipt_dynamo_stream.round.stored import decode_stored, encode_stored
from receipt_dynamo_stream.runs import MESSAGE_LENGTH


@dataclass(frozen=True, slots=True)
class MergeCounts:
    """Records by what happened. replaced: vector or document; updated: metadata only; unchanged: not written."""

    added: int = 0
    removed: int = 0
    replaced: int = 0
    updated: int = 0
    unchanged: int = 0

    def __add__(self, other: "MergeCounts") -> "MergeCounts":
        return MergeCounts(
            self.added + other.added,
            self.removed + other.removed,
            self.replaced + other.replaced,
            self.updated + other.updated,
            self.unchanged + other.unchanged,
        )

    @property
    def changed(self) -> int:
        """Records that were written or removed."""
        return self.added + self.removed + self.replaced + self.updated

    def to_json(self) -> dict[str, int]:
        """The five numbers by name."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of a shard: name relative to the shard's folder, size in bytes, sha256 in hex."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class StagedShard:
    """A shard's new directory where no reader looks; path is relative to `{root}/{collection}`, digest is hex."""

    path: str
    shard_version: str
    files: tuple[FileEntry, ...]
    records: int
    tombstones: int
    digest: str
    dimension: int | None

    @property
    def size(self) -> int:
        """Size of its files in bytes."""
        return sum(file.size for file in self.files)


@dataclass(frozen=True, slots=True)
class ReceiptContent:
    """What a receipt comes to in one place: its key, how many records, and their content digest (64 hex digits)."""

    key: str
    records: int
    digest: str


@dataclass(frozen=True, slots=True)
class StagedSegment:
    """A segment's file where no reader looks; path is relative to `{root}/{collection}`.

    receipts: what it covers, by key. shard_records and shard_digest: what the whole shard comes to with it.
    """

    path: str
    segment_version: str
    size: int
    sha256: str
    receipts: tuple[ReceiptContent, ...]
    shard_records: int
    shard_digest: str
    dimension: int | None


@dataclass(frozen=True, slots=True)
class ReceiptReport:
    """What the merge did for one receipt; runs: vectors merged by run id."""

    receipt: ReceiptId
    runs: Mapping[str, int] = field(default_factory=dict)
    counts: MergeCounts = MergeCounts()


@dataclass(frozen=True, slots=True)
class Refusal:
    """A run whose delta is refused as a whole: error is the name of the error class."""

    receipt: ReceiptId
    run_id: str
    error: str
    message: str


@dataclass(frozen=True, slots=True)
class Note:
    """What there is to know of a run that is not refused: note says in a word why it, or a part of it, is not in the
    snapshot or not read any more."""

    receipt: ReceiptId
    run_id: str
    note: str
    message: str

    @property
    def text(self) -> str:
        """As it stands on the run's item."""
        return f"{self.note}: {self.message}"[:MESSAGE_LENGTH]


@dataclass(frozen=True, slots=True)
class ShardReport:
    """What MergeDeltas did to one shard: it staged a new base, or a segment, or nothing when nothing changed.

    seconds are durations by step.
    """

    collection: str
    execution: str
    round: int
    shard: int
    attempt: str
    plan_key: str
    changed: bool
    staged: StagedShard | None
    counts: MergeCounts
    receipts: tuple[ReceiptReport, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    segment: StagedSegment | None = None
    notes: tuple[Note, ...] = ()

    @property
    def report_key(self) -> str:
        """Key of the report object; the attempt is in it, so that a late one overwrites nothing."""
        return f"reports/{self.collection}/{self.execution}/{self.round}/{self.shard:04d}-{self.attempt}.json.gz"

    def encode(self) -> bytes:
        """The stored form; equal reports have equal bytes."""
        return encode_stored(
            {
                "collection": self.collection,
                "execution": self.execution,
                "round": self.round,
                "shard": self.shard,
                "attempt": self.attempt,
                "plan_key": self.plan_key,
                "changed": self.changed,
                "staged": asdict(self.staged) if self.staged else None,
                "segment": asdict(self.segment) if self.segment else None,
                "counts": self.counts.to_json(),
                "receipts": [
                    {
                        "receipt": one.receipt.key,
                        "runs": dict(sorted(one.runs.items())),
                        "counts": one.counts.to_json(),
                    }
                    for one in self.receipts
                ],
                "refusals": [
                    {"receipt": one.receipt.key, "run_id": one.run_id, "error": one.error, "message": one.message}
                    for one in self.refusals
                ],
                "notes": [
                    {"receipt": one.receipt.key, "run_id": one.run_id, "note": one.note, "message": one.message}
                    for one in self.notes
                ],
                "seconds": dict(sorted(self.seconds.items())),
            }
        )

    @classmethod
    def decode(cls, data: bytes) -> "ShardReport":
        """What encode gave. Raises SchemaUnsupported, StoredObjectDamaged."""
        value = decode_stored(data, "the report")
        try:
            return cls._from_json(value)
        except (KeyError, TypeError, ValueError) as error:
            raise StoredObjectDamaged(f"the report lacks a part: {error!r}") from error

    @classmethod
    def _from_json(cls, value: dict[str, Any]) -> "ShardReport":
        staged = value.pop("staged")
        if staged is not None:
            files = tuple(FileEntry(**entry) for entry in staged.pop("files"))
            staged = StagedShard(**staged, files=files)
        segment = value.pop("segment", None)  # reports of earlier releases have none
        if segment is not None:
            covered = tuple(ReceiptContent(**one) for one in segment.pop("receipts"))
            segment = StagedSegment(**segment, receipts=covered)
        receipts = tuple(
            ReceiptReport(ReceiptId.parse(one["receipt"]), one["runs"], MergeCounts(**one["counts"]))
            for one in value.pop("receipts")
        )
        refusals = tuple(
            Refusal(**{**one, "receipt": ReceiptId.parse(one["receipt"])}) for one in value.pop("refusals")
        )
        notes = tuple(Note(**{**one, "receipt": ReceiptId.parse(one["receipt"])}) for one in value.pop("notes", ()))
        counts = MergeCounts(**value.pop("counts"))
        return cls(
            **value, staged=staged, segment=segment, counts=counts, receipts=receipts, refusals=refusals, notes=notes
        )


def load_report(bucket: Bucket, key: str) -> ShardReport:
    """Read a report. Raises ReportMissing, SchemaUnsupported, StoredObjectDamaged, TransientServiceError."""
    return ShardReport.decode(bucket.read(key, ReportMissing))


def save_report(bucket: Bucket, report: ShardReport) -> str:
    """Write a report under its own key, which is returned. Raises TransientServiceError."""
    bucket.put(report.report_key, report.encode())
    return report.report_key
