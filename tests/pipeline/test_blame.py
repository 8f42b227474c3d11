"""Who pays when merges fail: nobody in an outage, and only the receipt that kills its merge."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from moto.s3.models import S3Backend
from receipt_dynamo_stream.keys import ReceiptId

from .test_faults import quarantined
from .world import World, word_ids

A, B = ReceiptId("aaaa", 1), ReceiptId("bbbb", 1)


@pytest.fixture
def quiet(world: World) -> Iterator[World]:
    """The stack without its stream: a test marks and starts what it wants."""
    world.stack.poller.pause()
    yield world
    world.stack.poller.resume()


@contextmanager
def at_read(act: Callable[[str], None]) -> Iterator[None]:
    """Call `act` with the key of every object that somebody reads."""
    original = S3Backend.get_object

    def get_object(self: S3Backend, *args: Any, **kwargs: Any) -> Any:
        act(str(kwargs["key_name"] if "key_name" in kwargs else args[1]))
        return original(self, *args, **kwargs)

    S3Backend.get_object = get_object
    try:
        yield
    finally:
        S3Backend.get_object = original


def killing(world: World, run_id: str = "") -> Callable[[str], None]:
    """Kills a merge that reads the run's delta, or any merge as soon as it reads its plan."""

    def kill(key: str) -> None:
        if run_id in key and (run_id or key.startswith("plans/")):
            for worker in world.stack.workers.in_flight("MergeDeltas"):
                with suppress(ProcessLookupError):
                    os.kill(worker.pid, signal.SIGKILL)

    return kill


def new_receipts(world: World, number: int) -> dict[ReceiptId, str]:
    """Receipts with a run each, marked and not yet merged."""
    receipts = [ReceiptId(f"image-{place:03d}", 1) for place in range(number)]
    runs = {}
    for receipt in receipts:
        world.put_receipt(receipt)
        runs[receipt] = world.announce(receipt)
        world.mark(receipt)
    return runs


def words_state(world: World, receipt: ReceiptId, run_id: str) -> str:
    return str(world.run_item(receipt, run_id)["words_state"]["S"])


@pytest.mark.slow
def test_an_outage_of_the_file_system_quarantines_nothing(quiet: World) -> None:
    (receipt, run_id), *_ = new_receipts(quiet, 1).items()
    folder, aside = quiet.efs / "words", quiet.efs / "words.aside"
    if folder.exists():
        folder.rename(aside)
    folder.write_text("a file where a folder was")
    try:
        for _ in range(8):
            assert quiet.run().status != "SUCCEEDED"
    finally:
        folder.unlink()
        if aside.exists():
            aside.rename(folder)
    assert quarantined(quiet) == {}
    assert words_state(quiet, receipt, run_id) == "PENDING"
    assert quiet.run().outcome == "published"
    assert quiet.ids() == word_ids(receipt)
    assert words_state(quiet, receipt, run_id) == "COMPLETED"


@pytest.mark.slow
def test_kills_from_outside_leave_a_published_receipt_as_it_is_and_its_edit_is_published_after_them(
    quiet: World,
) -> None:
    (receipt, run_id), *_ = new_receipts(quiet, 1).items()
    assert quiet.run().outcome == "published"
    version = quiet.head().version
    label = f"{receipt.sk}#LINE#00001#WORD#00001#LABEL#TOTAL"
    quiet.put_items(
        {
            "PK": {"S": receipt.pk},
            "SK": {"S": label},
            "TYPE": {"S": "RECEIPT_WORD_LABEL"},
            "validation_status": {"S": "VALID"},
        }
    )
    quiet.mark(receipt)
    with at_read(killing(quiet)):
        for _ in range(3):  # 27 of them are in the stream package's tests
            assert quiet.run().error == "Runtime.ExitError"
    assert words_state(quiet, receipt, run_id) == "COMPLETED"
    assert quarantined(quiet) == {}
    assert (quiet.ids(), quiet.head().version) == (word_ids(receipt), version)
    assert quiet.run().outcome == "published"
    assert (quiet.ids(), quiet.head().version) == (word_ids(receipt), version + 1)
    assert quiet.pending() == []


def run_until_nothing_waits(world: World, at_most: int) -> list[str]:
    """The errors of the executions that failed."""
    errors = []
    for _ in range(at_most):
        ended = world.run()
        if ended.error is not None:
            errors.append(ended.error)
        elif not world.pending():
            return errors
    raise AssertionError(f"still pending after {at_most} executions: {world.pending()}")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_receipt_that_kills_its_merge_is_the_only_one_quarantined_and_the_others_go_in_halves(quiet: World) -> None:
    runs = new_receipts(quiet, 4)
    guilty = sorted(runs)[1]
    before = quiet.head().version if quiet.control.head("words").read() else 0
    with at_read(killing(quiet, runs[guilty])):
        errors = run_until_nothing_waits(quiet, 12)
    assert set(errors) == {"Runtime.ExitError"}
    assert quarantined(quiet) == {runs[guilty]: "MergeKeepsFailing"}
    assert words_state(quiet, guilty, runs[guilty]) == "FAILED"
    assert quiet.ids() == {one for receipt in runs if receipt != guilty for one in word_ids(receipt)}
    assert quiet.head().version - before <= 3


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_good_run_that_comes_while_the_guilty_one_of_its_receipt_is_blamed_is_published(quiet: World) -> None:
    runs = new_receipts(quiet, 2)
    guilty = sorted(runs)[0]
    with at_read(killing(quiet, runs[guilty])):
        while not any(one.attempts for one in quiet.pending()):
            quiet.run()
        good = quiet.announce(guilty, seed=7, created_at="2026-01-01T00:00:02+00:00")
        quiet.mark(guilty)
        run_until_nothing_waits(quiet, 12)
    assert quarantined(quiet) == {runs[guilty]: "MergeKeepsFailing"}
    assert words_state(quiet, guilty, good) == "COMPLETED"
    assert quiet.ids() == {one for receipt in runs for one in word_ids(receipt)}


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("outage", [False, True])
@pytest.mark.parametrize("number", [20, 40])
def test_among_many_the_guilty_is_the_only_one_quarantined_with_and_without_an_outage_around(
    quiet: World, number: int, outage: bool
) -> None:
    runs = new_receipts(quiet, number)
    guilty = sorted(runs)[number // 3]
    if outage:
        with at_read(killing(quiet)):
            for _ in range(6):
                assert quiet.run().error is not None
    with at_read(killing(quiet, runs[guilty])):
        if outage:
            quiet.run()
            with at_read(killing(quiet)):
                for _ in range(3):
                    quiet.run()
        run_until_nothing_waits(quiet, 40)
    assert quarantined(quiet) == {runs[guilty]: "MergeKeepsFailing"}
    assert quiet.ids() == {one for receipt in runs if receipt != guilty for one in word_ids(receipt)}
    assert quiet.run().outcome == "nothing_pending"
