"""Two generations of `words`, one of which serves."""

from receipt_chroma.reader import SnapshotReader
from receipt_chroma.records import Record
from receipt_chroma.snapshot.serving import Serving, swap_serving
from receipt_dynamo_stream.keys import ReceiptId

from ..samples import receipt, word
from .layers import Layers

MODEL = "embed-3"
COUNT = 3


def content(seed: int, *numbers: int) -> dict[ReceiptId, list[Record]]:
    return {
        receipt(number): [word(1, w, seed + number * 10 + w, of=receipt(number)) for w in range(1, COUNT + 1)]
        for number in numbers
    }


def switch(layers: Layers, order: int) -> None:
    """Let this generation serve."""
    assert swap_serving(layers.efs, "words", Serving(layers.generation, order))


def vectors(reader: SnapshotReader) -> dict[str, bytes]:
    return {record.id: record.embedding.tobytes() for record in reader.records()}


def should_be(layers: Layers) -> dict[str, bytes]:
    return {record.id: record.embedding.tobytes() for record in layers.records}


def served(reader: SnapshotReader) -> tuple[str, str, int]:
    return reader.generation, reader.model, reader.version
