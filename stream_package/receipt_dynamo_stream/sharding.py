"""Which shard holds a receipt's records."""

from hashlib import sha256

from receipt_dynamo_stream.keys import ReceiptId


def shard_of(image_id: str, receipt_id: int, shards: int) -> int:
    """Shard number in [0, shards): the first 8 bytes of sha256(receipt key), big-endian, modulo shards.

    Stable for ever: published snapshots depend on it. Raises ValueError for shards < 1.
    """
    if shards < 1:
        raise ValueError(f"a collection has at least one shard, not {shards}")
    digest = sha256(ReceiptId(image_id, receipt_id).key.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") % shards
