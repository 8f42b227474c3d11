"""Every error of the heavy package that has a name.

The class says what the caller may do, the message what happened and what to do next:

    CompactionError (receipt_dynamo_stream)
    ├── DeltaRefused                 the delta's content: quarantine its run, merge the others; it never heals by itself
    │   ├── DeltaPrefixMissing       the run names no delta for this collection
    │   ├── DeltaPrefixForbidden     the run's prefix points where no delta may lie
    │   ├── DeltaMissing             nothing lies at the run's prefix
    │   ├── DeltaNotGiven            S3 has it and does not give it: archived, or encrypted with its writer's key
    │   ├── DeltaCorrupt             it cannot be read, or is not shaped as a delta
    │   ├── DeltaTooLarge            beyond what a merge can hold
    │   ├── UnsafeTarMember          a file's name that would leave its folder, or a tar member that is no plain file
    │   ├── WrongCollection          its Chroma collection has another name than the target
    │   ├── WrongDimension           its vectors have another length than the collection's
    │   ├── WrongSpace               its Chroma collection measures in another space than l2
    │   ├── InvalidVector            a zero vector, or one that is not finite
    │   ├── DuplicateRecord          two records with one id
    │   ├── ForeignRecord            a record of another receipt, or of the other collection
    │   ├── DeltaMetadataInvalid     metadata that Chroma refuses, drops or cannot keep
    │   ├── RunTimeInvalid           the run's created_at cannot be read, so it has no place in the order
    │   └── DeltaReaderFailed        a fault of ours that this delta brings about: report it, with the message
    ├── RecordsInvalid               (also a ValueError) what a producer gave is no rows, columns or table of records
    ├── DeltaReaderUnavailable       try once more: the process that reads deltas was ended from outside
    ├── SnapshotDamaged              look first: a published file is wrong on EFS and on S3
    ├── ShardInvalid                 look first: a staged shard failed validation and was not published
    ├── SegmentInvalid               look first: a segment is not what it must be; it was not published, or is damaged
    ├── RegexUnsupported             choose another pattern: fresh records cannot be searched with it as Chroma would
    ├── FoldChangedContent           look first: a fold or a re-shard would have published other records
    ├── StagingMissing               stop: a shard that was staged is neither staged nor in place any more
    ├── ManifestConflict             stop: another manifest has this snapshot id already
    ├── RollbackRefused              choose another version: this one is unknown or EXPIRED
    ├── ReshardRefused               choose another number of shards
    ├── ExportRefused                choose another directory: the target of an export holds something
    ├── ChromaUnreadable             chromadb cannot open or read a directory
    ├── Fenced                       stop: a newer fencing token is out, its holder does the work
    ├── NoSnapshotYet                wait: nothing was ever published for the collection
    ├── SnapshotUnavailable          try again: no snapshot can be opened, or the reader is closed
    │   └── CurrentGone              try again: snapshots were published, and what says which is current is gone
    ├── QuestionInvalid              correct what is asked of a reader: nothing was read
    │   └── UnknownCollection        correct the name: no collection is called so
    ├── WrongModel                   embed the question again, with the model that serves by now
    ├── VersionNotServed             wait or go on without: the version that a reader waited for did not come in time
    ├── StorageUnavailable           try again: the file system answered ESTALE, EIO or EROFS; of a reader, S3 too
    └── DiskFull                     try once more: leftovers are removed first; then give the function a larger disk

Step Functions matches these names exactly and knows no inheritance.
"""

from pathlib import Path
from typing import Final

from receipt_dynamo_stream.errors import CompactionError
from receipt_dynamo_stream.texts import one_line

REFUSAL_LENGTH: Final = 500
"""Characters of a refusal's message: it goes into reports, tables, logs and pages."""


class DeltaRefused(CompactionError):
    """The content of a run's delta is wrong: its run is quarantined under the subclass's name.

    A message may quote the delta: it is cut, and what is not printable is written as an escape.
    """

    def __init__(self, message: str) -> None:
        plain = one_line(message[:REFUSAL_LENGTH])
        super().__init__(f"{plain[: REFUSAL_LENGTH - 1]}…" if max(len(message), len(plain)) > REFUSAL_LENGTH else plain)


class DeltaPrefixMissing(DeltaRefused):
    """The run names no delta prefix for this collection."""


class DeltaPrefixForbidden(DeltaRefused):
    """The run's prefix points into what the pipeline itself writes, or into a bucket that it may not read."""


class DeltaMissing(DeltaRefused):
    """No delta in any known format lies at the run's prefix."""


class DeltaNotGiven(DeltaRefused):
    """S3 has the delta and gives it to nobody: a lifecycle rule archived it, or only its writer has its key."""


class DeltaCorrupt(DeltaRefused):
    """The delta cannot be read, or does not have the documented shape."""


class DeltaTooLarge(DeltaRefused):
    """The delta is larger than a merge may hold."""


class UnsafeTarMember(DeltaRefused):
    """A name of the delta's files leaves its folder, or a member of its tar is a link or a device."""


