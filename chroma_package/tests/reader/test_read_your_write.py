"""Read your own write, and how old the newest change is that is served."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from receipt_chroma import SnapshotReader, VersionNotServed
from receipt_dynamo_stream import RunRefused

from ..history import History, seconds
from ..samples import receipt, word
from .layers import Layers

RECEIPT = receipt(1)
MADE = datetime(2026, 2, 1, tzinfo=UTC)  # when the plans of the history were made


class Table:
    """A receipts table with one run in it, or none; `asked` is set by every read."""

    def __init__(self) -> None:
        self.item: dict[str, Any] | None = None
        self.asked = threading.Event()

    def get_item(self, *, TableName: str, Key: dict[str, Any], ConsistentRead: bool) -> Any:  # noqa: N803
        assert (TableName, ConsistentRead) == ("receipts", True)
        assert Key["SK"]["S"] == f"{RECEIPT.sk}#COMPACTION_RUN#run-1"
        item = self.item
        self.asked.set()
        return {} if item is None else {"Item": {**Key, **item}}

    def says(self, state: str, version: int | None = None, error: str = "") -> None:
        number = {"NULL": True} if version is None else {"N": str(version)}
        self.item = {"words_state": {"S": state}, "words_version": number, "words_error": {"S": error}}


@pytest.fixture
def table() -> Table:
    return Table()


@pytest.fixture
def reader(history: History) -> Iterator[SnapshotReader]:
    """A reader of version 2."""
    history.point(2)
    with history.reader() as reader:
        yield reader


def wait(reader: SnapshotReader, table: Any, timeout: float) -> int:
    return reader.wait_for(
        "run-1",
        image_id=RECEIPT.image_id,
        receipt_id=RECEIPT.receipt_id,
        receipts_table="receipts",
        dynamodb=table,
        timeout=seconds(timeout),
    )


def test_a_run_is_waited_for_until_it_is_merged_and_then_for_its_version(
    history: History, reader: SnapshotReader, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("receipt_chroma.reader.own_run._POLL_SECONDS", 0.01)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(wait, reader, table, 30)
        for state in (None, "PENDING"):
            if state:
                table.says(state)
            table.asked.clear()
            assert table.asked.wait(10)
        history.point(3)
        table.says("COMPLETED", 3)
        assert waiting.result(timeout=10) == 3
    assert reader.version == 3


def test_a_run_that_is_served_already_is_not_waited_for(reader: SnapshotReader, table: Table) -> None:
    for version in (1, 2, None):
        table.says("COMPLETED", version)
        assert wait(reader, table, 0) == 2


def test_a_run_that_was_refused_is_told_at_once(reader: SnapshotReader, table: Table) -> None:
    table.says("FAILED", error="DeltaCorrupt: no Arrow file")
    with pytest.raises(RunRefused, match=r"run-1 of .* was refused for words: DeltaCorrupt: no Arrow file"):
        wait(reader, table, 30)


def test_what_does_not_come_in_time_is_an_error_that_says_what_was_waited_for(
    reader: SnapshotReader, table: Table
) -> None:
    with pytest.raises(VersionNotServed, match=r"run run-1 of .* was not merged in 0 s"):
        wait(reader, table, 0)
    table.says("COMPLETED", 3)
    with pytest.raises(VersionNotServed, match="version 3 was not there"):
        wait(reader, table, 0)
    assert reader.version == 2


def test_freshness_is_the_age_of_the_newest_change_and_not_of_a_fold_or_rollback(tmp_path: Path) -> None:
    layers = Layers(tmp_path)
    made = ["2026-02-01T00:00:00+00:00", "2026-02-01T00:01:00+00:00", "2026-02-01T00:05:00+00:00"]
    layers.segment({RECEIPT: [word(1, 1, 1, of=RECEIPT)]}, made=made[0])
    with layers.reader(now=lambda: MADE.replace(minute=10)) as reader:
        assert reader.freshness_seconds == 600
        layers.segment({receipt(2): [word(1, 1, 2, of=receipt(2))]}, made=made[1])
        assert reader.freshness_seconds == 600, "nobody refreshed it"
        reader.refresh()
        assert reader.freshness_seconds == 540
        folded = layers.base(made=made[2])
        reader.refresh(folds=True)
        assert (reader.version, reader.freshness_seconds) == (folded.version, 540)
        parent = folded.parent
        assert parent is not None
        (layers.folder / f"manifests/{parent.snapshot_id}.json").unlink()
        assert reader.freshness_seconds == 300, "what it was folded from has expired: it is that old at least"


def test_freshness_after_a_rollback_is_that_of_what_was_rolled_back_to(history: History) -> None:
    history.point(5)  # which is 3 again
    with history.reader(now=lambda: MADE.replace(second=30)) as reader:
        assert (reader.version, reader.freshness_seconds) == (5, 30.0)
