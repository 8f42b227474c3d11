"""Level 1: what a stack does, seen from outside. Each part is a function that yields rows and removes what it made."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

from botocore.exceptions import BotoCoreError, ClientError
from receipt_dynamo_stream.errors import CompactionError

from operate.conform.probes import (
    cold_and_warm,
    executions,
    file_system,
    iam,
    readers,
    seeded_base,
    status_events,
    stream,
    tables,
)
from operate.conform.probes.deployed import Deployed
from operate.conform.probes.errors import ProbesNotTaken
from operate.conform.probes.instances import instances
from operate.conform.probes.life import probe_collection
from operate.conform.probes.told import Told, answers_of
from operate.conform.rows import Row
from operate.stack import Stack

_FAILURES = (BotoCoreError, ClientError, CompactionError, OSError)


def probe_rows(stack: Stack, records: int) -> Iterator[Row]:
    """Every part's rows, as they come; records: of the seeded base. Close the iterator to end early: what was made is
    removed in any case.

    A probe that cannot come to its end is a row that is broken, and the next part goes on. Raises ProbesNotTaken and
    ProbesTaken before anything is made, and what boto3 raises for a stack that cannot be reached.
    """
    if stack.connection.probe_function is None:
        raise ProbesNotTaken("this stack takes no probes: deploy it with `-c probe=on`")
    whose, unique, deployed = answers_of(stack), stack.new_unique(), Deployed(stack)
    with ExitStack() as made:
        asked = made.enter_context(instances(stack, unique))
        collection = made.enter_context(probe_collection(stack, asked))
        left = asked.begin("leave")
        parts: list[tuple[str, Callable[[Told], Iterator[Row]]]] = [
            (iam.PART, lambda told: iam.rows(deployed, told)),
            (file_system.PART, lambda told: file_system.rows(asked, told)),
            (tables.PART, lambda told: tables.rows(collection, told)),
            (executions.PART, lambda told: executions.rows(stack, collection, told)),
            (stream.PART, lambda told: stream.rows(collection, told)),
            (status_events.PART, lambda told: status_events.rows(collection, deployed, told)),
            (cold_and_warm.PART, lambda told: cold_and_warm.rows(collection, deployed, told)),
            (readers.PART, lambda told: readers.rows(collection, asked, told)),
            (file_system.PART, lambda told: file_system.tmp_rows(asked, left, told)),
            (seeded_base.PART, lambda told: seeded_base.rows(collection, deployed, told, records)),
        ]
        for part, rows in parts:
            yield from _to_its_end(Told(part, whose), rows)


def _to_its_end(told: Told, rows: Callable[[Told], Iterator[Row]]) -> Iterator[Row]:
    try:
        yield from rows(told)
    except _FAILURES as error:
        yield told.judged(
            "the rest of this part", "every probe comes to its end", f"{type(error).__name__}: {error}", False
        )
