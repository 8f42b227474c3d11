"""What the whole receipts table says of receipts and runs, by one scan in pages."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from receipt_dynamo_stream import names
from receipt_dynamo_stream.attributes import Item, int_of, text_of
from receipt_dynamo_stream.facts import ReceiptFacts
from receipt_dynamo_stream.generations import collection_of
from receipt_dynamo_stream.keys import ReceiptId, parse_item_key
from receipt_dynamo_stream.read_facts import facts_of
from receipt_dynamo_stream.retry import transient_errors

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_OF_A_RUN: Final = ("delta_prefix", "state", "merged_vectors", "settled_by", "model")


@dataclass(frozen=True)
class Models:
    """own: the embedding model whose runs are meant; active: those of all generations of the collection that are kept
    up."""

    own: str = ""
    active: frozenset[str] = frozenset({""})


@dataclass
class TableOf:
    """The table as one collection, or generation of one, sees it. facts: without labels and places; of sections their
    types. empty: ids of the runs that a round merged, and that brought no record. for_no_generation: receipts with a
    run that may still be merged, of a model that no active generation has."""

    collection: str
    models: Models = Models()
    for_no_generation: set[ReceiptId] = field(default_factory=set)
    facts: dict[ReceiptId, ReceiptFacts] = field(default_factory=dict)
    empty: set[str] = field(default_factory=set)

    def take(self, receipt: ReceiptId, items: Sequence[Item]) -> None:
        """Add some of a receipt's items; they may come in parts."""
        own = next((item for item in items if text_of(item, "SK") == receipt.sk), None)
        found = facts_of(receipt, own, items, self.collection, model=self.models.own)
        before = self.facts.get(receipt, ReceiptFacts(receipt))
        self.facts[receipt] = replace(
            before,
            exists=before.exists or found.exists,
            timestamp_added=before.timestamp_added or found.timestamp_added,
            lines=before.lines | found.lines,
            words=before.words | found.words,
            sections=tuple(sorted({*before.sections, *found.sections})),
            runs=tuple(sorted({*before.runs, *found.runs})),
        )
        self.empty |= {run_id for item in items if (run_id := self._empty_run(item))}
        if any(map(self._is_for_no_generation, items)):
            self.for_no_generation.add(receipt)

    def _empty_run(self, item: Item) -> str | None:
        c = collection_of(self.collection)
        merged = text_of(item, f"{c}_state") == names.COMPLETED and text_of(item, f"{c}_settled_by") is not None
        if not merged or int_of(item, f"{c}_merged_vectors"):
            return None
        return parse_item_key(text_of(item, "PK") or "", text_of(item, "SK") or "").run_id

    def _is_for_no_generation(self, item: Item) -> bool:
        c = collection_of(self.collection)
        if (text_of(item, f"{c}_model") or "") in self.models.active or not text_of(item, f"{c}_delta_prefix"):
            return False
        return (text_of(item, f"{c}_state") or names.PENDING) == names.PENDING


def scan_table(
    client: "DynamoDBClient",
    table: str,
    collections: Mapping[str, Models],
    progress: Callable[[int], None] | None = None,
) -> dict[str, TableOf]:
    """The receipts of the table as each of these collections and generations sees them, a page in memory at a time.

    progress is told how many receipts were seen so far. Items of unknown shapes are left out.
    Raises TransientServiceError, and other errors of AWS as they are.
    """
    found = {collection: TableOf(collection, models) for collection, models in collections.items()}
    with transient_errors():
        for page in _pages(client, table, list(dict.fromkeys(map(collection_of, collections)))):
            for receipt, items in _by_receipt(page).items():
                for one in found.values():
                    one.take(receipt, items)
            if progress is not None:
                progress(len(next(iter(found.values())).facts))
    return found


def _by_receipt(page: Sequence[Item]) -> dict[ReceiptId, list[Item]]:
    items: dict[ReceiptId, list[Item]] = {}
    for item in page:
        key = parse_item_key(text_of(item, "PK") or "", text_of(item, "SK") or "")
        if key.entity_type is not None:
            items.setdefault(key.receipt, []).append(item)
    return items


def _pages(client: "DynamoDBClient", table: str, collections: Sequence[str]) -> Iterator[Sequence[Item]]:
    wanted = ["PK", "SK", "timestamp_added", "created_at"]
    wanted += [f"{collection}_{name}" for collection in collections for name in _OF_A_RUN]
    pages = client.get_paginator("scan").paginate(
        TableName=table, ProjectionExpression=", ".join(wanted), ConsistentRead=True
    )
    for page in pages:
        yield page["Items"]
