"""A shard of forty words, and what is expected of it."""

from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from receipt_chroma.digests import add_digests
from receipt_chroma.records import Record, content_of, record_hash
from receipt_chroma.shard.checks import Expected
from receipt_chroma.shard.hnsw_files import read_elements, read_header, read_labels, rows_by_id
from receipt_chroma.shard.index import write_index
from receipt_dynamo_stream.round.plan import Plan
from receipt_dynamo_stream.round.report import ShardReport

from ..chroma_files import chroma_directory
from ..samples import DIMENSION, word
from ..world import World

WORDS = [(line, number) for line in range(1, 6) for number in range(1, 9)]
RECORDS = [word(line, number) for line, number in WORDS]


def index(folder: Path, records: list[Record]) -> None:
    """Index a directory as a merge does."""
    of_receipt: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        of_receipt[record.id.partition("#LINE#")[0]].append(record)
    rows = {}
    for part in folder.glob("*/index_metadata.pickle"):
        rows = rows_by_id(read_labels(part.parent), read_elements(part.parent, read_header(part.parent)))
    write_index(folder, [content_of(*one) for one in of_receipt.items()], rows)


def expected_of(records: list[Record], /, **changes: Any) -> Expected:
    good = Expected(
        collection="words",
        shard=0,
        shards=1,
        records=len(records),
        tombstones=0,
        digest=add_digests(*(record_hash(record) for record in records)),
        dimension=DIMENSION if records else None,
    )
    return replace(good, **changes)


def segment(shard: Path) -> Path:
    (found,) = (path.parent for path in shard.glob("*/header.bin"))
    return found


def made(folder: Path, records: list[Record], **options: Any) -> Path:
    chroma_directory(folder, records, **{"sync_threshold": 1, **options})
    index(folder, records)
    return folder


@dataclass
class Staged:
    """A staged shard and what is needed to validate it."""

    world: World
    plan: Plan
    report: ShardReport

    @property
    def folder(self) -> Path:
        assert self.report.staged is not None
        return self.world.folder / self.report.staged.path

    def validate(self, **options: Any) -> Any:
        return self.world.validate(self.plan, self.report, **options)
