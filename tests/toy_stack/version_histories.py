"""Histories of versions made by the real merge, rollbacks too, and what is in each version by plain chromadb."""

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import chromadb
import numpy as np
import pyarrow
from receipt_chroma.fold import fold_shard, write_fold
from receipt_chroma.folding import ALWAYS, FoldBound
from receipt_chroma.reshard import reshard
from receipt_chroma.rollback import prepare_rollback
from receipt_chroma.shard.index import read_index
from receipt_chroma.snapshot.manifest import Manifest, ManifestShard, load_manifest
from receipt_chroma.stage import Attempt
from receipt_chroma.storage.files import file_names, sha256_file
from receipt_chroma.storage.tree import INDEX_FILE, RECEIPTS_FILE, ROWS_FILE, manifest_path, object_key, shard_path
from receipt_chroma.write_reshard import write_reshard
from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.control.head import Pointer, snapshot_id_of
from receipt_dynamo_stream.round.plan import save_plan
from receipt_dynamo_stream.round.report import FileEntry, ShardReport, save_report

from console.embedding import SAMPLES, embedder_of
from operate.connection import Connection
from operate.contents.contents import Contents
from operate.contents.shard_files import CACHE_BYTES
from operate.stack import Stack

from ..snapshots.rounds import COLLECTIONS, Rounds
from ..snapshots.test_rows_conserved import RECEIPTS, WORDS

Content = dict[str, tuple[str | None, dict[str, Any], bytes]]
"""Document, metadata and vector bits by record id."""

A, B = RECEIPTS[0], RECEIPTS[2]


class NewHistory(Protocol):
    """Makes a history of collections with some shards: an empty one, or as one of the functions below leaves it."""

    def __call__(self, shards: int, filled: "Callable[[History], History] | None" = None) -> "History": ...


