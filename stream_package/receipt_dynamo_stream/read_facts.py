"""Read the facts of receipts by consistent reads.

Two reads per receipt: its RECEIPT item, and everything whose sort key begins with it *and a `#`*. The bare prefix
`RECEIPT#10000` would also match receipt 100000.
"""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from receipt_dynamo_stream import names
from receipt_dynamo_stream.attributes import AttributeProblem, Item, decode, float_of, int_of, string, text_of
from receipt_dynamo_stream.conditions import query_all
from receipt_dynamo_stream.facts import (
    METADATA_FIELDS,
    PLACE_FIELDS,
    LabelFact,
    ReceiptFacts,
    RunFact,
    SectionFact,
)
from receipt_dynamo_stream.generations import collection_of
from receipt_dynamo_stream.keys import ItemKey, ReceiptId, parse_item_key
from receipt_dynamo_stream.retry import transient_errors
from receipt_dynamo_stream.times import normal_time

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_COMMON_ATTRIBUTES = (
    "PK",
    "SK",
    "timestamp_added",
    "validation_status",
    "label_proposed_by",
    "line_ids",
    "confidence",
    "created_at",
    *dict.fromkeys(PLACE_FIELDS + METADATA_FIELDS),
)


def read_facts(
    client: "DynamoDBClient", receipts_table: str, receipt: ReceiptId, collection: str, *, model: str = ""
) -> ReceiptFacts:
    """The facts of one receipt, existing or not, with its runs of one embedding model.

    Raises TransientServiceError, and other errors of AWS as they are.
    """
    attributes = {f"#{place}": name for place, name in enumerate(_attributes_of(collection))}
    projection: dict[str, Any] = {"ProjectionExpression": ", ".join(attributes), "ExpressionAttributeNames": attributes}
    with transient_errors():
        head = client.get_item(
            TableName=receipts_table,
            Key={"PK": string(receipt.pk), "SK": string(receipt.sk)},
            ConsistentRead=True,
            **projection,
        )
        attributes["#SK"], attributes["#PK"] = "SK", "PK"
        items = query_all(
            client,
            TableName=receipts_table,
            KeyConditionExpression="#PK = :pk AND begins_with(#SK, :prefix)",
            ExpressionAttributeValues={":pk": string(receipt.pk), ":prefix": string(receipt.sk + "#")},
            **projection,
        )
    return facts_of(receipt, head.get("Item"), items, collection, model=model)


def read_many_facts(
    client: "DynamoDBClient",
    receipts_table: str,
    receipts: Iterable[ReceiptId],
    collection: str,
    *,
    model: str = "",
    workers: int = 16,
) -> dict[ReceiptId, ReceiptFacts]:
    """The facts of many receipts, read in parallel; the first error of any read is raised."""

    def read(receipt: ReceiptId) -> ReceiptFacts:
        return read_facts(client, receipts_table, receipt, collection, model=model)

    wanted = sorted(set(receipts))
    if len(wanted) <= 1:
        return {receipt: read(receipt) for receipt in wanted}
    with ThreadPoolExecutor(min(workers, len(wanted)), thread_name_prefix="facts") as pool:
        found = pool.map(read, wanted)
        return dict(zip(wanted, found, strict=True))


def facts_of(
    receipt: ReceiptId, receipt_item: Item | None, items: Iterable[Item], collection: str, *, model: str = ""
) -> ReceiptFacts:
    """Facts from the RECEIPT item (None: deleted) and the receipt's other items; of its runs those of one model.

    A field of the wrong type counts as absent and an unknown item is ignored: one odd item must not stop a collection.
    """
    lines: set[int] = set()
    words: set[tuple[int, int]] = set()
    labels: list[LabelFact] = []
    sections: list[SectionFact] = []
    runs: list[RunFact] = []
    place = metadata = None
    own = collection_of(collection)
    for item in items:
        key = parse_item_key(text_of(item, "PK") or "", text_of(item, "SK") or "")
        if key.entity_type is None or key.receipt != receipt:
            continue
        if key.entity_type == names.RECEIPT_LINE and key.line_id is not None:
            lines.add(key.line_id)
        elif key.entity_type == names.RECEIPT_WORD and key.line_id is not None and key.word_id is not None:
            words.add((key.line_id, key.word_id))
        elif key.entity_type == names.RECEIPT_WORD_LABEL:
            labels.append(_label(key, item))
        elif key.entity_type == names.RECEIPT_PLACE:
            place = _texts(item, PLACE_FIELDS)
        elif key.entity_type == names.RECEIPT_METADATA:
            metadata = _texts(item, METADATA_FIELDS)
        elif key.entity_type == names.RECEIPT_SECTION:
            sections.append(_section(key, item))
        elif key.entity_type == names.COMPACTION_RUN and (text_of(item, f"{own}_model") or "") == model:
            runs.append(_run(key, item, own))
    added = text_of(receipt_item, "timestamp_added") if receipt_item else None
    return ReceiptFacts(
        receipt=receipt,
        exists=bool(receipt_item),
        timestamp_added=normal_time(added) if added else None,
        lines=frozenset(lines),
        words=frozenset(words),
        place=place,
        metadata=metadata,
        labels=tuple(sorted(labels, key=lambda one: (one.line_id, one.word_id, one.label))),
        sections=tuple(sorted(sections)),
        runs=tuple(sorted(runs)),
    )


def _attributes_of(collection: str) -> tuple[str, ...]:
    own = collection_of(collection)
    of_a_run = (f"{own}_{name}" for name in ("delta_prefix", "state", "merged_vectors", "note", "model"))
    return (*_COMMON_ATTRIBUTES, *of_a_run)


def _texts(item: Item, fields: Iterable[str]) -> dict[str, str]:
    return {name: text for name in fields if (text := text_of(item, name)) is not None}


def _label(key: ItemKey, item: Item) -> LabelFact:
    return LabelFact(
        line_id=key.line_id or 0,
        word_id=key.word_id or 0,
        label=key.label or "",
        status=text_of(item, "validation_status") or "",
        proposed_by=text_of(item, "label_proposed_by"),
        timestamp_added=text_of(item, "timestamp_added") or "",
    )


def _section(key: ItemKey, item: Item) -> SectionFact:
    return SectionFact(
        section_type=key.section_type or "",
        line_ids=_line_ids(item),
        status=text_of(item, "validation_status") or "",
        confidence=float_of(item, "confidence"),
    )


def _run(key: ItemKey, item: Item, collection: str) -> RunFact:
    return RunFact(
        created_at=normal_time(text_of(item, "created_at") or ""),
        run_id=key.run_id or "",
        delta_prefix=text_of(item, f"{collection}_delta_prefix") or "",
        state=text_of(item, f"{collection}_state") or names.PENDING,
        merged=int_of(item, f"{collection}_merged_vectors"),
        note=text_of(item, f"{collection}_note") or "",
    )


def _line_ids(item: Item) -> tuple[int, ...]:
    try:
        found = decode(item["line_ids"]) if "line_ids" in item else None
    except AttributeProblem:
        return ()
    if not isinstance(found, (list, frozenset)):
        return ()
    return tuple(sorted({one for one in found if isinstance(one, int) and not isinstance(one, bool)}))
