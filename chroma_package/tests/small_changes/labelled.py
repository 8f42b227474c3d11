"""A change of one label, and what a collection then has."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from receipt_chroma.records import Record
from receipt_chroma.storage.files import sha256_file
from receipt_dynamo_stream.facts import ReceiptFacts
from receipt_dynamo_stream.round.report import FileEntry, ShardReport, StagedSegment

from ..samples import label
from ..uploads import receipt_facts
from ..world import World

Plain = dict[str, tuple[bytes, str | None, dict[str, Any]]]


def plain(records: Iterable[Record]) -> Plain:
    return {one.id: (one.embedding.tobytes(), one.document, one.metadata) for one in records}


def labelled(number: int, name: str) -> ReceiptFacts:
    return receipt_facts(number, labels=[label(1, 1, name)])


def files(world: World) -> dict[str, bytes]:
    return {p.relative_to(world.folder).as_posix(): p.read_bytes() for p in world.folder.rglob("*") if p.is_file()}


def staged(report: ShardReport) -> StagedSegment:
    assert report.segment is not None
    return report.segment


def as_version_1(world: World) -> None:
    """Make the current version what releases before segments published."""
    manifest = world.manifest
    (shard,) = manifest.shards
    folder = world.folder / str(shard.path)
    index = folder / "receipts.json"
    names = [line.split('"')[1] for line in index.read_text().splitlines() if line.startswith("[") and len(line) > 1]
    (folder / "receipts.txt").write_text("".join(f"{name}\n" for name in names))
    world.store.put(f"snapshots/words/{shard.path}/receipts.txt", (folder / "receipts.txt").read_bytes())
    for name in ("receipts.json", "vector_rows.bin"):
        (folder / name).unlink()
    text = folder / "receipts.txt"
    entries = [one for one in shard.files if one.name not in ("receipts.json", "vector_rows.bin")]
    entries.append(FileEntry("receipts.txt", text.stat().st_size, sha256_file(text)))
    old = replace(manifest, schema_version=1, kind=None, shards=(replace(shard, files=tuple(entries)),))
    world.store.put(old.pointer.manifest_key, old.encode())
    world.pointer = old.pointer
    (world.folder / "CURRENT").unlink()
    (world.folder / f"manifests/{old.snapshot_id}.json").unlink()
    world.commit(old.pointer)
