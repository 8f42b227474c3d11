"""One shard of a published version that heals while it is read: what is damaged on EFS is fetched again, once."""

import logging
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Self, TypeVar

from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.round.report import ReceiptContent

from receipt_chroma.errors import SnapshotDamaged
from receipt_chroma.records import Record
from receipt_chroma.snapshot.download import repair_shard
from receipt_chroma.snapshot.manifest import ManifestShard
from receipt_chroma.snapshot.published_shard import DAMAGED, PublishedShard
from receipt_chroma.storage.files import storage_errors
from receipt_chroma.storage.tree import collection_folder

T = TypeVar("T")

logger = logging.getLogger(__name__)


class RepairedShard:
    """A PublishedShard that is put right from S3 when its files on EFS are not those of the manifest.

    `private`: the root of a tree of one's own. Who may not write to EFS gives one: files are fetched into that, and
    EFS stays as it is, for the next merge to mend. A context manager, for one thread. Every method raises
    SnapshotDamaged when S3 does not have them either, StorageUnavailable, TransientServiceError.
    """

    def __init__(
        self, shard: ManifestShard, collection: str, *, bucket: Bucket, efs_root: Path, private: Path | None = None
    ) -> None:
        self._shard, self._collection = shard, collection
        self._bucket, self._root, self._mended_root = bucket, efs_root, private or efs_root
        self._opened = ExitStack()
        self._now: PublishedShard | None = None

    def content(self, key: str) -> ReceiptContent:
        return self._ask(lambda shard: shard.content(key))

    def proved_content(self, key: str) -> ReceiptContent:
        return self._ask(lambda shard: shard.proved_content(key))

    def records(self, key: str) -> dict[str, Record]:
        return self._ask(lambda shard: shard.records(key))

    def contents(self) -> dict[str, ReceiptContent]:
        return self._ask(lambda shard: shard.contents())

    def overlay(self) -> dict[str, tuple[Record, ...]]:
        return self._ask(lambda shard: shard.overlay())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def _ask(self, question: Callable[[PublishedShard], T]) -> T:
        try:
            return self._answer(question)
        except DAMAGED as error:
            logger.warning("a published shard is damaged on EFS; it is fetched again", extra={"error": str(error)})
            self._opened.close()
            self._now = None
            self._root = self._mended_root
            repair_shard(self._bucket, self._root, self._collection, self._shard)
        try:
            return self._answer(question)
        except DAMAGED as error:
            raise SnapshotDamaged(
                f"shard {self._shard.shard} has the files of its manifest, and yet: {error}"
            ) from error

    def _answer(self, question: Callable[[PublishedShard], T]) -> T:
        with storage_errors():
            if self._now is None:
                folder = collection_folder(self._root, self._collection)
                opening = PublishedShard.open(folder, self._collection, self._shard)
                self._now = self._opened.enter_context(opening)
            return question(self._now)
