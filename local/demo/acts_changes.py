"""Acts 3 and 4: people and programs change what is there, and one producer uploads a corrupt delta."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from receipt_chroma import SnapshotReader

from local.demo.probes import (
    merchant_name,
    record_of_word,
    shows_deletion,
    shows_label,
    shows_new_content,
    shows_receipt,
)
from local.demo.samples.catalog import MERCHANTS
from local.demo.samples.delta_files import DeltaKind
from local.demo.samples.model import Label, Receipt
from local.demo.samples.producer import COLLECTIONS, Upload
from local.demo.samples.receipts import draw_uuid
from local.demo.stage import Stage
from local.demo.tally import ending

_CORRUPT: DeltaKind = "zero vector"
_REFUSAL = "InvalidVector"


def change_what_is_there(stage: Stage) -> None:
    """Edit a label and a merchant, delete one receipt, delete and create another in one go; an open reader sees it."""
    stage.act(3, "A label and a merchant change, a receipt goes, another is deleted and created again")
    before = {collection: reader.version for collection, reader in stage.readers.items()}
    relabelled, moved, deleted, recreated = stage.receipts[:4]
    label = relabel(stage, relabelled, "STORE_NAME")
    other = next(one for one in MERCHANTS if one.name.upper() != (merchant_name(moved) or "").upper())
    written = stage.producer.change_merchant(moved, other)
    stage.replace(moved, written.receipt)
    stage.expect(lambda collection: shows_receipt(written, collection))
    gone = stage.producer.delete_receipt(deleted)
    stage.receipts.remove(deleted)
    stage.expect(lambda collection: shows_deletion(gone, collection))
    again = stage.producer.recreate(recreated, smudged(stage.extras[0]))
    stage.replace(recreated, again.receipt)
    stage.expect(lambda collection: shows_new_content(again, recreated, collection))
    stage.wait_visible("waiting until readers see all four changes")
    for collection, reader in stage.readers.items():
        _refresh(stage, reader, collection, before[collection])
        _check_label(stage, reader, stage.receipts[0], label, collection)
        _check_receipts(stage, reader, collection, [(deleted, 0), (again.receipt, again.receipt.records(collection))])
        names = {record.metadata.get("merchant_name") for record in _of_receipt(reader, written.receipt)}
        stage.claim(names == {merchant_name(written.receipt)}, f"every record to name {other.name}", names)
    stage.progress.table(
        "What readers see that were open all along",
        ("collection", "version before", "version after refresh", "records"),
        [(name, before[name], reader.version, reader.count()) for name, reader in stage.readers.items()],
    )


def refuse_a_corrupt_delta(stage: Stage) -> None:
    """Upload a corrupt delta among good ones, and later a good one for the same receipt."""
    stage.act(4, "One corrupt delta arrives among good ones")
    good, bad, more = stage.extras[1:4]
    kinds: list[tuple[Receipt, DeltaKind]] = [(good, "arrow"), (bad, _CORRUPT), (more, "tar")]
    uploads = [Upload(receipt, draw_uuid(stage.rng), kind) for receipt, kind in kinds]
    for written in stage.producer.put_receipts(uploads):
        stage.receipts.append(written.receipt)
        if written.receipt is not bad:
            stage.expect(lambda collection, written=written: shows_receipt(written, collection))  # type: ignore[misc]
    stage.wait_visible("waiting until the good ones are visible")
    corrupt = uploads[1].run_id
    rows = []
    for collection in COLLECTIONS:
        runs = stage.wait_for(f"a quarantined run in {collection}", lambda c=collection: stage.quarantined(c) or None)  # type: ignore[misc]
        stage.claim([run.run_id for run in runs] == [corrupt], f"only run {corrupt} in quarantine", runs)
        stage.claim(runs[0].error == _REFUSAL, f"it to be refused as {_REFUSAL}", runs[0])
        failed = [execution.name for execution in stage.executions(collection) if ending(execution) == "failed"]
        stage.claim(not failed, "no execution to fail because of it", failed)
        rows += [(collection, run.run_id, run.error, run.message) for run in runs]
        reader = stage.readers[collection]
        reader.refresh()
        counts = [(receipt, receipt.records(collection)) for receipt in (good, more)]
        _check_receipts(stage, reader, collection, [*counts, (bad, 0)])
    stage.progress.table("Quarantined; everything else is visible", ("collection", "run", "error", "message"), rows)
    healed = stage.producer.announce(bad)
    stage.expect(lambda collection: shows_receipt(healed, collection))
    stage.wait_visible("waiting for a good run of the same receipt")
    for collection, reader in stage.readers.items():
        reader.refresh()
        _check_receipts(stage, reader, collection, [(bad, bad.records(collection))])
        stage.claim(len(stage.quarantined(collection)) == 1, "the bad run to stay in quarantine", "it is gone")
    stage.progress.say(f"A good run made {bad.key} visible; the bad one waits for a person.")


def smudged(receipt: Receipt) -> Receipt:
    """The same receipt with a smudge over its first word: it has no record, and one that an old run brought must go."""
    line = receipt.line(1)
    first = replace(line.words[0], noise=True)
    return replace(receipt, lines=(replace(line, words=(first, *line.words[1:])), *receipt.lines[1:]))


def relabel(stage: Stage, receipt: Receipt, name: str) -> Label:
    """Relabel the receipt's first labelled word that has a record, and expect it to be seen. Returns the new label."""
    old = next(label for label in receipt.labels if not receipt.word(label.line_id, label.word_id).noise)
    written = stage.producer.relabel(receipt, old, name)
    stage.replace(receipt, written.receipt)
    label = written.receipt.labels[receipt.labels.index(old)]
    stage.expect(lambda collection: shows_label(written, label, collection))
    return label


def _refresh(stage: Stage, reader: SnapshotReader, collection: str, before: int) -> None:
    stage.claim(reader.version == before, f"a reader of {collection} to stay at {before} by itself", reader.version)
    stage.claim(
        reader.refresh() and reader.version > before, f"a version of {collection} after {before}", reader.version
    )


def _check_label(stage: Stage, reader: SnapshotReader, receipt: Receipt, label: Label, collection: str) -> None:
    (record,) = reader.records([record_of_word(receipt, label, collection)])
    names = record.metadata.get("valid_labels_array", [])
    stage.claim(label.label in str(names), f"{label.label} among the valid labels of {record.id}", names)


def _check_receipts(stage: Stage, reader: SnapshotReader, collection: str, counts: list[tuple[Receipt, int]]) -> None:
    for receipt, expected in counts:
        seen = len(_of_receipt(reader, receipt))
        stage.claim(seen == expected, f"{expected} records of {receipt.key} in {collection}", seen)


def _of_receipt(reader: SnapshotReader, receipt: Receipt) -> list[Any]:
    where = {"$and": [{"image_id": receipt.image_id}, {"receipt_id": receipt.receipt_id}]}
    return reader.records(where=where)
