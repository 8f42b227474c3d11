"""The independent check, part one: what the receipts table says, from a scan, parsed in its own way.

Nothing of the `naive_*` modules may import the packages they check: a rule that is misread in one place must not be
misread here by the same code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeDeserializer

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Fields = dict[str, Any]

_SK = re.compile(
    r"RECEIPT#(?P<receipt>\d+)"
    r"(?:#LINE#(?P<line>\d+)(?:#WORD#(?P<word>\d+)(?:#LABEL#(?P<label>.+))?)?"
    r"|#(?P<place>PLACE|METADATA)|#SECTION#(?P<section>.+)|#COMPACTION_RUN#(?P<run>.+))?"
)


@dataclass
class TableReceipt:
    """All that the table has under one receipt's keys. `fields` is None while there is no RECEIPT item."""

    image_id: str
    receipt_id: int
    fields: Fields | None = None
    lines: set[int] = field(default_factory=set)
    words: set[tuple[int, int]] = field(default_factory=set)
    labels: dict[tuple[int, int], dict[str, Fields]] = field(default_factory=dict)
    sections: dict[str, Fields] = field(default_factory=dict)
    places: dict[str, Fields] = field(default_factory=dict)
    runs: dict[str, Fields] = field(default_factory=dict)

    @property
    def prefix(self) -> str:
        """What the ids of this receipt's records begin with."""
        return f"IMAGE#{self.image_id}#RECEIPT#{self.receipt_id:05d}#"


def scan_receipts(dynamodb: DynamoDBClient, table: str) -> list[TableReceipt]:
    """Every receipt of which the table has any item at all."""
    receipts: dict[tuple[str, int], TableReceipt] = {}
    pages = dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    for page in pages:
        for item in page["Items"]:
            _take(receipts, item)
    return list(receipts.values())


def _take(receipts: dict[tuple[str, int], TableReceipt], item: dict[str, Any]) -> None:
    sort_key = _SK.fullmatch(item["SK"]["S"])
    if sort_key is None:
        return
    image_id = item["PK"]["S"].removeprefix("IMAGE#")
    key = (image_id, int(sort_key["receipt"]))
    receipt = receipts.setdefault(key, TableReceipt(*key))
    line, word = int(sort_key["line"] or 0), int(sort_key["word"] or 0)
    if sort_key["label"] is not None:
        receipt.labels.setdefault((line, word), {})[sort_key["label"]] = _plain(item)
    elif sort_key["word"] is not None:
        receipt.words.add((line, word))
    elif sort_key["line"] is not None:
        receipt.lines.add(line)
    elif sort_key["place"] is not None:
        receipt.places[sort_key["place"]] = _plain(item)
    elif sort_key["section"] is not None:
        receipt.sections[sort_key["section"]] = _plain(item)
    elif sort_key["run"] is not None:
        receipt.runs[sort_key["run"]] = _plain(item)
    else:
        receipt.fields = _plain(item)


def _plain(item: dict[str, Any]) -> Fields:
    deserialize = TypeDeserializer().deserialize
    return {name: deserialize(value) for name, value in item.items()}
