"""What a merge would say of the deltas of one stack: of a prefix, or of an announced run with its receipt."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from receipt_chroma.errors import DeltaPrefixForbidden, DeltaRefused
from receipt_chroma.records import Record
from receipt_chroma.run_deltas import DeltaSource, want_receipt
from receipt_chroma.wanted import is_eligible
from receipt_dynamo_stream import names
from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.conditions import query_all
from receipt_dynamo_stream.facts import ReceiptFacts, RunFact
from receipt_dynamo_stream.generations import collection_of
from receipt_dynamo_stream.grain import COLLECTIONS
from receipt_dynamo_stream.keys import ReceiptId, parse_item_key
from receipt_dynamo_stream.read_facts import read_facts
from receipt_dynamo_stream.runs import delta_location

from operate.checked_deltas import Belongs, CheckedDelta, check_path, check_prefix
from operate.errors import RunAmbiguous, RunNotFound
from operate.stack import Stack

FAILED = "a merge leaves it out while its state is FAILED: `compaction quarantine retry` gives it another chance"
ELSEWHERE = "a merge reads it only where the deployment's delta_buckets names its bucket"
STAYS = "what the snapshot has of this merged run stays, and where it has nothing the run is told so"


class Deltas:
    """The deltas of one stack. What decodes them is heavy, so `Stack` itself does not know this."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._dynamodb = stack.connection.client("dynamodb")
        self._bucket = Bucket(stack.connection.client("s3"), stack.connection.bucket)

    def check_path(self, path: Path, given: Belongs) -> CheckedDelta:
        """A file or folder, not uploaded yet; the dimension is the collection's, if it has one. Raises UsageError."""
        return self._of_its_dimension(given, lambda belongs: check_path(path, belongs))

    def check_prefix(self, url: str, given: Belongs, *, delta_buckets: Sequence[str] = ()) -> CheckedDelta:
        """A prefix as a run names it, `s3://bucket/key`; the dimension as of `check_path`."""
        location = delta_location(url, self._bucket.name)
        own = location.bucket == self._bucket.name
        if own and location.is_of_the_pipeline:
            return CheckedDelta(given, error=DeltaPrefixForbidden.__name__, message="the pipeline itself writes there")
        bucket = replace(self._bucket, name=location.bucket)
        checked = self._of_its_dimension(given, lambda belongs: check_prefix(bucket, location.prefix, belongs))
        return checked if own or location.bucket in delta_buckets else replace(checked, note=ELSEWHERE)

    def check_run(
        self, given: str, *, receipt: ReceiptId | None = None, delta_buckets: Sequence[str] = ()
    ) -> tuple[CheckedDelta, ...]:
        """A run, by its id or the only beginning of one, in each collection, as a merge reads it with its receipt now.

        A run that is FAILED is checked as if it were given another chance. Without a receipt the whole table is looked
        through, but for runs in quarantine. Raises RunNotFound, RunAmbiguous.
        """
        receipt, run_id = self._find(given, receipt)
        return tuple(self._check(collection, receipt, run_id, tuple(delta_buckets)) for collection in COLLECTIONS)

    def _of_its_dimension(self, given: Belongs, check: Callable[[Belongs], CheckedDelta]) -> CheckedDelta:
        checked = check(given)
        if given.dimension is None and (collection := checked.belongs.collection) is not None:
            dimension = self._dimension(collection)
            if dimension not in (None, checked.belongs.dimension):
                return check(replace(given, dimension=dimension))
        return checked

    def _check(self, collection: str, receipt: ReceiptId, run_id: str, delta_buckets: tuple[str, ...]) -> CheckedDelta:
        told = next(one for one in self._stack.receipts.announced(receipt).runs if one.run_id == run_id)
        model = told.of(collection).model
        collection = self._generation_with(model, collection)
        table = self._stack.connection.receipts_table
        facts = read_facts(self._dynamodb, table, receipt, collection, model=model)
        run = next(one for one in facts.runs if one.run_id == run_id)
        chance = replace(run, state=names.PENDING if run.state == names.FAILED else run.state)
        unread = _unread(facts, chance)
        looked_at = replace(
            facts,
            exists=True,
            timestamp_added=None if unread else facts.timestamp_added,
            runs=tuple(chance if one is run else one for one in facts.runs),
        )
        dimension = self._dimension(collection)
        source = DeltaSource(self._bucket, collection_of(collection), delta_buckets)
        wanted = want_receipt(source, looked_at, dimension)
        said = " ".join(one.message for one in wanted.notes if one.run_id == run_id) or None
        note = unread or (FAILED if run.state == names.FAILED else said)
        belongs = Belongs(collection, receipt, dimension)
        if refusal := next((one for one in wanted.refusals if one.run_id == run_id), None):
            return CheckedDelta(belongs, error=refusal.error, message=refusal.message, note=note)
        if error := next((why for one, why in wanted.unread if one.run_id == run_id), None):
            return CheckedDelta(belongs, brings=0, note=f"{type(error).__name__}: {error}; {STAYS}")
        if run_id not in wanted.runs:
            return CheckedDelta(belongs, brings=0, note=note)
        rows: tuple[Record, ...] = tuple(source.read(looked_at, chance, dimension))
        return CheckedDelta(
            replace(belongs, dimension=len(rows[0].embedding) if rows else dimension),
            records=len(rows),
            brings=0 if unread else wanted.runs[run_id],
            note=note,
            rows=rows,
        )

    def _generation_with(self, model: str, collection: str) -> str:
        """The generation that merges runs of this model; the collection itself where none that is kept up has it."""
        of = self._stack.collections
        return next((one for one in of.generations(collection).active if of.model(one) == model), collection)

    def _dimension(self, collection: str) -> int | None:
        found = self._stack.collections.status(collection).dimension
        head = self._stack.collections.head(collection)
        return found if found is not None or head is None else head.dimension

    def _find(self, given: str, receipt: ReceiptId | None) -> tuple[ReceiptId, str]:
        found = (
            self._runs(receipt) if receipt else [(run.receipt, run.run_id) for _, run in self._stack.quarantine.runs()]
        )
        fitting = {one for one in found if given and one[1].startswith(given)}
        if not fitting and receipt is None:
            fitting = {one for one in self._runs(None) if given and one[1].startswith(given)}
        exact = {one for one in fitting if one[1] == given} or fitting
        if not exact:
            raise RunNotFound(f"no run {given} in the receipts table: give the id that its COMPACTION_RUN item has")
        if len(exact) > 1:
            raise RunAmbiguous(f"several runs begin with {given}: give more of the id, or --receipt")
        return exact.pop()

    def _runs(self, receipt: ReceiptId | None) -> list[tuple[ReceiptId, str]]:
        table = self._stack.connection.receipts_table
        request: dict[str, Any] = {"TableName": table, "ProjectionExpression": "PK, SK"}
        if receipt is not None:
            items = query_all(
                self._dynamodb,
                KeyConditionExpression="PK = :pk AND begins_with(SK, :sk)",
                ExpressionAttributeValues={":pk": {"S": receipt.pk}, ":sk": {"S": f"{receipt.sk}#COMPACTION_RUN#"}},
                **request,
            )
        else:
            pages = self._dynamodb.get_paginator("scan").paginate(
                FilterExpression="contains(SK, :run)",
                ExpressionAttributeValues={":run": {"S": "#COMPACTION_RUN#"}},
                **request,
            )
            items = [item for page in pages for item in page["Items"]]
        keys = [parse_item_key(item["PK"]["S"], item["SK"]["S"]) for item in items]
        return [(key.receipt, key.run_id) for key in keys if key.run_id is not None]


def _unread(facts: ReceiptFacts, run: RunFact) -> str | None:
    """Why a merge does not read a run, whatever its delta is."""
    if not facts.exists:
        return "a merge does not read it: the RECEIPT item is not there"
    try:
        older = not is_eligible(run, facts)
    except DeltaRefused:
        return None
    return "a merge does not read it: it is older than its receipt's timestamp_added" if older else None
