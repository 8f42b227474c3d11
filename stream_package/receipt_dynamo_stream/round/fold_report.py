"""The report of one folded or re-sharded shard: of which version, and the base that was staged for it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.control.head import Pointer
from receipt_dynamo_stream.errors import ReportMissing, StoredObjectDamaged
from receipt_dynamo_stream.round.report import FileEntry, StagedShard
from receipt_dynamo_stream.round.stored import decode_stored, encode_stored


@dataclass(frozen=True, slots=True)
class FoldReport:
    """What FoldShard staged of the version `base`.

    Of a fold: base_path and segments are the relative paths that were folded, segments oldest first. Of a re-shard,
    which has none: into is the number of shards of which this is one. seconds are durations by step.
    """

    collection: str
    execution: str
    shard: int
    attempt: str
    base: Pointer
    base_path: str | None
    segments: tuple[str, ...]
    staged: StagedShard
    seconds: Mapping[str, float] = field(default_factory=dict)
    into: int | None = None

    @property
    def report_key(self) -> str:
        """Key of the report object; the attempt is in it, so that a late one overwrites nothing."""
        return f"reports/{self.collection}/{self.execution}/fold/{self.shard:04d}-{self.attempt}.json.gz"

    def encode(self) -> bytes:
        """The stored form; equal reports have equal bytes."""
        value = asdict(self) | {"base": self.base.to_json(), "seconds": dict(sorted(self.seconds.items()))}
        return encode_stored(value)

    @classmethod
    def decode(cls, data: bytes) -> "FoldReport":
        """What encode gave. Raises SchemaUnsupported, StoredObjectDamaged."""
        value = decode_stored(data, "the report of a fold")
        try:
            return cls._from_json(value)
        except (KeyError, TypeError, ValueError) as error:
            raise StoredObjectDamaged(f"the report of a fold lacks a part: {error!r}") from error

    @classmethod
    def _from_json(cls, value: dict[str, Any]) -> "FoldReport":
        staged = value.pop("staged")
        files = tuple(FileEntry(**entry) for entry in staged.pop("files"))
        base, segments = Pointer.from_json(value.pop("base")), tuple(value.pop("segments"))
        return cls(**value, base=base, segments=segments, staged=StagedShard(**staged, files=files))


def load_fold_report(bucket: Bucket, key: str) -> FoldReport:
    """Read a report. Raises ReportMissing, SchemaUnsupported, StoredObjectDamaged, TransientServiceError."""
    return FoldReport.decode(bucket.read(key, ReportMissing))


def save_fold_report(bucket: Bucket, report: FoldReport) -> str:
    """Write a report under its own key, which is returned. Raises TransientServiceError."""
    bucket.put(report.report_key, report.encode())
    return report.report_key
