"""Which shard holds a receipt's records."""

from hashlib import sha256
from math import gcd

from receipt_dynamo_stream.keys import ReceiptId


def shard_of(image_id: str, receipt_id: int, shards: int) -> int:
    """Shard number in [0, shards): the first 8 bytes of sha256(receipt key), big-endian, modulo shards.

    Stable for ever: published snapshots depend on it. Raises ValueError for shards < 1.
    """
    if shards < 1:
        raise ValueError(f"a collection has at least one shard, not {shards}")
    digest = sha256(ReceiptId(image_id, receipt_id).key.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") % shards


def home_of(key: str, shards: int) -> int:
    """shard_of a receipt by its key."""
    receipt = ReceiptId.parse(key)
    return shard_of(receipt.image_id, receipt.receipt_id, shards)


def sources_of(shard: int, *, into: int, of: int) -> tuple[int, ...]:
    """Of `of` shards, those that can have receipts of one of `into` shards of the same collection.

    Both numbers are remainders of one hash, which are equal modulo every divisor of both.
    """
    step = gcd(into, of)
    return tuple(number for number in range(of) if number % step == shard % step)
