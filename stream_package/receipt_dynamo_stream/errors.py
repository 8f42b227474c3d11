"""Every error of the pipeline that has a name.

The class says what the caller may do, the message what happened and what to do next:

    CompactionError
    ├── StreamRecordError        the record never heals: send it raw to the failure queue, acknowledge it
    ├── KeyMalformed             (also a ValueError) a key or record id that is none of ours
    ├── MessageInvalid           a message that is not a StreamMessage: never heals
    ├── RunInvalid               (also a ValueError) a run that could never be merged: nothing was written
    ├── RunAnnounced             a run of this id announces other deltas: take a new id
    ├── SchemaUnsupported        written by a newer or a too old release: deploy first, then look again
    ├── StoredObjectDamaged      a plan or report object that is not what this project writes: start a new execution
    ├── PublishFailed            some messages were not accepted by the queue: `failed_ids` names them
    ├── TransientServiceError    try the same call again later
    ├── ServiceRefused           AWS said no and would again: rights, a key, a missing table or bucket
    ├── RunRefused               a run that is waited for was not merged: correct its delta, announce it again
    ├── GenerationRefused        look first: a collection's generations are not such that this can be done
    ├── PointerMissing           look first: the control table lost a pointer that once existed
    ├── InvariantViolated        stop: what was about to be done, or was found, breaks a law that always holds
    └── ObjectMissing            look first: an object that a key names is not in the bucket
        ├── PlanMissing
        └── ReportMissing

Step Functions matches these names exactly and knows no inheritance.
"""

from collections.abc import Sequence


class CompactionError(Exception):
    """Root of every named error of this project."""


class StreamRecordError(CompactionError):
    """A stream record that cannot be read, now or later.

    record_id is the record's eventID, or "?" when even that is missing.
    """

    def __init__(self, record_id: str, problem: str) -> None:
        super().__init__(f"stream record {record_id}: {problem}")
        self.record_id = record_id
        self.problem = problem


class KeyMalformed(CompactionError, ValueError):
    """A receipt key, record id or snapshot id that does not have the documented shape."""


class MessageInvalid(CompactionError):
    """Text that is not a StreamMessage of a known shape."""


class RunInvalid(CompactionError, ValueError):
    """A run that a producer must not announce: it would be refused, or not be seen at all."""


class RunAnnounced(CompactionError):
    """A run of this receipt and id is in the table and names other deltas; nothing was written over it."""


class SchemaUnsupported(CompactionError):
    """A stored object or message has a schema version that this release does not read."""

    def __init__(self, what: str, found: object, supported: Sequence[int]) -> None:
        readable = " and ".join(str(version) for version in supported)
        super().__init__(
            f"{what} has schema version {found!r}, this release reads {readable}: deploy the newer release"
        )


class StoredObjectDamaged(CompactionError):
    """The bytes of a plan or report are not what this project writes."""


class PublishFailed(CompactionError):
    """Messages that the queue did not accept after all attempts; the others were accepted once."""

    def __init__(self, failed_ids: Sequence[str], problem: str) -> None:
        super().__init__(f"{len(failed_ids)} messages were not published ({problem}): {', '.join(failed_ids)}")
        self.failed_ids = tuple(failed_ids)


class TransientServiceError(CompactionError):
    """Throttling, a server-side error, a timeout or a broken connection: the same call may work later."""


class ServiceRefused(CompactionError):
    """AWS refused a call and would refuse it again: look at the deployment, its rights and its keys."""


class RunRefused(CompactionError):
    """Somebody waits for a run that is FAILED: readers will not see it until it is retried, or announced again."""


class GenerationRefused(CompactionError):
    """A generation cannot be made, made to serve, or left: `compaction renew COLLECTION` shows how they are."""


class PointerMissing(CompactionError):
    """HEAD names no snapshot although committed or expired versions exist; never treated as an empty collection."""


class InvariantViolated(CompactionError):
    """A law of `receipt_dynamo_stream.invariants` does not hold; nothing was done on top of it. The message begins with
    its name."""

    def __init__(self, invariant: str, problem: str) -> None:
        super().__init__(f"{invariant}: {problem}")
        self.invariant = invariant
        self.problem = problem


class ObjectMissing(CompactionError):
    """An object that a key names is not in the bucket."""

    def __init__(self, bucket: str, key: str) -> None:
        super().__init__(f"s3://{bucket}/{key} is not there: start a new execution, it makes its own")
        self.bucket = bucket
        self.key = key


class PlanMissing(ObjectMissing):
    """The plan object of a round is not in the bucket."""


class ReportMissing(ObjectMissing):
    """A merge report of a round is not in the bucket."""
