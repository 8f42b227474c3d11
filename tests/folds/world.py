"""What the tests of folds say besides: what a version's shard is made of, and what it should hold by a naive model."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from receipt_chroma.snapshot.manifest import Manifest, ManifestShard, load_manifest
from receipt_chroma.snapshot.published_shard import PublishedShard
from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.keys import ReceiptId, word_record_id

from tests.pipeline.world import World, vector

Content = dict[str, tuple[list[float], str | None, Any]]
"""Vector, document and the producer's own metadata by record id."""


def should_be(receipts: Iterable[ReceiptId], words: int = 3, seed: int = 1) -> Content:
    """What World.announce puts into a delta, without knowing of versions, bases or segments."""
    return {
        word_record_id(receipt, 1, n + 1): (vector(seed + n).tolist(), f"text {n}", seed)
        for receipt in receipts
        for n in range(words)
    }


class FoldWorld(World):
    """A stack with a small fold bound; one shard a collection, until a test re-shards it."""

    def manifest(self, collection: str = "words") -> Manifest:
        """The manifest that HEAD names."""
        pointer = self.head(collection).pointer
        assert pointer is not None
        return load_manifest(Bucket(self.s3, self.names.bucket), pointer)

    def shard(self, collection: str = "words") -> ManifestShard:
        (shard,) = self.manifest(collection).shards
        return shard

    def content(self, collection: str = "words") -> Content:
        """What base and segments of the current version hold, read from the files on EFS."""
        records = []
        for shard in self.manifest(collection).shards:
            with PublishedShard.open(self.efs / collection, collection, shard) as published:
                records += [record for key in published.contents() for record in published.records(key).values()]
        return {r.id: (r.embedding.tolist(), r.document, r.metadata.get("seed")) for r in records}

    def published_beside(self, *receipts: ReceiptId) -> None:
        """Bring receipts into the snapshots while one execution is frozen."""
        for receipt in receipts:
            self.put_receipt(receipt)
            self.announce(receipt)
        self.stack.poller.wait_caught_up(timeout=60)
        self.until(self._only_one_runs, "everything but one execution to end")

    def _only_one_runs(self) -> bool:
        running = len(self.stack.executions.running)
        return running == 1 and not any(self.pending(collection) for collection in ("lines", "words"))

    def modes(self) -> list[tuple[str, str | None]]:
        """(mode, outcome) of every execution of `words` so far, oldest first."""
        found = self.stack.executions.find("words")
        return [(each.input.get("mode", "compact"), each.outcome) for each in found]

    def folds(self) -> list[str | None]:
        """The outcomes of the folds so far."""
        return [outcome for mode, outcome in self.modes() if mode == "fold"]
