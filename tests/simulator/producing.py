"""What producers and people do to the receipts table, in the table and in the naive model; and its stream."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import numpy as np
from receipt_chroma.delta.arrow import encode_arrow
from receipt_chroma.delta.read import DeltaRecord

from .model import ADDED, Receipt, Run, vector_of
from .world import Machine

Item = dict[str, Any]


class Producer:
    """`stream`: the records that the stream function has not had yet, in order; `told`: all that there were."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.receipts: dict[str, Receipt] = {}
        self.stream: list[dict[str, Any]] = []
        self.told: list[dict[str, Any]] = []
        self.items: dict[tuple[str, str], Item] = {}
        self.records = self.runs = 0

    def create(self, name: str, words: int = 2) -> Receipt:
        """A receipt with one line of words, and no run yet. One that is there gets the words that it lacks."""
        receipt = self.receipts.setdefault(name, Receipt(name))
        receipt.exists = True
        receipt.words |= set(range(1, words + 1))
        self._put(receipt, "", TYPE="RECEIPT", timestamp_added=ADDED)
        self._put(receipt, "#LINE#00001", TYPE="RECEIPT_LINE")
        for word in range(1, words + 1):
            self._put(receipt, f"#LINE#00001#WORD#{word:05d}", TYPE="RECEIPT_WORD")
        return receipt

    def announce(self, name: str, at: str | None = None, model: str = "") -> None:
        """A new run with a new text for every word; each is later than all before, unless it is said when.

        model: another embedding model's, for a later generation of `words`, which the naive model knows nothing of.
        """
        receipt = self.receipts[name]
        self.runs += 1
        run_id = str(UUID(int=self.runs, version=4))
        run = Run(
            at or f"2026-01-02T00:00:00.{self.runs:06d}+00:00",
            run_id,
            {w: f"{name} {w} of {self.runs}" for w in receipt.words},
        )
        if not model:
            receipt.runs.append(run)
        for collection, ids in (("lines", {}), ("words", run.texts)):
            found = [
                DeltaRecord(
                    f"{receipt.key}#LINE#00001#WORD#{w:05d}", np.array(vector_of(t), np.float32), t, {"said": t}
                )
                for w, t in ids.items()
            ]
            if collection == "lines":
                text = f"{name} of {self.runs}"
                found = [DeltaRecord(f"{receipt.key}#LINE#00001", np.array(vector_of(text), np.float32), text, {})]
            key = f"{collection}/delta/{run_id}/delta.arrow"
            self.machine.s3.put_object(Bucket="bucket", Key=key, Body=encode_arrow(found))
        self._put(
            receipt,
            f"#COMPACTION_RUN#{run_id}",
            TYPE="COMPACTION_RUN",
            run_id=run_id,
            image_id=receipt.image,
            receipt_id=receipt.number,
            lines_delta_prefix=f"lines/delta/{run_id}/",
            words_delta_prefix=f"words/delta/{run_id}/",
            lines_state="PENDING",
            words_state="PENDING",
            lines_merged_vectors=0,
            words_merged_vectors=0,
            created_at=run.created_at,
            **({"words_model": model} if model else {}),
        )

    def label(self, name: str, word: int, label: str, status: str | None) -> None:
        """Set a word's label, or take it away."""
        receipt = self.receipts[name]
        labels = receipt.labels.setdefault(word, {})
        suffix = f"#LINE#00001#WORD#{word:05d}#LABEL#{label}"
        if status is None:
            labels.pop(label, None)
            self._remove(receipt, suffix)
        else:
            labels[label] = status
            values = {"label": label, "validation_status": status, "timestamp_added": ADDED}
            self._put(receipt, suffix, TYPE="RECEIPT_WORD_LABEL", **values)

    def place(self, name: str, merchant: str) -> None:
        """Say whose receipt it is."""
        self.receipts[name].merchant = merchant
        self._put(self.receipts[name], "#PLACE", TYPE="RECEIPT_PLACE", merchant_name=merchant)

    def remove_word(self, name: str, word: int) -> None:
        """A word goes."""
        self.receipts[name].words.discard(word)
        self._remove(self.receipts[name], f"#LINE#00001#WORD#{word:05d}")

    def delete(self, name: str) -> None:
        """The receipt's own item goes."""
        self.receipts[name].exists = False
        self._remove(self.receipts[name], "")

    # -- the table and its stream

    def _put(self, receipt: Receipt, suffix: str, **values: str | int) -> None:
        key = self._key(receipt, suffix)
        texts = {n: {"S": v} if isinstance(v, str) else {"N": str(v)} for n, v in values.items()}
        item = {"PK": {"S": key[0]}, "SK": {"S": key[1]}, **texts}
        self.machine.dynamodb.put_item(TableName="receipts", Item=item)
        self._record("MODIFY" if key in self.items else "INSERT", key, self.items.get(key), item)
        self.items[key] = item

    def _remove(self, receipt: Receipt, suffix: str) -> None:
        key = self._key(receipt, suffix)
        if (old := self.items.pop(key, None)) is not None:
            self.machine.dynamodb.delete_item(TableName="receipts", Key={"PK": old["PK"], "SK": old["SK"]})
            self._record("REMOVE", key, old, None)

    @staticmethod
    def _key(receipt: Receipt, suffix: str) -> tuple[str, str]:
        return f"IMAGE#{receipt.image}", f"RECEIPT#{receipt.number:05d}{suffix}"

    def _record(self, event: str, key: tuple[str, str], old: Item | None, new: Item | None) -> None:
        self.records += 1
        images: dict[str, Mapping[str, Any]] = {}
        if old is not None:
            images["OldImage"] = old
        if new is not None:
            images["NewImage"] = new
        self.told.append(
            {
                "eventID": f"record-{self.records}",
                "eventName": event,
                "eventSource": "aws:dynamodb",
                "awsRegion": "us-east-1",
                "dynamodb": {
                    "ApproximateCreationDateTime": self.machine.scheduler.now.timestamp(),
                    "Keys": {"PK": {"S": key[0]}, "SK": {"S": key[1]}},
                    "SequenceNumber": str(self.records),
                    "StreamViewType": "NEW_AND_OLD_IMAGES",
                    **images,
                },
            }
        )
        self.stream.append(self.told[-1])
