"""What the tests of generations say besides: a second model of twice the dimension; what a generation should hold."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from receipt_chroma.snapshot.manifest import Manifest, load_manifest
from receipt_chroma.snapshot.published_shard import PublishedShard
from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.control.generations import Generations
from receipt_dynamo_stream.keys import ReceiptId, word_record_id
from receipt_dynamo_stream.reconcile import reconcile

from tests.pipeline.world import CREATED, DIMENSION, World, vector

MODEL = "model-b"
TWICE = 2 * DIMENSION

Content = dict[str, tuple[list[float], int]]
"""Vector and seed by record id."""


def should_be(receipts: Iterable[ReceiptId], *, seed: int = 1, times: int = 1) -> Content:
    """What World.announce puts into a delta, without knowing of generations, versions or shards."""
    return {
        word_record_id(receipt, 1, n + 1): (np.tile(vector(seed + n), times).tolist(), seed)
        for receipt in receipts
        for n in range(3)
    }


class GenerationWorld(World):
    def begin(self, dimension: int | None = TWICE) -> Generations:
        """What `compaction renew` does, without its words."""
        made = self.control.generations("words").begin(model=MODEL, dimension=dimension, shards=1, now=CREATED)
        reconcile(
            [self.control.pending("words-2")],
            receipts_table=self.names.receipts_table,
            now=CREATED,
            new_token=iter(map(str, range(10**9))).__next__,
        )
        return made

    def renewed(self, *receipts: ReceiptId, seed: int = 1) -> None:
        """Announce runs of the new model, and see them merged."""
        for receipt in receipts:
            self.announce(receipt, seed=seed, dimension=TWICE, words_model=MODEL)
        self.settle_down()

    def tick(self) -> None:
        """What the schedule starts, and all that this starts."""
        self.end_of(self.stack.schedule.trigger_now("words"))
        self.settle_down()

    @property
    def generations(self) -> Generations:
        return self.control.generations("words").read()

    def switch(self, generation: str, **more: object) -> str | None:
        return self.run(mode="switch", generation=generation, **more).outcome

    def manifest(self, generation: str) -> Manifest:
        pointer = self.head(generation).pointer
        assert pointer is not None
        return load_manifest(Bucket(self.s3, self.names.bucket), pointer)

    def content(self, generation: str) -> Content:
        """What the current version of a generation holds, read from the files on EFS."""
        records = []
        for shard in self.manifest(generation).shards:
            with PublishedShard.open(self.efs / generation, generation, shard) as published:
                records += [record for key in published.contents() for record in published.records(key).values()]
        return {one.id: (one.embedding.tolist(), int(str(one.metadata["seed"]))) for one in records}


def twice(seed: int) -> np.ndarray:
    """A vector of the second model."""
    return np.tile(vector(seed), 2)
