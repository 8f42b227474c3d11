"""A search for a deleted receipt's bytes finds them wherever they may lie, and nobody else's."""

import gzip
import io
import sqlite3
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from receipt_chroma import remains
from receipt_chroma.delta.arrow import encode_arrow
from receipt_chroma.remains import Found, Sought
from receipt_chroma.segment.content import Segment
from receipt_chroma.segment.file import encode_segment
from receipt_dynamo_stream.keys import ReceiptId

from .samples import receipt, vector, word

GONE = receipt(3)
WIDE = 1536
RECORDS = [word(1, number, of=GONE, dimension=WIDE) for number in (1, 2)]
VECTORS = tuple(one.embedding for one in RECORDS)
SOUGHT = Sought(GONE, VECTORS)
BOTH = Found(ids=True, vectors=frozenset({0, 1}))


def tar_of(name: str, content: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def zstd_of(content: bytes) -> bytes:
    return bytes(pa.Codec("zstd").compress(content, asbytes=True))


def arrow_stream_of(content: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    batch = pa.record_batch({"a": pa.array([content]).dictionary_encode()})
    with pa.ipc.new_stream(sink, batch.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue())


PLAIN = b"before" + GONE.key.encode() + b'"' + b"".join(one.tobytes() for one in VECTORS) + b"after"


@pytest.mark.parametrize(
    "content",
    [
        PLAIN,
        gzip.compress(PLAIN),
        gzip.compress(b"another member") + gzip.compress(PLAIN),
        zstd_of(PLAIN),
        tar_of("words/chroma.sqlite3", PLAIN),
        arrow_stream_of(PLAIN),
        encode_arrow(RECORDS),
        encode_segment(Segment.of({GONE.key: RECORDS})),
    ],
    ids=["plain", "gzip", "second member", "zstd", "tar.gz", "Arrow stream", "delta", "segment"],
)
def test_ids_and_vectors_are_found_packed_or_not(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "whatever"
    file.write_bytes(content)
    assert SOUGHT.in_file(file) == BOTH
    assert not Sought(receipt(4), (vector(77, WIDE),)).in_file(file)


def test_they_are_found_across_the_border_of_two_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    for size in (7, 64, 6143):
        monkeypatch.setattr(remains, "CHUNK", size)
        assert SOUGHT.in_stream(io.BytesIO(PLAIN)) == BOTH


def test_a_row_that_sqlite_deleted_is_found_in_its_unused_pages(tmp_path: Path) -> None:
    file = tmp_path / "chroma.sqlite3"
    database = sqlite3.connect(file)
    database.execute("PRAGMA secure_delete=OFF")
    database.execute("CREATE TABLE queue (id TEXT, vector BLOB)")
    for one in RECORDS:
        database.execute("INSERT INTO queue VALUES (?, ?)", (one.id, one.embedding.tobytes()))
    database.commit()
    database.execute("DELETE FROM queue")
    database.commit()
    assert SOUGHT.in_file(file) == BOTH
    database.execute("VACUUM")
    database.close()
    assert not SOUGHT.in_file(file)


@pytest.mark.parametrize("part", [slice(0, 64), slice(3000, 3200), slice(-40, None)])
def test_a_part_of_a_vector_is_found_at_any_byte(part: slice) -> None:
    for shift in range(9):
        assert SOUGHT.in_bytes(b"x" * shift + VECTORS[1].tobytes()[part] + b"y").vectors == {1}


@pytest.mark.parametrize(
    ("sought", "text", "there"),
    [
        (ReceiptId("a", 1), "IMAGE#a#RECEIPT#00001#LINE#00001", True),
        (ReceiptId("a", 1), "IMAGE#a#RECEIPT#000017", True),  # the next value of a row begins with a digit
        (ReceiptId("a", 1), "IMAGE#ba#RECEIPT#00001", False),
        (ReceiptId("a", 1), "IMAGE#a#RECEIPT#00011", False),
        (ReceiptId("a", 10000), "IMAGE#a#RECEIPT#100000#LINE#00001", False),
        (ReceiptId("a", 10000), "IMAGE#a#RECEIPT#100000 IMAGE#a#RECEIPT#10000", True),
        (ReceiptId('é"', 1), '"IMAGE#\\u00e9\\"#RECEIPT#00001"', True),
        (ReceiptId('é"', 1), '"IMAGE#é\\"#RECEIPT#00001"', True),
        (ReceiptId('é"', 1), 'IMAGE#é"#RECEIPT#00001', True),
    ],
)
def test_a_key_is_found_as_it_is_and_as_json_has_it_and_no_other_receipts(
    sought: ReceiptId, text: str, there: bool
) -> None:
    assert Sought(sought).in_bytes(text.encode()).ids is there


@pytest.mark.parametrize("pack", [gzip.compress, zstd_of, encode_arrow])
def test_what_cannot_be_unpacked_is_not_said_to_be_empty(tmp_path: Path, pack: Callable[..., bytes]) -> None:
    content = encode_arrow(RECORDS) if pack is encode_arrow else pack(PLAIN)
    file = tmp_path / "cut-off"
    file.write_bytes(content[: len(content) // 2])
    found = SOUGHT.in_file(file)
    assert found.unread is not None
    assert "cannot be unpacked" in found.unread


def test_zeros_are_nobodys() -> None:
    assert not Sought(GONE, (vector(1) * 0,)).in_bytes(bytes(4096))


def test_what_somebody_else_has_too_tells_nothing_and_the_rest_of_a_vector_still_does() -> None:
    """Sparse vectors have parts in common."""
    own, others = np.zeros(WIDE, np.float32), np.zeros(WIDE, np.float32)
    own[:3] = others[:3] = 0.25
    own[-3:] = 0.5
    elsewhere = others.tobytes()
    sought = Sought(GONE, (own, np.array(others)))
    assert sought.in_bytes(elsewhere).vectors == {0, 1}
    apart = replace(sought, shared=sought.pieces_in(elsewhere))
    assert apart.told_apart == 1, "the second one is somebody else's as a whole"
    assert not apart.in_bytes(elsewhere)
    assert apart.in_bytes(b"x" + own.tobytes()).vectors == {0}
