"""Bases and segments over them, published by hand: any content in any order, without the steps that write them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from receipt_chroma.reader import SnapshotReader
from receipt_chroma.records import Record, add_digests, content_of
from receipt_chroma.segment.content import Segment
from receipt_chroma.segment.file import encode_segment
from receipt_chroma.shard.chroma_dir import ChromaDir
from receipt_chroma.snapshot.manifest import FOLD, MERGE, Manifest, ManifestSegment, ManifestShard
from receipt_chroma.snapshot.pointer import swap_pointer
from receipt_chroma.storage.files import file_names, sha256_file, sha256_of, write_atomically
from receipt_chroma.storage.tree import manifest_path, segment_path, shard_path
from receipt_dynamo_stream.control.head import snapshot_id_of
from receipt_dynamo_stream.keys import ReceiptId
from receipt_dynamo_stream.round.report import FileEntry
from receipt_dynamo_stream.sharding import shard_of

from ..samples import DIMENSION
from .mounts import open_reader

MADE = "2026-02-01T00:00:00+00:00"
Receipts = Mapping[ReceiptId, Sequence[Record]]


class Layers:
    """A generation of `words`, of some shards. Every call publishes a version; `content` is what that must have."""

    def __init__(self, folder: Path, shards: int = 1, *, generation: str = "words", model: str = "") -> None:
        self.generation = generation
        self.model = model
        self.efs = folder / "efs"
        self.cache = folder / "cache"
        self.content: dict[ReceiptId, list[Record]] = {}
        self._shards = [ManifestShard(number) for number in range(shards)]
        self.manifest: Manifest | None = None

    @property
    def folder(self) -> Path:
        """The generation's folder."""
        return self.efs / self.generation

    @property
    def records(self) -> list[Record]:
        """Of the newest version, sorted by id."""
        return sorted((one for some in self.content.values() for one in some), key=lambda record: record.id)

    def segment(self, receipts: Receipts, *, made: str = MADE) -> Manifest:
        """Cover receipts with a segment in each shard that has some of them; without records they are gone."""
        self._hold(receipts)
        for number, some in self._by_shard(receipts).items():
            segment = Segment.of({receipt.key: records for receipt, records in some.items()})
            content, path = encode_segment(segment), segment_path(number, f"{self._next()}-a")
            write_atomically(self.folder / path, content)
            entry = ManifestSegment(path, len(content), sha256_of(content), segment.receipts)
            self._shards[number] = replace(self._shards[number], segments=(*self._shards[number].segments, entry))
        return self._publish(MERGE, made)

    def base(self, receipts: Receipts | None = None, *, made: str = MADE) -> Manifest:
        """A new base for every shard; nothing else for a receipt that is not given: it folds what is there."""
        self._hold(receipts or {})
        routed = self._by_shard(self.content)
        for number, shard in enumerate(self._shards):
            records = [one for some in routed.get(number, {}).values() for one in some]
            path = shard_path(number, f"{self._next()}-a")
            with ChromaDir.create(self.folder / path, self.generation) as directory:
                directory.add(records)
            files = tuple(_entry(self.folder / path, name) for name in file_names(self.folder / path))
            self._shards[number] = replace(shard, path=path, files=files, segments=(), base_records=len(records))
        return self._publish(MERGE if receipts or self.manifest is None else FOLD, made)

    def forget_covered(self) -> None:
        """From the next version on, leave out segments whose receipts newer ones cover again."""
        for number, shard in enumerate(self._shards):
            covered: set[str] = set()
            kept: list[ManifestSegment] = []
            for segment in reversed(shard.segments):
                keys = {one.key for one in segment.receipts}
                kept[:0] = [] if keys <= covered else [segment]
                covered |= keys
            self._shards[number] = replace(shard, segments=tuple(kept))

    def reader(self, **options: Any) -> SnapshotReader:
        """A reader of the collection."""
        return open_reader(self.efs, "words", cache_dir=self.cache, **options)

    def _hold(self, receipts: Receipts) -> None:
        self.content |= {receipt: list(records) for receipt, records in receipts.items()}

    def _by_shard(self, receipts: Receipts) -> dict[int, dict[ReceiptId, Sequence[Record]]]:
        routed: dict[int, dict[ReceiptId, Sequence[Record]]] = {}
        for receipt, records in receipts.items():
            home = shard_of(receipt.image_id, receipt.receipt_id, len(self._shards))
            routed.setdefault(home, {})[receipt] = records
        return routed

    def _next(self) -> str:
        version = self.manifest.version + 1 if self.manifest else 1
        return snapshot_id_of(version, version, 1)

    def _publish(self, kind: str, made: str) -> Manifest:
        routed = self._by_shard(self.content)
        for number, shard in enumerate(self._shards):
            content = content_of("all", _flat(routed.get(number, {}).values()))
            base_digest = shard.base_digest if shard.segments else content.digest
            self._shards[number] = replace(
                shard, records=content.records, digest=content.digest, base_digest=base_digest
            )
        before = self.manifest
        self.manifest = Manifest(
            collection=self.generation,
            version=before.version + 1 if before else 1,
            snapshot_id=self._next(),
            parent=before.pointer if before else None,
            dimension=DIMENSION,
            space="l2",
            chromadb_version="1.5.9",
            shard_count=len(self._shards),
            records=sum(shard.records for shard in self._shards),
            digest=add_digests(*(shard.digest for shard in self._shards)),
            shards=tuple(self._shards),
            plan_key="plan",
            execution="execution",
            trigger="stream",
            created_at=made,
            kind=kind,
            model=self.model,
        )
        write_atomically(self.folder / manifest_path(self.manifest.snapshot_id), self.manifest.encode())
        assert swap_pointer(self.efs, self.generation, self.manifest.pointer, before=self.manifest.parent)
        return self.manifest


def _entry(folder: Path, name: str) -> FileEntry:
    return FileEntry(name, (folder / name).stat().st_size, sha256_file(folder / name))


def _flat(groups: Iterable[Sequence[Record]]) -> list[Record]:
    return [record for group in groups for record in group]
