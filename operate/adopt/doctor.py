"""Doctor: every receipt of the table against its runs, their deltas and the snapshot. Reads only.

Memory: the ids of all receipts, words and records, some hundred bytes each. Requests: the table once, in pages; one to
three for the delta of each run that counts; of the snapshot its shards' tables, without vectors.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from receipt_chroma.delta.there import delta_is_there
from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.facts import ReceiptFacts
from receipt_dynamo_stream.grain import COLLECTIONS
from receipt_dynamo_stream.keys import ReceiptId
from receipt_dynamo_stream.runs import delta_location

from operate.adopt.diagnosis import BREAKS, NOTES, STATES, TROUBLES, Signs, judge, runs_that_count
from operate.adopt.served import Served, served_records
from operate.adopt.table import Models, TableOf, scan_table
from operate.contents.shard_files import ShardFiles
from operate.stack import Stack

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

EXAMPLES: Final = 3
_WORKERS: Final = 10  # as many connections as a client keeps


@dataclass
class Finding:
    """One reason. receipts: how many it is about, parts: their words, lines or records. trouble: somebody must act.
    breaks: the invariant that does not hold, where that is one."""

    why: str
    trouble: bool
    do: str
    receipts: int = 0
    parts: int = 0
    examples: list[str] = field(default_factory=list)
    breaks: str | None = None


@dataclass(frozen=True)
class Diagnosis:
    """A collection's receipts by state, and what is the matter. version: what was looked at; None without a stack."""

    collection: str
    version: int | None
    receipts: int
    states: Mapping[str, int]
    findings: tuple[Finding, ...]

    @property
    def clean(self) -> bool:
        """Whether all is explained: nothing is missing, and nothing is there that should not be."""
        return not any(finding.trouble for finding in self.findings)

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {**asdict(self), "clean": self.clean}


@dataclass(frozen=True)
class Patient:
    """What is looked at: a table and a bucket, and what was made of them where a stack is deployed already."""

    dynamodb: "DynamoDBClient"
    table: str
    bucket: Bucket
    stack: Stack | None = None
    files: ShardFiles | None = None

    @classmethod
    def of(cls, stack: Stack) -> "Patient":
        """All of a stack."""
        connection = stack.connection
        return cls(
            connection.client("dynamodb"),
            connection.receipts_table,
            Bucket(connection.client("s3"), connection.bucket),
            stack,
            ShardFiles.of(stack),
        )

    def collections(self) -> tuple[str, ...]:
        """What the stack keeps up; the collections before there is one."""
        return self.stack.collections.names() if self.stack else COLLECTIONS

    def model(self, collection: str) -> str:
        """The embedding model of its vectors; "" of a collection's first generation."""
        return self.stack.collections.model(collection) if self.stack else ""

    def active_models(self, collection: str) -> frozenset[str]:
        """Those of the generations of its collection that are kept up."""
        if self.stack is None:
            return frozenset({""})
        return frozenset(map(self.model, self.stack.collections.generations(collection).active))

    def generation_with(self, collection: str, model: str) -> str | None:
        """The generation that is kept up and has this model; before there is a stack the collection itself."""
        if self.stack is None:
            return collection
        active = self.stack.collections.generations(collection).active
        return next((one for one in active if self.model(one) == model), None)

    def dimension(self, collection: str) -> int | None:
        """That of the published records, or that a generation was made for; None while neither says it.

        Raises VersionUnreadable.
        """
        head = self.stack.collections.head(collection) if self.stack else None
        if self.stack is None or head is None or head.pointer is None:
            return head.dimension if head else None
        return self.stack.stored.manifest(head.pointer).dimension


def diagnose(
    patient: Patient, collections: Sequence[str], progress: Callable[[str], None] = lambda _told: None
) -> list[Diagnosis]:
    """One diagnosis for each collection. What waits is read before and after, so that what changes meanwhile waits.

    progress is told what is looked at. Raises VersionUnreadable, TransientServiceError, others of AWS as they are.
    """
    before = {collection: _Waits.read(patient, collection) for collection in collections}
    tables = scan_table(
        patient.dynamodb,
        patient.table,
        {one: Models(patient.model(one), patient.active_models(one)) for one in collections},
        lambda seen: progress(f"reading the table: {seen:,} receipts"),
    )
    found = []
    for collection in collections:
        progress(f"looking for the deltas of {collection}")
        deltas = _deltas(patient.bucket, tables[collection])
        progress(f"reading the ids of {collection}")
        version, served = _served(patient, collection)
        waits = before[collection] | _Waits.read(patient, collection)
        found.append(_diagnosis(tables[collection], deltas, version, served, waits))
    return found


