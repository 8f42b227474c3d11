"""Re-sharding: the records of a version in another number of shards.

It is prepared without the lease, as a fold is: every new shard gets a base with those receipts of one version that are
routed to it. Under the lease write_reshard lays over the new bases what has changed since.
"""

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.control.head import Pointer
from receipt_dynamo_stream.round.fold_report import FoldReport
from receipt_dynamo_stream.round.report import ReceiptContent, StagedShard
from receipt_dynamo_stream.sharding import home_of, sources_of

from receipt_chroma.errors import FoldChangedContent
from receipt_chroma.private_shard import BATCH, finish_directory
from receipt_chroma.records import Record, content_of
from receipt_chroma.segment.places import ShardContent
from receipt_chroma.shard.chroma_dir import ChromaDir, batches
from receipt_chroma.shard.closed_shard import ClosedShard
from receipt_chroma.snapshot.base_copy import copy_base
from receipt_chroma.snapshot.manifest import ManifestShard, load_manifest
from receipt_chroma.snapshot.repaired_shard import RepairedShard
from receipt_chroma.stage import Attempt, Stage
from receipt_chroma.stopwatch import Stopwatch
from receipt_chroma.storage.room import room
from receipt_chroma.storage.tree import collection_folder


def reshard(base: Pointer, into: int, attempt: Attempt, *, bucket: Bucket, efs_root: Path, workdir: Path) -> FoldReport:
    """Stage the attempt's shard of the `into` shards of a version. Needs no lease, and may run twice.

    Memory: the new index, the segments of one old shard, and a batch of rows. Disk: the new base, and one old base at a
    time. Raises FoldChangedContent when a receipt's records are not those of its index, SnapshotDamaged, DiskFull,
    StorageUnavailable, TransientServiceError.
    """
    workdir.mkdir(parents=True, exist_ok=True)
    os.environ["SQLITE_TMPDIR"] = str(workdir)
    manifest, watch = load_manifest(bucket, base), Stopwatch()
    contents: dict[str, ReceiptContent] = {}
    with room(workdir), tempfile.TemporaryDirectory(dir=workdir, prefix=f"reshard-{attempt.shard:04d}-") as private:
        written = Path(private) / "written"
        with watch.measure("write"), ChromaDir.create(written, attempt.collection) as directory:
            for number in sources_of(attempt.shard, into=into, of=manifest.shard_count):
                old = manifest.shards[number]
                with (
                    RepairedShard(old, attempt.collection, bucket=bucket, efs_root=efs_root) as published,
                    _private_copy(old, attempt.collection, Path(private), bucket, efs_root) as copy,
                ):
                    all_of_it = published.contents()
                    mine = {key: one for key, one in all_of_it.items() if home_of(key, into) == attempt.shard}
                    overlay = published.overlay() if old.segments else {}
                    for batch in batches(_rows(mine, overlay, copy), BATCH):
                        directory.add(batch)
                contents |= mine
        tombstones = finish_directory(written, contents.values())
        with watch.measure("stage"), Stage(written, attempt, bucket=bucket, efs_root=efs_root) as stage:
            files = stage.finish()
    whole = ShardContent.of(contents.values())
    return FoldReport(
        collection=attempt.collection,
        execution=attempt.execution,
        shard=attempt.shard,
        attempt=attempt.name,
        base=base,
        base_path=None,
        segments=(),
        staged=StagedShard(
            path=attempt.staging,
            shard_version=attempt.version,
            files=files,
            records=whole.records,
            tombstones=tombstones,
            digest=whole.digest,
            dimension=manifest.dimension,
        ),
        seconds=watch.seconds,
        into=into,
    )


@contextmanager
def _private_copy(
    shard: ManifestShard, collection: str, private: Path, bucket: Bucket, efs_root: Path
) -> Iterator[ClosedShard | None]:
    """The base of an old shard in a private folder, every file proved; gone afterwards.

    A part of it only is wanted, from all over it: one long read is quicker over NFS than thousands of small ones.
    """
    if shard.path is None:
        yield None
        return
    with (
        room(private, sum(entry.size for entry in shard.files)),
        tempfile.TemporaryDirectory(dir=private, prefix="source-") as folder,
    ):
        copy = Path(folder) / "base"
        copy_base(shard, copy, bucket=bucket, efs_folder=collection_folder(efs_root, collection))
        yield ClosedShard(copy, collection)


def _rows(
    contents: Mapping[str, ReceiptContent], overlay: Mapping[str, Sequence[Record]], base: ClosedShard | None
) -> Iterator[Record]:
    """The records of these receipts, each receipt's proved by its digest. Raises FoldChangedContent."""
    for key, content in contents.items():
        records = overlay[key] if key in overlay else list(base.records(base.ids[key])) if base else ()
        if content_of(key, records) != content:
            raise FoldChangedContent(f"the records of {key} are not those of its index: verify the version")
        yield from records
