"""For each thing a producer does: the record that shows it, per collection, and what it must look like."""

from __future__ import annotations

from local.demo.samples.model import Label, Receipt
from local.demo.samples.producer import Written
from local.demo.samples.records import Record as DeltaRecord
from local.demo.samples.records import records_of
from local.demo.watcher import Awaited, Probe


def shows_receipt(written: Written, collection: str) -> Awaited:
    """The receipt is there whole: its last record, with the metadata of the item that is written last."""
    last = _last_record(written.receipt, collection)
    name = merchant_name(written.receipt)

    def shows(record: object) -> bool:
        metadata = getattr(record, "metadata", None)
        return metadata is not None and metadata.get("merchant_name") == name

    return Awaited(f"{written.receipt.key}", last.id, shows, written.finished)


def shows_new_content(written: Written, old: Receipt, collection: str) -> Awaited:
    """The receipt was created anew: a record has another text than before, or is new."""
    before = {record.id: record.document for record in records_of(old, collection, 1)}
    now = next(
        record for record in records_of(written.receipt, collection, 1) if before.get(record.id) != record.document
    )
    return Awaited(
        f"{written.receipt.key} anew",
        now.id,
        lambda record: record is not None and record.document == now.document,
        written.finished,
    )


def shows_label(written: Written, label: Label, collection: str) -> Awaited:
    """The word's record, or its row's, has the label among its valid ones."""

    def shows(record: object) -> bool:
        metadata = getattr(record, "metadata", {})
        return label.label in metadata.get("valid_labels_array", ())

    what = f"label {label.label} of {written.receipt.key}"
    return Awaited(what, record_of_word(written.receipt, label, collection), shows, written.finished)


def shows_deletion(written: Written, collection: str) -> Awaited:
    """A record of the receipt is gone."""
    gone: Probe = lambda record: record is None  # noqa: E731
    what = f"deletion of {written.receipt.key}"
    return Awaited(what, _last_record(written.receipt, collection).id, gone, written.finished)


def record_of_word(receipt: Receipt, label: Label, collection: str) -> str:
    """The id of the record that carries the label: the word's own, or that of the visual row it stands in."""
    if collection == "words":
        return f"{receipt.key}#LINE#{label.line_id:05d}#WORD#{label.word_id:05d}"
    row = next(row for row in receipt.rows if label.line_id in row.line_ids)
    return f"{receipt.key}#LINE#{row.line_ids[0]:05d}"


def merchant_name(receipt: Receipt) -> str | None:
    """The merchant that the receipt's records must name."""
    if receipt.place is not None:
        return receipt.place["merchant_name"]
    if receipt.metadata is not None:
        return receipt.metadata["canonical_merchant_name"] or receipt.metadata["merchant_name"]
    return None


def _last_record(receipt: Receipt, collection: str) -> DeltaRecord:
    return records_of(receipt, collection, 1)[-1]
