"""A new base of a shard: the old one, brought to what lies over it. What a fold writes, and a merge of very much."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.keys import ReceiptId
from receipt_dynamo_stream.round.report import ReceiptContent, StagedShard

from receipt_chroma.difference import Difference, difference
from receipt_chroma.digests import add_digests
from receipt_chroma.errors import FoldChangedContent
from receipt_chroma.private_shard import PrivateShard
from receipt_chroma.records import Record
from receipt_chroma.segment.places import ShardContent
from receipt_chroma.snapshot.base_copy import copy_base
from receipt_chroma.snapshot.manifest import ManifestShard
from receipt_chroma.stage import Attempt, Stage
from receipt_chroma.stopwatch import Stopwatch
from receipt_chroma.storage.room import room
from receipt_chroma.storage.tree import collection_folder


@dataclass(frozen=True, kw_only=True)
class NewContent:
    """What a new base holds beside what its predecessor does.

    overlay: the records of each receipt that differs, by key; none for one that is gone. contents: what every receipt
    of the new base comes to, by key. dimension: the collection's.
    """

    overlay: Mapping[str, Iterable[Record]]
    contents: Mapping[str, ReceiptContent]
    dimension: int | None


def write_new_base(
    shard: ManifestShard,
    new: NewContent,
    *,
    attempt: Attempt,
    folder: Path,
    watch: Stopwatch,
    bucket: Bucket,
    efs_root: Path,
    rebuild: bool = False,
) -> StagedShard:
    """Write and stage the base that holds the old one's receipts, but for those of the overlay, which have its records.

    The old base is copied into `folder`, every file proved; with `rebuild` its records alone reach the new one.
    Memory: the records of the overlay and their old rows; for a rebuild also those of a batch.

    Raises FoldChangedContent when the records do not come to the contents, SnapshotDamaged, DiskFull,
    StorageUnavailable, TransientServiceError.
    """
    with room(folder, sum(entry.size for entry in shard.files)):
        if shard.path is not None:
            with watch.measure("copy"):
                efs_folder = collection_folder(efs_root, attempt.collection)
                copy_base(shard, folder / "base", bucket=bucket, efs_folder=efs_folder)
        with watch.measure("read"):
            target = PrivateShard(folder, attempt.collection, shard)
            changes = Difference()
            for key, records in new.overlay.items():
                existing = target.existing(ReceiptId.parse(key))
                changes.extend(difference(existing, {record.id: record for record in records}))
            whole = ShardContent.of(new.contents.values())
            if add_digests(shard.base_digest, changes.digest) != whole.digest:
                raise FoldChangedContent(
                    f"shard {shard.shard}: the base and what lies over it do not come to the digest {whole.digest}"
                )
            planned = target.plan_write(changes, rebuild=rebuild)
        with Stage(planned.folder, attempt, bucket=bucket, efs_root=efs_root) as stage:
            with watch.measure("write"):
                stage.begin(planned.kept)
                written = target.write(changes, planned, new.contents.values())
            with watch.measure("stage"):
                files = stage.finish()
        return StagedShard(
            path=attempt.staging,
            shard_version=attempt.version,
            files=files,
            records=written.records,
            tombstones=written.tombstones,
            digest=whole.digest,
            dimension=new.dimension,
        )
