"""Content digests: sums of record hashes modulo 2^256, so that a shard's digest follows from its changes alone.

Apart from the records themselves, because whoever reads a manifest needs these and no vector.
"""

from typing import Final

DIGEST_MODULUS: Final = 1 << 256
EMPTY_DIGEST: Final = f"{0:064x}"
"""Content digest of no records."""


def add_digests(*digests: str | int) -> str:
    """Sum of content digests modulo 2^256, as 64 hex digits; negative integers take records away."""
    total = sum(int(digest, 16) if isinstance(digest, str) else digest for digest in digests)
    return f"{total % DIGEST_MODULUS:064x}"