@dataclass
class History(Rounds):
    """Rounds that write VERSION rows as the machine does; every published pointer is in `versions`, oldest first."""

    versions: dict[str, list[Pointer]] = field(default_factory=dict)
    like: Connection = field(kw_only=True)
    _bases: dict[Path, Content] = field(default_factory=dict)

    def connection(self, *, local: bool = True) -> Connection:
        """With or without the file system."""
        return replace(
            self.like,
            receipts_table=self.receipts_table,
            control_table=self.control_table,
            bucket=self.bucket,
            efs_root=str(self.efs) if local else None,
        )

    def manifest(self, pointer: Pointer) -> Manifest:
        return load_manifest(Bucket(self.s3, self.bucket), pointer)

    def plan(self, collection: str, receipts: int) -> None:
        """As PlanCompaction does it: the plan stays in the bucket."""
        super().plan(collection, receipts)
        plan = self.planned[collection]
        save_plan(Bucket(self.s3, self.bucket), plan.plan_key("a"), plan)

    def reported(self, reports: Sequence[ShardReport]) -> None:
        """As MergeDeltas does it: the reports stay there too."""
        for report in reports:
            save_report(Bucket(self.s3, self.bucket), report)

    def rollback(self, collection: str, version: int) -> None:
        """Publish the version of this place in `versions` again."""
        head = self.control.head(collection).read()
        assert head is not None
        fence = next(iter(self._numbers))
        pointer, _ = prepare_rollback(
            head=replace(head, fence=fence, shards=self.shards),
            target=self.versions[collection][version],
            execution=f"rollback-{fence}",
            trigger="operator",
            at=self.time(),
            bucket=Bucket(self.s3, self.bucket),
            efs_root=self.efs,
        )
        self._commit(collection, fence, pointer, rollback=self.versions[collection][version].snapshot_id)

    def fold(self, collection: str) -> None:
        """Fold every shard of the current version, and publish what came of it."""
        head = self.control.head(collection).read()
        assert head is not None
        assert head.pointer is not None
        fence, work = next(iter(self._numbers)), self.folder / "work"
        here: dict[str, Any] = {"bucket": Bucket(self.s3, self.bucket), "efs_root": self.efs}
        reports = []
        for shard in self.manifest(head.pointer).shards:
            place = Attempt(collection, f"fold-{fence}", 0, shard.shard, "a", f"{head.pointer.snapshot_id}-fold")
            reports.append(fold_shard(head.pointer, shard.shard, place, workdir=work, **here))
        written = write_fold(
            replace(head, fence=fence, shards=self.shards),
            reports,
            **{"execution": f"fold-{fence}", "trigger": "schedule", "at": self.time(), **here},
        )
        assert written is not None
        self._commit(collection, fence, written[0])

    def reshard(self, collection: str, into: int) -> None:
        """Bring the records of the current version into another number of shards, which the next rounds go on with."""
        head = self.control.head(collection).read()
        assert head is not None
        assert head.pointer is not None
        fence, work = next(iter(self._numbers)), self.folder / "work"
        here: dict[str, Any] = {"bucket": Bucket(self.s3, self.bucket), "efs_root": self.efs}
        reports = []
        for shard in range(into):
            place = Attempt(collection, f"reshard-{fence}", 0, shard, "a", f"{head.pointer.snapshot_id}-reshard")
            reports.append(reshard(head.pointer, into, place, workdir=work, **here))
        written = write_reshard(
            replace(head, fence=fence),
            reports,
            **{"bound": FoldBound(), "execution": f"reshard-{fence}", "trigger": "operator", "at": self.time(), **here},
        )
        assert written is not None
        self._commit(collection, fence, written[0])

    def publish_as_version_1(self, collection: str) -> None:
        """Publish the bases of the current version again as releases before segments did: it must have no segments."""
        parent = self.versions[collection][-1]
        version, fence = parent.version + 1, next(iter(self._numbers))
        snapshot_id, shards = snapshot_id_of(version, fence, 0), []
        for shard in self.manifest(parent).shards:
            assert not shard.segments
            if shard.path is not None:
                shard = self._copy_plainly(collection, shard, shard_path(shard.shard, f"{snapshot_id}-old"))
            shards.append(shard)
        self.publish(
            replace(
                self.manifest(parent),
                **{"schema_version": 1, "kind": None, "version": version, "snapshot_id": snapshot_id},
                **{"parent": parent, "shards": tuple(shards)},
            )
        )

    def _copy_plainly(self, collection: str, shard: ManifestShard, path: str) -> ManifestShard:
        folder = self.efs / collection / path
        shutil.copytree(self.efs / collection / str(shard.path), folder)
        keys = list(read_index((folder / INDEX_FILE).read_bytes()))
        (folder / RECEIPTS_FILE).write_text("".join(f"{key}\n" for key in keys))
        for name in (INDEX_FILE, ROWS_FILE):
            (folder / name).unlink()
        entries = [
            FileEntry(name, (folder / name).stat().st_size, sha256_file(folder / name)) for name in file_names(folder)
        ]
        for entry in entries:
            self.s3.upload_file(str(folder / entry.name), self.bucket, object_key(collection, f"{path}/{entry.name}"))
        return replace(shard, path=path, files=tuple(entries))

    def publish(self, manifest: Manifest) -> None:
        """A manifest that no merge made, as the newest version."""
        self.s3.put_object(Bucket=self.bucket, Key=manifest.pointer.manifest_key, Body=manifest.encode())
        (self.efs / manifest.collection / manifest_path(manifest.snapshot_id)).write_bytes(manifest.encode())
        self._commit(manifest.collection, next(iter(self._numbers)), manifest.pointer)

    def _commit(self, collection: str, fence: int, pointer: Pointer, rollback: str | None = None) -> None:
        manifest = self.manifest(pointer)
        arn = f"arn:aws:states:us-east-1:1:execution:compaction:{manifest.execution}"
        row = manifest.row(arn, rollback=rollback)
        assert self.control.versions(collection).put_candidate(row)
        super()._commit(collection, fence, pointer)
        self.shards_now[collection] = manifest.shard_count
        self.versions.setdefault(collection, []).append(pointer)

    def content(self, collection: str, pointer: Pointer) -> Content:
        """Everything in a version: plain chromadb on copies of the bases that its manifest on EFS names (each asked
        once), and over them plain Arrow, one segment after the other."""
        folder = self.efs / collection
        content: Content = {}
        for shard in json.loads((folder / manifest_path(pointer.snapshot_id)).read_text())["shards"]:
            if shard["path"] is not None:
                if (base := folder / shard["path"]) not in self._bases:
                    self._bases[base] = read_plainly(base, self.folder / f"copy-{next(iter(self._numbers))}")
                content |= self._bases[base]
            for segment in shard.get("segments", ()):
                for receipt, records in read_segment_plainly(folder / segment["path"]):
                    content = {one: told for one, told in content.items() if not one.startswith(f"{receipt}#")}
                    content |= records
        return content