@dataclass(frozen=True)
class _Waits:
    pending: frozenset[ReceiptId] = frozenset()
    quarantined: Mapping[ReceiptId, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def read(cls, patient: Patient, collection: str) -> "_Waits":
        if patient.stack is None:
            return cls()
        quarantined: dict[ReceiptId, frozenset[str]] = {}
        for _, run in patient.stack.quarantine.runs([collection]):
            quarantined[run.receipt] = quarantined.get(run.receipt, frozenset()) | {run.run_id}
        pending = frozenset(one.receipt for one in patient.stack.collections.pending(collection))
        return cls(pending, quarantined)

    def __or__(self, later: "_Waits") -> "_Waits":
        return _Waits(self.pending | later.pending, later.quarantined)


def _served(patient: Patient, collection: str) -> tuple[int | None, Served | None]:
    if patient.stack is None or patient.files is None:
        return None, None
    head = patient.stack.collections.head(collection)
    if head is None or head.pointer is None:
        return 0, {}
    manifest = patient.stack.stored.manifest(head.pointer)
    return manifest.version, served_records(patient.files, manifest)


def _deltas(bucket: Bucket, table: TableOf) -> dict[tuple[ReceiptId, str], bool]:
    """Whether the delta of each run that counts is there."""
    runs = [
        (facts.receipt, run)
        for facts in table.facts.values()
        if facts.exists
        for run in runs_that_count(facts, table.collection)
    ]

    def look(prefix: str) -> bool:
        location = delta_location(prefix, bucket.name)
        return delta_is_there(Bucket(bucket.s3, location.bucket), location.prefix)

    with ThreadPoolExecutor(_WORKERS, thread_name_prefix="doctor") as pool:
        there = pool.map(look, [run.delta_prefix for _, run in runs])
        return {(receipt, run.run_id): is_there for (receipt, run), is_there in zip(runs, there, strict=True)}


def _diagnosis(
    table: TableOf,
    deltas: Mapping[tuple[ReceiptId, str], bool],
    version: int | None,
    served: Served | None,
    waits: _Waits,
) -> Diagnosis:
    states, empty = dict.fromkeys(STATES, 0), frozenset(table.empty)
    findings: dict[str, Finding] = {}
    for facts in _everyone(table, served):
        receipt = facts.receipt
        verdict = judge(
            Signs(
                facts=facts,
                deltas={run.run_id: deltas.get((receipt, run.run_id), False) for run in facts.runs},
                empty=empty,
                records=None if served is None else served.get(receipt.key, {}),
                pending=receipt in waits.pending,
                quarantined=waits.quarantined.get(receipt, frozenset()),
                for_no_generation=receipt in table.for_no_generation,
            ),
            table.collection,
        )
        states[verdict.state] += 1
        for why, parts in verdict.whys.items():
            do = TROUBLES.get(why) or NOTES[why]
            finding = findings.setdefault(why, Finding(why, why in TROUBLES, do, breaks=BREAKS.get(why)))
            finding.receipts += 1
            finding.parts += parts
            if len(finding.examples) < EXAMPLES:
                finding.examples.append(receipt.key)
    order = [*TROUBLES, *NOTES]
    return Diagnosis(
        collection=table.collection,
        version=version,
        receipts=sum(facts.exists for facts in table.facts.values()),
        states=states,
        findings=tuple(sorted(findings.values(), key=lambda finding: order.index(finding.why))),
    )


def _everyone(table: TableOf, served: Served | None) -> Iterable[ReceiptFacts]:
    """The receipts of the table, and those that only the snapshot knows, by key."""
    known = {facts.receipt.key: facts for facts in table.facts.values()}
    for key in sorted(known.keys() | (served or {}).keys()):
        yield known.get(key) or ReceiptFacts(ReceiptId.parse(key))
