"""Histories of versions made by the real merge, rollbacks too, and what is in each version by plain chromadb."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import chromadb
import numpy as np
from receipt_chroma.rollback import prepare_rollback
from receipt_chroma.snapshot.manifest import Manifest, load_manifest
from receipt_chroma.storage.tree import manifest_path
from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.control.head import Pointer
from receipt_dynamo_stream.control.versions import VersionRow

from console.embedding import embedder_of
from operate.connection import Connection
from operate.contents.contents import Contents
from operate.contents.shard_files import CACHE_BYTES
from operate.stack import Stack

from ..snapshots.rounds import Rounds
from ..snapshots.test_rows_conserved import RECEIPTS, WORDS

Content = dict[str, tuple[str | None, dict[str, Any], bytes]]
"""Document, metadata and vector bits by record id."""

A, B = RECEIPTS[0], RECEIPTS[2]

NewHistory = Callable[[int], "History"]
"""Makes an empty history of collections with some shards."""


@dataclass
class History(Rounds):
    """Rounds that write VERSION rows as the machine does; every published pointer is in `versions`, oldest first."""

    versions: dict[str, list[Pointer]] = field(default_factory=dict)
    like: Connection = field(kw_only=True)

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
        self._commit(collection, fence, pointer)

    def publish(self, manifest: Manifest) -> None:
        """A manifest that no merge made, as the newest version."""
        self.s3.put_object(Bucket=self.bucket, Key=manifest.pointer.manifest_key, Body=manifest.encode())
        self._commit(manifest.collection, next(iter(self._numbers)), manifest.pointer)

    def _commit(self, collection: str, fence: int, pointer: Pointer) -> None:
        manifest = self.manifest(pointer)
        row = VersionRow(
            snapshot_id=pointer.snapshot_id,
            parent=manifest.parent.snapshot_id if manifest.parent else None,
            manifest_key=pointer.manifest_key,
            manifest_sha256=pointer.manifest_sha256,
            plan_key=manifest.plan_key,
            execution=f"arn:aws:states:us-east-1:1:execution:compaction:{manifest.execution}",
            trigger=manifest.trigger,
            created_at=manifest.created_at,
            records=manifest.records,
        )
        assert self.control.versions(collection).put_candidate(row)
        super()._commit(collection, fence, pointer)
        self.versions.setdefault(collection, []).append(pointer)

    def content(self, collection: str, pointer: Pointer) -> Content:
        """Everything in a version: plain chromadb on copies of the directories that its manifest on EFS names."""
        folder = self.efs / collection
        content: Content = {}
        for shard in json.loads((folder / manifest_path(pointer.snapshot_id)).read_text())["shards"]:
            if shard["path"] is not None:
                content |= read_plainly(folder / shard["path"], self.folder / f"copy-{next(iter(self._numbers))}")
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


@contextmanager
def contents_of(
    history: History, *, local: bool = True, cache_bytes: int = CACHE_BYTES, open_versions: int = 3
) -> Iterator[Contents]:
    """The contents of its versions, with or without its file system; what comes from S3 is kept in its folder."""
    stack = Stack(history.connection(local=local))
    cache = history.folder / "cache"
    with Contents(
        stack, cache=cache, cache_bytes=cache_bytes, open_versions=open_versions, embed=embedder_of(stack.connection)
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
