"""RetainedIsReadable: every version within retention opens and validates, whatever was published, lost, rolled back,
pinned and expired, and wherever an expiry crashed."""

import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from receipt_chroma.reader.open_files import OpenFiles
from receipt_chroma.reader.open_snapshot import open_snapshot
from receipt_chroma.snapshot.manifest import load_manifest
from receipt_chroma.snapshot.pointer import Current
from receipt_chroma.verify import verify_snapshot
from receipt_dynamo_stream.control.head import Pointer
from receipt_dynamo_stream.control.versions import EXPIRED
from receipt_dynamo_stream.invariants import retained_is_readable

from .retained import EVENTS, Collection
from .samples import run, vector, word
from .test_expire import History
from .world import World


def check(events: list[tuple[Any, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        collection = Collection(Path(folder))
        for event in events:
            collection.happen(event)
            for manifest in collection.must_be_readable():
                retained_is_readable(f"after {event} {manifest.snapshot_id}", collection.missing(manifest))
        if not collection.published:
            return
        collection.happen(("wait", 1000.0))
        for _ in range(2):  # the first marks, the second deletes
            collection.happen(("expire", 2))
            collection.happen(("wait", 2.0))
        on_efs, on_s3 = collection.stored()
        assert on_efs == on_s3 == collection.named_by_retained(), "what nobody needs stays for ever"
        for manifest in collection.must_be_readable():
            assert collection.missing(manifest) == []


TWO = [("publish", (0,)), ("publish", (0,)), ("wait", 50.0)]


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(EVENTS)
@example([*TWO, ("expire", 1), ("wait", 0.6), ("expire", 1)])  # marked, and not yet for an hour
@example([*TWO, ("expire", 1), ("wait", 1.5), ("crash", 1), ("roll back", 0), ("expire", 1)])
def test_retained_is_readable_after_any_history(events: list[tuple[Any, ...]]) -> None:
    check(events)


@pytest.mark.slow
@settings(max_examples=3_000, suppress_health_check=list(HealthCheck))
@given(EVENTS)
def test_retained_is_readable_in_thousands_of_histories(events: list[tuple[Any, ...]]) -> None:
    check(events)


@pytest.mark.slow
def test_retained_is_readable_with_real_chroma_over_many_publications(
    world: World, dynamodb: Any, control_table: str, tmp_path: Path
) -> None:
    world.upload(run(1), [word(1, 1)])
    history = History(world, dynamodb, control_table)
    pointers: list[Pointer] = []
    for number in range(24):
        history.publish(f"shop {number}")
        assert world.pointer is not None
        pointers.append(world.pointer)
        if number == 3:
            history.pin(history.rows()[-1])
        if number % 4 == 3:
            for hours in (24, 26):
                history.expire(keep=3, after=timedelta(hours=hours))
            kept = {row.snapshot_id for row in history.rows() if row.state != EXPIRED}
            assert kept == {one.snapshot_id for one in {*pointers[-3:], pointers[3]}}
            for pointer in (one for one in pointers if one.snapshot_id in kept):
                assert_readable(world, pointer, tmp_path)


def assert_readable(world: World, pointer: Pointer, folder: Path) -> None:
    verified = verify_snapshot(
        pointer=pointer,
        collection=world.collection,
        bucket=world.store,
        efs_root=world.efs,
        workdir=folder / "verify",
    )
    assert verified.records == 1
    files = OpenFiles(folder)
    opened = open_snapshot(
        Current.of(pointer), load_manifest(world.s3, world.bucket, pointer), files, world.folder.joinpath
    )
    (record,) = opened.records(opened.select())
    assert record.metadata["merchant_name"] == f"shop {pointer.version - 1}"
    assert [hit.id for hit in opened.nearest(vector(1).tolist(), 3)] == [record.id]
    opened.retire()
    assert opened.closed.is_set()
    files.close()