class WrongCollection(DeltaRefused):
    """The delta's Chroma directory holds no collection, several, or one with another name than the target."""


class WrongDimension(DeltaRefused):
    """The delta's vectors have another length than the collection's."""


class WrongSpace(DeltaRefused):
    """The delta's Chroma collection has another space than l2, so its vectors are not what the producer wrote."""


class InvalidVector(DeltaRefused):
    """A vector is all zeros or holds a value that is not finite."""


class DuplicateRecord(DeltaRefused):
    """Two records of one delta have the same id."""


class ForeignRecord(DeltaRefused):
    """A record id that is malformed, of another receipt, or of the other collection."""


class DeltaMetadataInvalid(DeltaRefused):
    """A metadata key or value that Chroma refuses, drops silently, or cannot read back."""


class RunTimeInvalid(DeltaRefused):
    """The run's created_at is no time, so the run has no place in the order of runs."""


class DeltaReaderFailed(DeltaRefused):
    """Reading the delta ended in an error that has no name, or ended the process that read it; the message has it."""


class RecordsInvalid(CompactionError, ValueError):
    """What a producer gave is no rows, columns or table of records; nothing was written."""


class DeltaReaderUnavailable(CompactionError):
    """The process that decodes deltas cannot be started, or was ended from outside: no delta is to blame."""


class SnapshotDamaged(CompactionError):
    """A published file differs from its manifest on EFS and on S3; nothing was overwritten."""


class ShardInvalid(CompactionError):
    """A staged shard failed a check. `problem` is the check's short name, for logs and tests."""

    def __init__(self, problem: str, message: str) -> None:
        super().__init__(f"{problem}: {message}")
        self.problem = problem


class SegmentInvalid(CompactionError):
    """A segment failed a check. `problem` is the check's short name, for logs and tests."""

    def __init__(self, problem: str, message: str) -> None:
        super().__init__(f"{problem}: {message}")
        self.problem = problem


class RegexUnsupported(CompactionError):
    """Chroma accepts the pattern, and what it means to Rust cannot be said in Python's patterns."""


class FoldChangedContent(CompactionError):
    """Base and segments do not come to what the manifest says of them: verify the version, or roll back."""


class ReshardRefused(CompactionError):
    """No number of shards that a collection can have: start again with another one."""


class StagingMissing(CompactionError):
    """A staged shard is gone and is not in its place either: this attempt cannot be published."""


class ManifestConflict(CompactionError):
    """A different manifest exists under the same snapshot id; nothing was overwritten."""


class RollbackRefused(CompactionError):
    """The version cannot be rolled back to: it is unknown or EXPIRED."""


class ExportRefused(CompactionError):
    """Nothing is written over what is there."""


class ChromaUnreadable(CompactionError):
    """chromadb cannot open or read a directory; the message carries its answer."""


class Fenced(CompactionError):
    """The caller no longer holds the lease, and nothing was changed."""


class NoSnapshotYet(CompactionError):
    """The collection has no CURRENT where it is read from: nothing was published yet."""


class SnapshotUnavailable(CompactionError):
    """Neither the snapshot that CURRENT names nor an earlier one could be opened, or the reader is closed."""


class CurrentGone(SnapshotUnavailable):
    """Something was published, and CURRENT is not there: the next scheduled execution writes it again."""


class QuestionInvalid(CompactionError, ValueError):
    """What is asked of a reader has no answer: a string for ids, a vector of another dimension, a filter that Chroma
    refuses. Asking it again does not help."""


class UnknownCollection(QuestionInvalid):
    """No collection has this name. One that has it and was never published is NoSnapshotYet."""


class WrongModel(CompactionError):
    """The vector of a question is of another embedding model than the records that would have answered, those of
    `generation`: embed the question with `model`, and ask again. Nothing was read."""

    def __init__(self, asked: str, generation: str, model: str) -> None:
        super().__init__(
            f"the vector is of the model {asked!r}, and {generation} serves, whose model is {model!r}: embed the"
            " question with that one, and ask again"
        )
        self.asked, self.generation, self.model = asked, generation, model


class VersionNotServed(CompactionError):
    """A reader waited for a version until its timeout; what it served before it still serves."""


class StorageUnavailable(CompactionError):
    """The shared file system answered with an error that passes (ESTALE, EIO, ETIMEDOUT, EROFS), or S3 a reader's
    request with one: the message has it, a missing right as well."""


class DiskFull(CompactionError):
    """No room is left on a disk: `free` bytes in `folder`, where `needed` are written at least; None is not known."""

    def __init__(self, folder: Path | None, free: int | None, needed: int | None) -> None:
        what = "what is written" if needed is None else f"{needed:,} bytes"
        left = "" if free is None else f", where {free:,} bytes are free"
        super().__init__(
            f"{what} did not fit into {folder or 'the disk'}{left}: make room there, or give the function a larger disk"
        )
        self.folder, self.free, self.needed = folder, free, needed
