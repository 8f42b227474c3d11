"""How far behind a reader is, and what it waits for, while generations switch."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from receipt_chroma import VersionNotServed
from receipt_chroma.reader import SnapshotReader

from ..history import seconds
from ..samples import receipt
from .generations import content, switch
from .layers import MADE, Layers

pytestmark = pytest.mark.usefixtures("mount")


def test_it_is_behind_from_the_switch_on_until_it_follows(words: Layers, newer: Layers) -> None:
    now = datetime.now(UTC) + timedelta(seconds=60)
    with words.reader(now=lambda: now) as reader:
        assert reader.behind_seconds == 0.0
        switch(newer, 1)
        assert 0.0 < reader.behind_seconds <= 61.0
        reader.refresh()
        assert reader.behind_seconds == 0.0
        made = datetime.fromisoformat(MADE)
        assert reader.freshness_seconds == (now - made).total_seconds()
        later = made + timedelta(hours=1)
        newer.segment(content(500, 3), made=later.isoformat())
        assert reader.behind_seconds == (now - later).total_seconds()
        reader.refresh()
        assert reader.freshness_seconds == (now - later).total_seconds()


def test_a_version_is_waited_for_in_what_is_served_or_in_the_generation_that_is_named(
    words: Layers, newer: Layers, reader: SnapshotReader
) -> None:
    for number in range(3, 6):
        words.segment(content(0, number))
    reader.refresh(min_version=4, of="words", timeout=seconds(0))
    with pytest.raises(VersionNotServed, match="words: version 1 of words-2 was not there in 0 s, version 4 is served"):
        reader.refresh(min_version=1, of="words-2", timeout=seconds(0))
    switch(newer, 1)
    assert reader.refresh(min_version=1, of="words-2", timeout=seconds(0)) is True
    with pytest.raises(VersionNotServed, match=r"words-2: version 4 was not there in 0 s, version 1 is served"):
        reader.refresh(min_version=4, timeout=seconds(0))


class Table:
    """A receipts table with one run, which was merged in this generation."""

    def __init__(self, generation: str, version: int) -> None:
        named = {} if generation == "words" else {"words_generation": {"S": generation}}
        self.item = {"words_state": {"S": "COMPLETED"}, "words_version": {"N": str(version)}, **named}

    def get_item(self, *, Key: dict[str, Any], **_: Any) -> Any:  # noqa: N803
        return {"Item": {**Key, **self.item}}


def wait(reader: SnapshotReader, table: Any, timeout: float) -> int:
    at = receipt(1)
    return reader.wait_for(
        "run-1",
        image_id=at.image_id,
        receipt_id=at.receipt_id,
        receipts_table="receipts",
        dynamodb=table,
        timeout=seconds(timeout),
    )


def test_a_run_of_another_generation_is_waited_for_until_that_serves(
    words: Layers, newer: Layers, reader: SnapshotReader
) -> None:
    assert wait(reader, Table("words", 1), 0) == 1
    with pytest.raises(VersionNotServed, match="words: version 1 of words-2 was not there"):
        wait(reader, Table("words-2", 1), 0)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(wait, reader, Table("words-2", 1), 30)
        switch(newer, 1)
        assert waiting.result(60) == 1
    assert reader.generation == "words-2"
    with pytest.raises(VersionNotServed, match="words-2: version 1 of words was not there"):
        wait(reader, Table("words", 1), 0)
