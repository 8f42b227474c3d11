"""What a delta may take: every bound on a stranger's files, in one place. docs/producers.md tells them to producers.

A receipt has some hundred words; its delta is about a megabyte. A bound is there so that no delta costs more than its
own refusal, and none of them is near anything that a producer means.
"""

from dataclasses import dataclass
from typing import Final

MAX_DELTA_BYTES: Final = 64 << 20
"""Bytes of a delta, as it is fetched and as a tar.gz unpacks to."""
MAX_RECORDS: Final = 5_000
"""Records of a delta."""
MAX_DIMENSION: Final = 8_192
"""Floats of a vector."""
MAX_VECTOR_BYTES: Final = 32 << 20
"""Bytes of all vectors of a delta, as float32: 5,000 of 1,536 floats."""
MAX_TEXTS_BYTES: Final = 3 << 20
"""Bytes of all ids, documents and metadata of a delta, in UTF-8. They bound how many values there are, too: looking at
those takes the time."""
MAX_TEXT_BYTES: Final = 64 << 10
"""Bytes of one document, or of one record's metadata as JSON."""
MAX_KEYS: Final = 100
"""Metadata keys of a record."""
MAX_KEY_BYTES: Final = 256
"""Bytes of a metadata key."""
MAX_LIST: Final = 1_000
"""Values of a list in metadata."""

MAX_FILES: Final = 1_000
"""Members of a tar, objects below a prefix."""
MAX_NAME_BYTES: Final = 1_024
"""Bytes of a member's name, as S3 has it for keys."""
MAX_HEADER_BYTES: Final = 16 << 10
"""Bytes of one extended header of a tar (pax, GNU long name)."""
MAX_HEADERS: Final = 4
"""Extended headers before one member."""
MAX_SQLITE_VALUE: Final = 1 << 20
"""Bytes of one value in a Chroma directory's database."""
MAX_ROWS: Final = 150_000
"""Rows of one table of a Chroma directory's database."""
MAX_PICKLE_BYTES: Final = 4 << 20
"""Bytes of a Chroma index's pickle: 5,000 ids come to one and a half."""
MAX_CAPACITY: Final = 1 << 20
"""Elements that a Chroma index says to have room for."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How large what a reader reads may be: in bytes, or as many as the name says."""

    records: int
    rows: int
    table_bytes: int
    vector_bytes: int
    text_bytes: int
    pickle_bytes: int
    capacity: int


OF_A_DELTA: Final = Bounds(
    records=MAX_RECORDS,
    rows=MAX_ROWS,
    table_bytes=MAX_VECTOR_BYTES + MAX_TEXTS_BYTES,
    vector_bytes=MAX_VECTOR_BYTES,
    text_bytes=MAX_TEXTS_BYTES,
    pickle_bytes=MAX_PICKLE_BYTES,
    capacity=MAX_CAPACITY,
)
"""Of a stranger's delta: one receipt."""
OF_OWN: Final = Bounds(
    records=5_000_000,
    rows=500_000_000,
    table_bytes=1 << 40,
    vector_bytes=1 << 36,
    text_bytes=1 << 36,
    pickle_bytes=1 << 32,
    capacity=1 << 24,
)
"""Of what an operator says to read on a machine of theirs: a whole collection, or a batch of many receipts."""

READ_MEMORY: Final = 256 << 20
"""Bytes that the process which decodes a delta may take, beyond what it has before it begins. With the files before and
the answer after, in the process that forked it, that is 370 MB more than an idle reader."""
READ_CPU_SECONDS: Final = 4
"""Processor time that decoding a delta may take; one of 87 records takes 0.02 s, docs/security.md has the largest.
Twice what that takes where it was measured: a slower processor must not refuse what is within the other bounds."""
READ_WALL_SECONDS: Final = 60
"""After this the process that decodes is ended, whatever it waits for."""
MAX_REPLY_BYTES: Final = MAX_VECTOR_BYTES + 6 * MAX_TEXTS_BYTES
"""Bytes of its answer: JSON may write a byte of text as six."""
