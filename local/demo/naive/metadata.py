"""The independent check, part two: the metadata that the table decides, written from the architecture's rules alone."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from local.demo.naive.table import Fields, TableReceipt

Metadata = dict[str, Any]

PLACE_KEYS = ("merchant_name", "merchant_category", "address", "phone_number", "place_id")
LABEL_KEYS = ("valid_labels_array", "invalid_labels_array", "label_status")
DECIDED_BY_TABLE = {
    "words": {*PLACE_KEYS, *LABEL_KEYS, "label_proposed_by", "label_validated_at"},
    "lines": {*PLACE_KEYS, *LABEL_KEYS, "row_line_ids", "section_label"},
}
_STATUS_ORDER = {"VALID": 0, "PENDING": 1}


def word_metadata(receipt: TableReceipt, delta: Metadata, line: int, word: int) -> Metadata:
    """The full metadata of one word's record, given what its delta says."""
    labels = [{"label": name, **fields} for name, fields in receipt.labels.get((line, word), {}).items()]
    valid = [label for label in labels if label["validation_status"] == "VALID"]
    pending = [label for label in labels if label["validation_status"] == "PENDING"]
    invalid = [label for label in labels if label["validation_status"] == "INVALID"]
    decided: Metadata = _place(receipt)
    decided["valid_labels_array"] = sorted(label["label"] for label in valid)
    decided["invalid_labels_array"] = sorted(label["label"] for label in invalid)
    decided["label_status"] = _status(bool(valid), bool(pending))
    if pending:
        decided["label_proposed_by"] = _latest(pending).get("label_proposed_by")
    if valid:
        decided["label_validated_at"] = _latest(valid)["timestamp_added"]
    return _with(delta, decided, "words")


def line_metadata(receipt: TableReceipt, delta: Metadata, line: int) -> Metadata:
    """The full metadata of one visual row's record, given what its delta says."""
    given = json.loads(delta.get("row_line_ids") or json.dumps([line]))
    members = sorted(member for member in given if member in receipt.lines)
    labels = [
        (name, fields["validation_status"])
        for (labelled_line, labelled_word), by_name in receipt.labels.items()
        if labelled_line in members and (labelled_line, labelled_word) in receipt.words
        for name, fields in by_name.items()
    ]
    valid = {name for name, status in labels if status == "VALID"}
    decided: Metadata = _place(receipt)
    decided["valid_labels_array"] = sorted(valid)
    decided["invalid_labels_array"] = sorted({name for name, status in labels if status == "INVALID"} - valid)
    decided["label_status"] = _status(bool(valid), any(status == "PENDING" for _, status in labels))
    decided["row_line_ids"] = "[" + ",".join(map(str, members)) + "]"
    decided["section_label"] = _section(receipt, members)
    return _with(delta, decided, "lines")


def _with(delta: Metadata, decided: Metadata, collection: str) -> Metadata:
    theirs = {key: value for key, value in delta.items() if key not in DECIDED_BY_TABLE[collection]}
    return theirs | {key: value for key, value in decided.items() if value not in (None, "", [])}


def _place(receipt: TableReceipt) -> Metadata:
    if "PLACE" in receipt.places:
        place = receipt.places["PLACE"]
        return {key: place.get("formatted_address" if key == "address" else key) for key in PLACE_KEYS}
    metadata = receipt.places.get("METADATA", {})
    return {key: metadata.get(f"canonical_{key}") or metadata.get(key) for key in PLACE_KEYS}


def _status(any_valid: bool, any_pending: bool) -> str:
    if any_valid:
        return "validated"
    return "auto_suggested" if any_pending else "unvalidated"


def _latest(labels: list[Fields]) -> Fields:
    return sorted(labels, key=lambda label: (label["timestamp_added"], label["label"]))[-1]


def _section(receipt: TableReceipt, members: list[int]) -> str | None:
    """Each member line votes for its best section; the most votes win, and a tie is no answer."""
    votes = Counter(vote for member in members if (vote := _vote(receipt, member)) is not None)
    ranking = votes.most_common()
    if not ranking or (len(ranking) > 1 and ranking[0][1] == ranking[1][1]):
        return None
    return ranking[0][0]


def _vote(receipt: TableReceipt, line: int) -> str | None:
    """The best section over a line: VALID before PENDING before others, then the surest; never an INVALID one."""
    over = [
        (_STATUS_ORDER.get(fields["validation_status"], 2), -fields["confidence"], name)
        for name, fields in receipt.sections.items()
        if line in fields["line_ids"] and fields["validation_status"] != "INVALID"
    ]
    over.sort()
    if not over or (len(over) > 1 and over[0][:2] == over[1][:2]):
        return None
    return over[0][2]
