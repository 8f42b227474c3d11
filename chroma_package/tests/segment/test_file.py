from pathlib import Path

import numpy as np
import pytest
from receipt_chroma.digests import EMPTY_DIGEST, add_digests
from receipt_chroma.errors import SegmentInvalid
from receipt_chroma.records import Record, record_hash
from receipt_chroma.segment.content import Segment
from receipt_chroma.segment.file import encode_segment, read_segment
from receipt_dynamo_stream.round.report import ReceiptContent

from ..samples import receipt, word

A, B, C = receipt(1), receipt(2), receipt(3)
RECORDS = {
    C.key: [],
    B.key: [word(2, 1, of=B, document=None), word(1, 1, of=B, document="")],
    A.key: [word(1, 1, of=A, x=0.1, n=2**62, flag=True, tags=["ä", "\0"], f=1.0), word(1, 2, of=A, document="ß\n")],
}


def plain(records: tuple[Record, ...]) -> list[tuple[object, ...]]:
    return [(one.id, one.embedding.tobytes(), one.document, one.metadata) for one in records]


def test_what_is_written_is_read_with_the_same_bits() -> None:
    written = Segment.of(RECORDS)
    read = read_segment(encode_segment(written))
    assert read.receipts == written.receipts
    assert plain(read.records) == plain(written.records)
    assert [type(value) for value in read.records[0].metadata.values()] == [
        type(written.records[0].metadata[key]) for key in read.records[0].metadata
    ]


def test_a_segment_says_of_each_receipt_what_its_records_come_to_in_order_of_keys() -> None:
    assert Segment.of(RECORDS).receipts == (
        ReceiptContent(A.key, 2, add_digests(*map(record_hash, RECORDS[A.key]))),
        ReceiptContent(B.key, 2, add_digests(*map(record_hash, RECORDS[B.key]))),
        ReceiptContent(C.key, 0, EMPTY_DIGEST),
    )


def test_the_records_of_all_receipts_are_in_order_of_id() -> None:
    short, long = receipt(1), type(A)("image-001!", 1)  # '!' sorts before the '#' that ends a key's image
    ids = [
        record.id for record in Segment.of({short.key: [word(1, 1, of=short)], long.key: [word(1, 1, of=long)]}).records
    ]
    assert ids == sorted(ids)


def test_equal_content_has_equal_bytes_in_whatever_order_it_came() -> None:
    shuffled = {key: list(reversed(records)) for key, records in reversed(RECORDS.items())}
    assert encode_segment(Segment.of(shuffled)) == encode_segment(Segment.of(RECORDS))


def test_a_segment_that_was_read_is_written_to_the_same_bytes() -> None:
    content = encode_segment(Segment.of(RECORDS))
    read = read_segment(content)
    assert encode_segment(read) == content
    assert encode_segment(Segment.of(read.by_receipt())) == content


def test_a_segment_may_cover_receipts_that_are_gone_and_nothing_else() -> None:
    read = read_segment(encode_segment(Segment.of({C.key: []})))
    assert read.receipts == (ReceiptContent(C.key, 0, EMPTY_DIGEST),)
    assert (read.records, read.dimension, read.vectors.shape) == ((), None, (0, 0))


def test_a_segment_may_cover_nothing() -> None:
    assert read_segment(encode_segment(Segment.of({}))).receipts == ()


def test_a_file_is_read_as_its_bytes_are(tmp_path: Path) -> None:
    path = tmp_path / "segment.arrow"
    path.write_bytes(encode_segment(Segment.of(RECORDS)))
    assert plain(read_segment(path).records) == plain(Segment.of(RECORDS).records)


def test_a_file_that_is_not_there_is_no_matter_of_content(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_segment(tmp_path / "segment.arrow")


def test_the_vectors_lie_in_the_bytes_that_were_read_and_the_records_share_them() -> None:
    content = encode_segment(Segment.of(RECORDS))
    read = read_segment(content)
    memory = np.frombuffer(content, np.uint8)
    assert np.shares_memory(memory, read.vectors)
    assert all(np.shares_memory(record.embedding, read.vectors) for record in read.records)
    assert not read.vectors.flags.writeable


def test_what_is_beside_the_vectors_takes_a_tenth_of_the_file() -> None:
    metadata = {f"key_{number}": "a text of some length" for number in range(15)}
    records = [word(1 + n // 10, 1 + n % 10, of=A, dimension=1536, **metadata) for n in range(87)]
    assert len(encode_segment(Segment.of({A.key: records}))) < 1.2 * 87 * 1536 * 4


def test_vectors_of_two_lengths_are_no_segment() -> None:
    with pytest.raises(ValueError, match="one length"):
        Segment.of({A.key: [word(1, 1, of=A), word(1, 2, of=A, dimension=3)]})


@pytest.mark.parametrize("content", [b"", b"not arrow", b"ARROW1\0\0" * 40])
def test_other_bytes_are_unreadable(content: bytes) -> None:
    with pytest.raises(SegmentInvalid) as refused:
        read_segment(content)
    assert refused.value.problem == "unreadable"
