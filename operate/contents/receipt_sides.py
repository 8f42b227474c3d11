"""One side of a comparison, receipt by receipt: where each has its records, and the records where they must be read."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from pathlib import Path

from receipt_chroma.records import Record
from receipt_chroma.shard.sqlite_files import SQLITE_FILE
from receipt_chroma.snapshot.manifest import ManifestShard
from receipt_chroma.snapshot.published_rows import ReceiptPlace, receipt_places
from receipt_chroma.snapshot.published_shard import PublishedShard
from receipt_chroma.storage.tree import INDEX_FILE

HomesOf = Callable[[str, Iterable[ManifestShard], Collection[str] | None], AbstractContextManager[Mapping[int, Path]]]
"""The collection's folders that have the files of shards, by number, while they are used: `ShardFiles.homes`."""

_TELL_PLACES = frozenset({INDEX_FILE})
_TELL_PLACES_PLAINLY = frozenset({SQLITE_FILE})


class Side:
    """Some shards of one version. A receipt is in one of them. Open until the stack is closed."""

    def __init__(self, collection: str, shards: Sequence[ManifestShard], homes_of: HomesOf, opened: ExitStack) -> None:
        self._collection = collection
        self._shards = shards
        self._homes_of = homes_of
        self._opened = opened
        self._places: dict[str, ReceiptPlace] = {}
        self._open: dict[int, PublishedShard] = {}

    def places(self) -> Mapping[str, ReceiptPlace]:
        """Where the records of each receipt are, by key. Brings the bases' indexes."""
        for names, plain in ((_TELL_PLACES, False), (_TELL_PLACES_PLAINLY, True)):
            shards = [shard for shard in self._shards if shard.is_plain == plain]
            bases = [replace(shard, segments=()) for shard in shards]  # the manifest tells what segments cover
            homes = self._opened.enter_context(self._homes_of(self._collection, bases, names))
            for shard in shards:
                self._places |= receipt_places(homes.get(shard.shard, Path()), self._collection, shard)
        return self._places

    def open(self, keys: Iterable[str]) -> None:
        """Open what has these receipts, among those that `places` knows: a base only where one is in it."""
        paths = {self._places[key].path for key in keys if key in self._places}
        for shard in self._shards:
            if not paths & {shard.path, *(segment.path for segment in shard.segments)}:
                continue
            wanted = shard if shard.path in paths else replace(shard, path=None, files=())
            homes = self._opened.enter_context(self._homes_of(self._collection, [wanted], None))
            published = PublishedShard.open(homes[shard.shard], self._collection, wanted)
            self._open[shard.shard] = self._opened.enter_context(published)

    def records(self, key: str) -> tuple[int, dict[str, Record]]:
        """The shard of a receipt that was opened, and its records by id; none of one that is not here."""
        place = self._places.get(key)
        return (place.shard, self._open[place.shard].records(key)) if place else (0, {})


def differing(older: Mapping[str, ReceiptPlace], newer: Mapping[str, ReceiptPlace]) -> list[str]:
    """The receipts that differ, or may, in order of their records' ids: their places differ, and no digest tells."""
    keys = [key for key in older.keys() | newer.keys() if not _same(older.get(key), newer.get(key))]
    return sorted(keys, key=lambda key: f"{key}#")


def _same(older: ReceiptPlace | None, newer: ReceiptPlace | None) -> bool:
    if older is None or newer is None:
        return False
    return older.path == newer.path or (older.digest is not None and older.digest == newer.digest)
