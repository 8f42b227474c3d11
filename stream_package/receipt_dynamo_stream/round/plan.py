"""The plan of a round: which receipts are merged into which shards, and the facts they are made from."""

from dataclasses import dataclass
from typing import Any

from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.control.head import Pointer
from receipt_dynamo_stream.errors import PlanMissing, StoredObjectDamaged
from receipt_dynamo_stream.facts import ReceiptFacts
from receipt_dynamo_stream.round.stored import decode_stored, encode_stored

NO_TRIAL, SUSPECTS, ALONE, ONE_RUN, WITHOUT = "", "suspects", "alone", "one run", "without"
"""What a round tries: receipts that never failed, several suspects, one suspect, one with the oldest alone of its new
runs, or one without any of them."""


@dataclass(frozen=True, slots=True)
class PlannedReceipt:
    """One receipt of a plan; change is the token that was read before the facts."""

    shard: int
    change: str
    attempts: int
    first_changed_at: str
    facts: ReceiptFacts


@dataclass(frozen=True, slots=True)
class Plan:
    """What one round of an execution does.

    execution is the execution's name; base the pointer it builds on (None: nothing was ever published); snapshot_id
    the id of the version that it may publish; shards the collection's shard count; trial what it says of suspects.
    model is that of the collection's runs and vectors, dimension what was given for these before there were any.
    """

    collection: str
    execution: str
    execution_arn: str
    trigger: str
    round: int
    fence: int
    base: Pointer | None
    snapshot_id: str
    shards: int
    planned_at: str
    receipts: tuple[PlannedReceipt, ...]
    trial: str = NO_TRIAL
    model: str = ""
    dimension: int | None = None

    def plan_key(self, attempt: str) -> str:
        """Key of the plan object; attempt is the Lambda request id, so that a late try overwrites nothing."""
        return f"plans/{self.collection}/{self.execution}/{self.round}-{attempt}.json.gz"

    def touched_shards(self) -> tuple[int, ...]:
        """The shards that have receipts in this plan, in order."""
        return tuple(sorted({one.shard for one in self.receipts}))

    def encode(self) -> bytes:
        """The stored form; equal plans have equal bytes."""
        return encode_stored(
            {
                "collection": self.collection,
                "execution": self.execution,
                "execution_arn": self.execution_arn,
                "trigger": self.trigger,
                "round": self.round,
                "fence": self.fence,
                "base": self.base.to_json() if self.base else None,
                "snapshot_id": self.snapshot_id,
                "shards": self.shards,
                "planned_at": self.planned_at,
                "trial": self.trial,
                "model": self.model,
                "dimension": self.dimension,
                "receipts": [
                    {
                        "shard": one.shard,
                        "change": one.change,
                        "attempts": one.attempts,
                        "first_changed_at": one.first_changed_at,
                        "facts": one.facts.to_json(),
                    }
                    for one in self.receipts
                ],
            }
        )

    @classmethod
    def decode(cls, data: bytes) -> "Plan":
        """What encode gave. Raises SchemaUnsupported, StoredObjectDamaged."""
        value = decode_stored(data, "the plan")
        try:
            return cls._from_json(value)
        except (KeyError, TypeError, ValueError) as error:
            raise StoredObjectDamaged(f"the plan lacks a part: {error!r}") from error

    @classmethod
    def _from_json(cls, value: dict[str, Any]) -> "Plan":
        base = value.pop("base")
        receipts = value.pop("receipts")
        return cls(
            **value,
            base=Pointer.from_json(base) if base else None,
            receipts=tuple(
                PlannedReceipt(**{**one, "facts": ReceiptFacts.from_json(one["facts"])}) for one in receipts
            ),
        )


def load_plan(bucket: Bucket, key: str) -> Plan:
    """Read a plan. Raises PlanMissing, SchemaUnsupported, StoredObjectDamaged, TransientServiceError."""
    return Plan.decode(bucket.read(key, PlanMissing))


def save_plan(bucket: Bucket, key: str, plan: Plan) -> None:
    """Write a plan. Raises TransientServiceError."""
    bucket.put(key, plan.encode())
