"""Readers: versions that come under an open one, files that go, and the bucket alone.

On AWS, estimated: a few invocations and a few hundred requests of S3; less than a cent.
"""

import tempfile
from collections.abc import Iterator
from typing import Any, Final

from receipt_chroma.reader import SnapshotReader
from receipt_dynamo_stream.generations import collection_of
from receipt_dynamo_stream.probe import PROBE_GENERATION

from operate.conform.probes.collection import ProbeCollection
from operate.conform.probes.instances import Answer, Instances
from operate.conform.probes.told import Told
from operate.conform.rows import Row

PART: Final = "Readers"
WORDS: Final = 3
_SECONDS: Final = 100.0


def rows(collection: ProbeCollection, instances: Instances, told: Told) -> Iterator[Row]:
    """The part's rows."""
    _publish(collection)
    collection.run("fold", all=True)
    head = collection.head
    records = _records(collection)
    with collection.waiting(collection.new_receipts(), WORDS):
        following = instances.begin("follow", name="moves", versions=head.version + 1, seconds=_SECONDS)
        instances.ask("wait", name="moves.ready")
    collection.run()
    yield moves(told, following.result(), (head.version, records), (collection.head.version, records + WORDS))
    yield from_the_bucket(told, _bucket(collection), (collection.head.version, records + WORDS))
    collection.run("fold", all=True)
    before = collection.head.version
    with collection.waiting(collection.new_receipts(), WORDS):  # or what comes would be removed with what is there
        expired = instances.begin("expired", name="gone", versions=before + 1, seconds=_SECONDS)
        instances.ask("wait", name="gone.ready")
    collection.run()
    yield goes(told, expired.result(), (before, records + WORDS), (before + 1, records + 2 * WORDS))


def _publish(collection: ProbeCollection) -> None:
    collection.put_aside(collection.new_receipts(), WORDS)
    collection.run()
    collection.quiet()


def _records(collection: ProbeCollection) -> int:
    return _bucket(collection)[1]


def _bucket(collection: ProbeCollection) -> tuple[int, int]:
    """Version and records that a reader of the bucket sees from here."""
    root, name = f"s3://{collection.stack.connection.bucket}/snapshots", collection_of(PROBE_GENERATION)
    with (
        tempfile.TemporaryDirectory(prefix="conform-") as cache,
        SnapshotReader(
            root, name, generation=PROBE_GENERATION, cache_dir=cache, s3=collection.stack.connection.client("s3")
        ) as reader,
    ):
        return reader.version, reader.count()


def moves(told: Told, followed: Answer, first: tuple[int, int], then: tuple[int, int]) -> Row:
    """A reader was open in an instance while a version came: (version, records) that it answered."""
    answers = [tuple(one) for one in followed["answers"]]
    return told.judged(
        "a version comes under an open reader of EFS",
        f"(version, records) {first}, then {then}, and nothing else",
        ", then ".join(map(str, answers)),
        answers == [first, then] and followed["fallback"] is None,
    )


def goes(told: Told, expired: Answer, first: tuple[int, int], then: tuple[int, int]) -> Row:
    """The files of an open reader were removed, as expiry removes what nobody may need any more."""
    version, records = first
    answered = expired["after"]
    whole = answered == f"{version} {records} {records}"
    by_name = answered[:1].isalpha()  # an error's name, or errno's
    seen: tuple[Any, ...] = tuple(expired["before"]), answered, tuple(expired["then"])
    return told.judged(
        "the files of an open reader expire, and a version comes",
        f"{first}; then all of it or an error by name; then {then}",
        "; then ".join(map(str, seen)),
        seen[0] == first and (whole or by_name) and seen[2] == then,
    )


def from_the_bucket(told: Told, seen: tuple[int, int], published: tuple[int, int]) -> Row:
    """A reader outside the VPC, with the bucket alone."""
    return told.judged(
        "a reader of the bucket alone, from here",
        f"(version, records) {published}",
        seen,
        seen == published,
    )
