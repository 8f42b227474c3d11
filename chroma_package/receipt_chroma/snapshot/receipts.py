"""Which receipts a shard has: known from a list beside its base and from its manifest, without opening anything."""

from hashlib import sha256

from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.keys import ReceiptId

from receipt_chroma.errors import SnapshotDamaged
from receipt_chroma.snapshot.manifest import ManifestShard
from receipt_chroma.storage.tree import INDEX_FILE, RECEIPTS_FILE, object_key


def load_receipts(bucket: Bucket, collection: str, shard: ManifestShard) -> list[ReceiptId]:
    """The receipts of a shard, its base's list from S3; none of a shard that was never written.

    Raises SnapshotDamaged unless the list is the one that the manifest names, ShardInvalid, TransientServiceError.
    """
    return [ReceiptId.parse(key) for key in sorted(load_counts(bucket, collection, shard))]


def load_counts(bucket: Bucket, collection: str, shard: ManifestShard) -> dict[str, int | None]:
    """How many records a shard has of each of its receipts, by key; None where its base is of schema version 1, whose
    list has no numbers. Raises as load_receipts does."""
    counts = _in_base(bucket, collection, shard) if shard.path is not None else {}
    for segment in shard.segments:  # the oldest first: a newer one says last what there is of a receipt
        counts |= {content.key: content.records for content in segment.receipts}
    return {key: count for key, count in counts.items() if count != 0}


def _in_base(bucket: Bucket, collection: str, shard: ManifestShard) -> dict[str, int | None]:
    name = RECEIPTS_FILE if shard.is_plain else INDEX_FILE
    expected = next((entry for entry in shard.files if entry.name == name), None)
    if expected is None:
        raise SnapshotDamaged(f"the manifest names no {name} of shard {shard.shard}: roll back")
    key = object_key(collection, f"{shard.path}/{name}")
    content = bucket.find(key)
    where = f"s3://{bucket.name}/{key}"
    if content is None:
        raise SnapshotDamaged(f"{where} is not there: restore it from a copy of the bucket, or roll back")
    if (found := sha256(content).hexdigest()) != expected.sha256:
        raise SnapshotDamaged(
            f"{where} has sha256 {found[:12]}…, its manifest says {expected.sha256[:12]}…: restore it from a copy of"
            " the bucket, or roll back"
        )
    if shard.is_plain:
        return dict.fromkeys(content.decode().splitlines())
    from receipt_chroma.shard.index import read_index  # numpy comes with it

    return {key: one.records for key, one in read_index(content).items()}
