"""What an operator test says: let a producer change receipts, give commands, and ask the independent model."""

from __future__ import annotations

import json
import random
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from receipt_chroma.reader import SnapshotReader
from receipt_dynamo_stream.control.head import Head
from receipt_dynamo_stream.control.table import ControlTable

from console.cli.main import main
from local.demo.exporting import export_current
from local.demo.naive.model import Verdict, check_collection
from local.demo.naive.table import scan_receipts
from local.demo.samples.model import Receipt
from local.demo.samples.printing import Sizes
from local.demo.samples.producer import COLLECTIONS, Producer
from local.demo.samples.receipts import sample_receipts
from local.stack import LocalStack
from operate.connection import save_local

DIMENSION = 16
_SHORT = Sizes(rows=17, lines=27)


@dataclass(frozen=True)
class Said:
    """The exit code of a command, and what it said where."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        value = json.loads(self.out)
        assert isinstance(value, dict)
        return value


class Desk:
    """One emptied stack, its producer, eight sample receipts that nobody has written yet, and the command line."""

    def __init__(self, stack: LocalStack, capsys: pytest.CaptureFixture[str] | None = None) -> None:
        """Without `capsys` no command can be given."""
        self.stack = stack
        self._capsys = capsys
        self._names = stack.connection
        self._dynamodb, self._s3 = stack.client("dynamodb"), stack.client("s3")
        rng = random.Random(7)
        self.receipts = sample_receipts(rng, 8, datetime.now(UTC) - timedelta(minutes=10), _SHORT)
        self.producer = Producer(
            self._dynamodb,
            self._s3,
            table=self._names.receipts_table,
            bucket=self._names.bucket,
            dimension=DIMENSION,
            rng=rng,
        )

    @classmethod
    def at(cls, stack: LocalStack, folder: Path, patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
        """A desk in a folder where the commands find the stack, which is emptied."""
        stack.reset()
        patch.chdir(folder)
        save_local(stack.connection)
        return cls(stack, capsys)

    def run(self, *argv: str) -> Said:
        """Give a command; it must end with exit code 0."""
        said = self.try_to(*argv)
        assert said.code == 0, said
        return said

    def try_to(self, *argv: str) -> Said:
        """Give a command that may fail."""
        assert self._capsys is not None
        self._capsys.readouterr()
        code = main(argv)
        captured = self._capsys.readouterr()
        return Said(code, captured.out, captured.err)

    def write(self, *receipts: Receipt) -> None:
        """A producer writes receipts with good deltas."""
        self.producer.put_receipts(self.producer.plan_uploads(receipts))

    def settle_down(self) -> int:
        """Until the stream is read and nothing runs, and nothing is pending but of what is paused; words' version."""
        self.stack.poller.wait_caught_up(timeout=60)
        self.until(self._quiet, "the stack to settle down")
        return self.head().version

    def _quiet(self) -> bool:
        waiting = any(
            ControlTable(self._dynamodb, self._names.control_table).pending(collection).read()
            for collection in COLLECTIONS
            if self.head(collection).paused is None
        )
        return not waiting and not self.stack.executions.running

    @staticmethod
    def until(condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
        """Poll until the condition is true."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"waited {seconds} s for {what}"
            time.sleep(0.1)  # each look costs the stack as much as a step of an execution

    def head(self, collection: str = "words") -> Head:
        return ControlTable(self._dynamodb, self._names.control_table).head(collection).read() or Head(collection)

    def lose_control_table(self) -> None:
        """Every item of it."""
        for page in self._dynamodb.get_paginator("scan").paginate(TableName=self._names.control_table):
            for item in page["Items"]:
                key = {name: item[name] for name in ("PK", "SK")}
                self._dynamodb.delete_item(TableName=self._names.control_table, Key=key)

    def published(self, collection: str = "words") -> dict[str, tuple[str | None, dict[str, Any]]]:
        """Every record that a reader sees: id -> document and metadata."""
        with SnapshotReader(self.efs, collection) as reader:
            return {record.id: (record.document, dict(record.metadata)) for record in reader.records()}

    def verdict(self, collection: str = "words") -> Verdict:
        """What the independent model says of what is published, as an export of it has it."""
        exported = Path(tempfile.mkdtemp(dir=self.efs.parent, prefix=f"export-{collection}-"))
        export_current(self.efs, collection, exported)
        return check_collection(
            scan_receipts(self._dynamodb, self._names.receipts_table),
            self._s3,
            bucket=self._names.bucket,
            efs=self.efs,
            collection=collection,
            dimension=DIMENSION,
            exported=exported,
        )

    def versions(self) -> dict[int, dict[str, Any]]:
        """What `versions words` lists, by number."""
        listed = self.run("versions", "words", "--json").json["collections"]["words"]["versions"]
        return {version["version"]: version for version in listed}

    @property
    def efs(self) -> Path:
        return self.stack.efs