def three_versions(history: History) -> History:
    """Two receipts, one after the other; then a merchant of the first one, which loses a word."""
    for receipt in (A, B):
        history.create(receipt, WORDS)
        history.announce(receipt, WORDS, seed=1)
        history.merge_all()
    history.put(A, "#PLACE", "RECEIPT_PLACE", merchant_name="Sprouts")
    history.remove(A, "#LINE#00001#WORD#00001")
    history.merge_all()
    return history


def segments_and_a_fold(history: History) -> History:
    """Six versions. A base; a receipt, then a change of the first one, in segments; their fold; a receipt that goes, in
    a segment over it; and the third version again."""
    history.create(A, WORDS)
    history.announce(A, WORDS, seed=1)
    history.merge_all()
    history.bound = FoldBound()
    history.create(B, WORDS)
    history.announce(B, WORDS, seed=1)
    history.merge_all()
    history.put(A, "#PLACE", "RECEIPT_PLACE", merchant_name="Sprouts")
    history.remove(A, "#LINE#00001#WORD#00001")
    history.merge_all()
    for collection in COLLECTIONS:
        history.fold(collection)
    history.delete(B)
    history.merge_all()
    for collection in COLLECTIONS:
        history.rollback(collection, 2)
    return history


def mixed_schemas(history: History) -> History:
    """Six versions. A base; the same of schema version 1; a change over it in a segment; a base of all; that of schema
    version 1 again; and a receipt in a base of its own or, with the others, anew."""
    history.create(A, WORDS)
    history.announce(A, WORDS, seed=1)
    history.merge_all()
    for collection in COLLECTIONS:
        history.publish_as_version_1(collection)
    history.bound = FoldBound()
    history.put(A, "#LINE#00001#WORD#00001#LABEL#TAX", "RECEIPT_WORD_LABEL", label="TAX", validation_status="VALID")
    history.put(A, "#PLACE", "RECEIPT_PLACE", merchant_name="Costco")
    history.merge_all()
    for collection in COLLECTIONS:
        history.fold(collection)
        history.publish_as_version_1(collection)
    history.bound = ALWAYS
    history.create(B, WORDS)
    history.announce(B, WORDS, seed=2)
    history.merge_all()
    return history


@contextmanager
def contents_of(
    history: History, *, local: bool = True, cache_bytes: int = CACHE_BYTES, open_versions: int = 3
) -> Iterator[Contents]:
    """The contents of its versions, with or without its file system; what comes from S3 is kept in its folder."""
    stack = Stack(history.connection(local=local))
    cache = history.folder / "cache"
    embedder = embedder_of(stack.connection, SAMPLES if local else None)  # chosen: their vectors are drawn
    with Contents(
        stack, cache=cache, cache_bytes=cache_bytes, open_versions=open_versions, embedder=embedder
    ) as contents:
        yield contents


def read_plainly(folder: Path, copy: Path) -> Content:
    """All records of a Chroma directory, by a copy that is used once."""
    shutil.copytree(folder, copy)
    client = chromadb.PersistentClient(path=str(copy))
    try:
        (collection,) = client.list_collections()
        found = client.get_collection(collection.name, embedding_function=None).get(
            include=["embeddings", "documents", "metadatas"]
        )
    finally:
        client.close()
        shutil.rmtree(copy)
    columns = zip(found["ids"], found["documents"], found["metadatas"], found["embeddings"], strict=True)
    return {
        one: (document, dict(metadata or {}), np.float32(vector).tobytes())
        for one, document, metadata, vector in columns
    }


def read_segment_plainly(path: Path) -> Iterator[tuple[str, Content]]:
    """Each receipt that a segment covers, and the records that it has from then on."""
    with pyarrow.ipc.open_file(path) as file:
        for row in file.read_all().to_pylist():
            yield (
                row["receipt"],
                {
                    one["id"]: (one["document"], json.loads(one["metadata"]), np.float32(one["embedding"]).tobytes())
                    for one in row["records"]
                },
            )
