"""What a stage of one collection is when it changes hands between two releases of chromadb, as files in a folder.

Run as a program by a Python whose chromadb is another one: `publish FOLDER` begins there or goes on, with our own code,
`read FOLDER` says what a reader sees.
"""

import json
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import boto3
from moto import mock_aws
from receipt_chroma.folding import FoldBound
from receipt_chroma.reader import SnapshotReader
from receipt_chroma.shard.chroma_dir import chromadb_version
from receipt_dynamo_stream.control.head import Pointer
from receipt_dynamo_stream.facts import ReceiptFacts

from chroma_package.tests.samples import facts, label, receipt, run, word
from chroma_package.tests.world import World

BUCKET = "bucket"
WORDS = [(1, 1), (1, 2), (2, 1)]
SMALL = FoldBound(least=1000)
"""With it a change of some receipts is a segment; without it every change writes a base."""


def some_facts(world: World, number: int, name: str = "TOTAL") -> ReceiptFacts:
    """A receipt with three words and one label, which is in their metadata as an array; its delta is there."""
    of, announced = receipt(number), run(number % 27 + 1, prefix=f"delta/{number}/")
    world.upload(announced, [word(*one, seed=number * 10 + n, of=of) for n, one in enumerate(WORDS)])
    return facts(WORDS, of=of, runs=[announced], labels=[label(1, 1, name)])


def gone(number: int) -> ReceiptFacts:
    return facts([], of=receipt(number), exists=False)


def take(folder: Path) -> World:
    """The stage that lies in a folder, or a new one. An AWS in memory must be there."""
    s3 = boto3.client("s3", region_name="us-east-1")
    s3.create_bucket(Bucket=BUCKET)
    world = World(s3, BUCKET, folder)
    for path in (folder / BUCKET).rglob("*"):
        if path.is_file():
            world.store.put(path.relative_to(folder / BUCKET).as_posix(), path.read_bytes())
    if (folder / "head.json").exists():
        head = json.loads((folder / "head.json").read_text())
        world.pointer, world.fence = Pointer.from_json(head["pointer"]), head["fence"]
    return world


def leave(world: World, folder: Path) -> None:
    """Write down what is not on EFS, for whoever takes it."""
    for one in world.store.list(""):
        target = folder / BUCKET / one.key
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(world.store.read(one.key))
    assert world.pointer is not None
    (folder / "head.json").write_text(json.dumps({"pointer": world.pointer.to_json(), "fence": world.fence}))


def publish(folder: Path) -> None:
    """A base, another base made of it, and a segment over that."""
    with mock_aws():
        world = take(folder)
        first = 100 * (world.pointer.version if world.pointer else 0)
        world.publish(*(some_facts(world, first + number) for number in range(40)))
        world.publish(some_facts(world, first, "CHANGED"), gone(first + 1))
        world.bound = SMALL
        world.publish(some_facts(world, first + 40))
        world.verify()
        leave(world, folder)


def seen(folder: Path) -> dict[str, str]:
    """A digest of every record that a reader sees and of its nearest neighbours, by id."""
    with SnapshotReader(folder / "efs", "words") as reader:
        return {one.id: sha256(repr(parts(reader, one)).encode()).hexdigest() for one in reader.records()}


def parts(reader: SnapshotReader, one: Any) -> tuple[Any, ...]:
    nearest = [hit.id for hit in reader.nearest(one.embedding, 3)]
    return one.embedding.tobytes(), one.document, sorted(one.metadata.items()), nearest


if __name__ == "__main__":
    folder = Path(sys.argv[2])
    if sys.argv[1] == "publish":
        publish(folder)
    print(json.dumps({"chromadb": chromadb_version(), "seen": seen(folder)}))
