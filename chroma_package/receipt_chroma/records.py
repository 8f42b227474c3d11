"""Records and what of them counts: one id with embedding, document and metadata.

Chroma 1.5.9 keeps metadata through JSON and SQLite, and not everything survives. Measured: about one random double in
five comes back one unit in the last place off; NaN and infinity vanish; NaN *in a list* makes the collection
unreadable for ever; integers beyond 64 bits turn into floats; `-0.0` turns into `0.0`. So values are brought to a
normal form that does survive before anything compares, hashes or writes them: floats have 15 significant digits.
"""

import json
import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray
from receipt_dynamo_stream.round.report import ReceiptContent

from receipt_chroma.digests import EMPTY_DIGEST, add_digests
from receipt_chroma.errors import DeltaMetadataInvalid

Scalar = str | int | float | bool
MetadataValue = Scalar | list[str] | list[int] | list[float] | list[bool]
Metadata = dict[str, MetadataValue]
Vector = NDArray[np.float32]

_RESERVED_PREFIXES = ("#", "$", "chroma:")
_SMALLEST_KEPT = 1e-300
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True, eq=False, slots=True)
class Record:
    """One record: `embedding` is a 1-d float32 array, `metadata` is in normal form (see normal_metadata)."""

    id: str
    embedding: Vector
    document: str | None
    metadata: Metadata

    def same_vector(self, other: "Record") -> bool:
        """True when both vectors are bit-identical."""
        return vector_bytes(self.embedding) == vector_bytes(other.embedding)


def vector_bytes(vector: Vector) -> bytes:
    """The vector's bits: little-endian float32."""
    return np.ascontiguousarray(vector, dtype="<f4").tobytes()


def normal_metadata(metadata: Mapping[str, object] | None, *, ignored: Collection[str] = ()) -> Metadata:
    """Metadata as Chroma keeps it: without None, floats at 15 significant digits, `ignored` keys left out unseen.

    Raises DeltaMetadataInvalid for what Chroma refuses or would not give back: empty or reserved keys, empty or mixed
    lists, numbers that are not finite or need more than 64 bits, nested values, text that is no UTF-8.
    """
    normal: Metadata = {}
    for key, value in (metadata or {}).items():
        if key in ignored:
            continue
        _check_key(key)
        if value is not None:
            normal[key] = _normal_list(key, value) if isinstance(value, list) else _normal_scalar(key, value)
    return normal


def check_text(what: str, text: str) -> str:
    """The text itself. Raises DeltaMetadataInvalid when it cannot be written as UTF-8."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise DeltaMetadataInvalid(f"{what} is not valid Unicode text: {error}") from error
    return text


@lru_cache(maxsize=1_024)  # the records of a collection share their keys; what raises is not kept
def _check_key(key: object) -> None:
    if not isinstance(key, str) or not key:
        raise DeltaMetadataInvalid(f"metadata key {key!r} is not a non-empty string")
    if key.startswith(_RESERVED_PREFIXES):
        raise DeltaMetadataInvalid(f"metadata key {key!r} begins with a prefix that Chroma keeps for itself")
    check_text("a metadata key", key)


def _normal_scalar(key: str, value: object) -> Scalar:
    if isinstance(value, float):
        return _normal_float(key, value)
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return value if value.isascii() else check_text(f"metadata {key!r}", value)
    if isinstance(value, int):
        if not -(1 << 63) <= value < 1 << 63:
            raise DeltaMetadataInvalid(f"metadata {key!r}: {value} does not fit 64 bits")
        return value
    raise DeltaMetadataInvalid(f"metadata {key!r} is a {type(value).__name__}, which Chroma does not keep")


def _normal_float(key: str, value: float) -> float:
    rounded = float(f"{value:.15g}")
    if not math.isfinite(rounded):
        raise DeltaMetadataInvalid(f"metadata {key!r}: {value!r} is not a finite number")
    # Near the bottom of its range a double has fewer than 15 digits; and -0.0 comes back as 0.0.
    return rounded if abs(rounded) >= _SMALLEST_KEPT else 0.0


def _normal_list(key: str, values: list[object]) -> MetadataValue:
    if not values:
        raise DeltaMetadataInvalid(f"metadata {key!r} is an empty list, which Chroma does not keep")
    if len({type(value) for value in values}) != 1 or not isinstance(values[0], (str, int, float, bool)):
        raise DeltaMetadataInvalid(f"metadata {key!r}: a list holds values of one type (text, integer, float or bool)")
    return [_normal_scalar(key, value) for value in values]  # type: ignore[return-value]  # one type, checked above


def metadata_bytes(metadata: Metadata) -> bytes:
    """Canonical JSON of normal metadata; tells 1, 1.0 and true apart."""
    return _CANONICAL.encode(metadata).encode()


def record_hash(record: Record) -> int:
    """sha256, as an integer, over id, vector bits, document and metadata."""
    digest = sha256()
    for part in (record.id.encode(), vector_bytes(record.embedding), metadata_bytes(record.metadata)):
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    if record.document is not None:  # no document and an empty document are different things
        digest.update(b"d" + record.document.encode())
    return int.from_bytes(digest.digest(), "big")


def content_of(key: str, records: Iterable[Record]) -> ReceiptContent:
    """What these records of a receipt come to; their order does not matter."""
    hashes = [record_hash(record) for record in records]
    return ReceiptContent(key, len(hashes), add_digests(*hashes))


def nothing_of(key: str) -> ReceiptContent:
    """A receipt without records."""
    return ReceiptContent(key, 0, EMPTY_DIGEST)
