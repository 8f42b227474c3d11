"""Which records a published version has, by receipt: from ids and texts alone, but for what lies in segments."""

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from receipt_chroma.derived import ROW_LINE_IDS, derived_keys
from receipt_chroma.shard.closed_shard import receipt_key_of
from receipt_chroma.shard.sqlite_files import SQLITE_FILE
from receipt_chroma.snapshot.manifest import Manifest
from receipt_chroma.snapshot.published_rows import PublishedRows

from operate.contents.contents import readable
from operate.contents.shard_files import ShardFiles

Served = dict[str, dict[str, tuple[int, ...]]]
"""Receipt key -> record id -> the lines of a row's record; none of another's."""

_AT_ONCE: Final = 2_000


def served_records(files: ShardFiles, manifest: Manifest) -> Served:
    """Every record of a version. Raises VersionUnreadable."""
    found: Served = {}
    with readable(manifest), files.homes(manifest.collection, manifest.shards, {SQLITE_FILE}) as homes:
        for shard in manifest.shards:
            if shard.shard not in homes:
                continue
            with PublishedRows.open(homes[shard.shard], manifest.collection, shard) as rows:
                for record_id, lines in _records(rows, manifest.collection):
                    found.setdefault(receipt_key_of(record_id), {})[record_id] = lines
    return found


def _records(rows: PublishedRows, collection: str) -> Iterator[tuple[str, tuple[int, ...]]]:
    if ROW_LINE_IDS not in derived_keys(collection):
        yield from ((record_id, ()) for record_id in rows.ids())
        return
    for some in _some(rows.ids()):
        for record_id, (_, metadata) in rows.texts(some).items():
            yield record_id, tuple(json.loads(str(metadata.get(ROW_LINE_IDS, "[]"))))


def _some(ids: Iterable[str]) -> Iterator[list[str]]:
    each = iter(ids)
    while some := list(islice(each, _AT_ONCE)):
        yield some
