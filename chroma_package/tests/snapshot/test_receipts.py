"""The receipts of a shard, by its base's list and its segments."""

from hashlib import sha256

import pytest
from receipt_chroma.errors import SnapshotDamaged
from receipt_chroma.shard.index import encode_index
from receipt_chroma.snapshot.manifest import ManifestSegment, ManifestShard
from receipt_chroma.snapshot.receipts import load_receipts
from receipt_chroma.storage.tree import INDEX_FILE, RECEIPTS_FILE
from receipt_dynamo_stream.keys import ReceiptId
from receipt_dynamo_stream.round.report import FileEntry, ReceiptContent

from ..world import World

A, B, C = (ReceiptId(image, 1) for image in ("image-a", "image-b", "image-c"))


def content(receipt: ReceiptId, records: int) -> ReceiptContent:
    return ReceiptContent(receipt.key, records, "0" * 64)


def segment(*contents: ReceiptContent) -> ManifestSegment:
    return ManifestSegment("segments/0000/x.arrow", 1, "", contents)


def base(world: World, name: str, body: bytes, *segments: ManifestSegment) -> ManifestShard:
    world.s3.put_object(Bucket=world.bucket, Key=f"snapshots/words/shards/0000/x/{name}", Body=body)
    entry = FileEntry(name, len(body), sha256(body).hexdigest())
    return ManifestShard(0, "shards/0000/x", (entry,), segments=segments)


def test_a_shard_that_was_never_written_has_none(world: World) -> None:
    assert load_receipts(world.store, "words", ManifestShard(0)) == []


def test_a_base_of_either_schema_version_lists_its_receipts(world: World) -> None:
    plain = base(world, RECEIPTS_FILE, f"{A.key}\n{B.key}\n".encode())
    assert load_receipts(world.store, "words", plain) == [A, B]
    indexed = base(world, INDEX_FILE, encode_index([content(A, 2), content(B, 1)]))
    assert load_receipts(world.store, "words", indexed) == [A, B]


def test_the_newest_segment_says_last_what_there_is_of_a_receipt(world: World) -> None:
    segments = segment(content(B, 0), content(C, 1)), segment(content(C, 0)), segment(content(C, 4))
    shard = base(world, INDEX_FILE, encode_index([content(A, 2), content(B, 1)]), *segments)
    assert load_receipts(world.store, "words", shard) == [A, C]
    assert load_receipts(world.store, "words", ManifestShard(0, segments=segments[:2])) == []


@pytest.mark.parametrize("name", [RECEIPTS_FILE, INDEX_FILE])
def test_a_list_that_is_not_the_one_that_the_manifest_names_is_damage(world: World, name: str) -> None:
    body = f"{A.key}\n".encode() if name == RECEIPTS_FILE else encode_index([content(A, 2)])
    shard = base(world, name, body)
    base(world, name, body[:-2])
    with pytest.raises(SnapshotDamaged, match="its manifest says"):
        load_receipts(world.store, "words", shard)
    world.s3.delete_object(Bucket=world.bucket, Key=f"snapshots/words/shards/0000/x/{name}")
    with pytest.raises(SnapshotDamaged, match="is not there"):
        load_receipts(world.store, "words", shard)
    with pytest.raises(SnapshotDamaged, match="names no"):
        load_receipts(world.store, "words", ManifestShard(0, "shards/0000/x"))
