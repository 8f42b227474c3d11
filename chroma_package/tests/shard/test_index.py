"""The index of a base is searched without being read whole, and every line says what the whole index says."""

import os
from pathlib import Path
from typing import Any

import pytest
from receipt_chroma.errors import ShardInvalid
from receipt_chroma.shard import index
from receipt_chroma.shard.index import encode_index, find_receipt, read_index
from receipt_dynamo_stream.keys import ReceiptId
from receipt_dynamo_stream.round.report import ReceiptContent


def contents(count: int, *, longest: int = 0) -> list[ReceiptContent]:
    """Receipts whose keys have every length up to `longest` characters more, some of them not ASCII."""
    names = [f"{number:07d}-é-{'x' * (number * 37 % (longest + 1))}" for number in range(count)]
    return [
        ReceiptContent(ReceiptId(name, 1).key, 1 + number % 90, f"{number + 1:064x}")
        for number, name in enumerate(names)
    ]


@pytest.mark.parametrize(("count", "longest"), [(0, 0), (1, 0), (99, 0), (3_000, 0), (300, 700), (40, 9_000)])
def test_every_receipt_is_found_with_the_place_of_its_rows_and_no_other_is(
    tmp_path: Path, count: int, longest: int
) -> None:
    of = contents(count, longest=longest)
    (tmp_path / "receipts.json").write_bytes(encode_index(of))
    whole = read_index((tmp_path / "receipts.json").read_bytes())
    assert whole == {one.key: one for one in of}
    first = 0
    for number, (key, content) in enumerate(whole.items()):
        if count < 1_000 or number % 97 in (0, 96):
            assert find_receipt(tmp_path, key) == (content, first)
            assert find_receipt(tmp_path, f"{key}0") is None
        first += content.records
    assert find_receipt(tmp_path, "IMAGE#") is None
    assert find_receipt(tmp_path, "~") is None


def test_a_lookup_reads_the_logarithm_of_the_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[int] = []

    def counted(descriptor: int, count: int, place: int) -> bytes:
        content = os.pread(descriptor, count, place)
        reads.append(len(content))
        return content

    of = contents(20_000)
    (tmp_path / "receipts.json").write_bytes(encode_index(of))
    size = (tmp_path / "receipts.json").stat().st_size
    monkeypatch.setattr(index, "_pread", counted)
    assert find_receipt(tmp_path, of[12_345].key) is not None
    assert len(reads) < 12
    assert sum(reads) < 40_000 < size / 50


@pytest.mark.parametrize(
    "line", [b'["a", 1, 2]', b'["a", "1", 2, "00"]', b'["a", 1, true, "00"]', b'["a", 1, 2, "xyz"]', b"[[[[", b"\xff"]
)
def test_a_line_that_is_none_is_refused(tmp_path: Path, line: Any) -> None:
    (tmp_path / "receipts.json").write_bytes(b"[\n" + line + b"\n]\n")
    with pytest.raises(ShardInvalid, match="cannot be read"):
        find_receipt(tmp_path, "a")
