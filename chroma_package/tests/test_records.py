import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from receipt_chroma.digests import EMPTY_DIGEST, add_digests
from receipt_chroma.errors import DeltaMetadataInvalid
from receipt_chroma.records import Record, metadata_bytes, normal_metadata, record_hash
from receipt_chroma.shard.chroma_dir import ChromaDir

from .samples import vector, word

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
KEYS = TEXT.filter(lambda key: key != "" and not key.startswith(("#", "$", "chroma:")))
INTEGERS = st.integers(-(1 << 63), (1 << 63) - 1)
FLOATS = st.floats(allow_nan=False, allow_infinity=False, max_value=1.7e308, min_value=-1.7e308)
SCALARS = st.one_of(st.booleans(), INTEGERS, FLOATS, TEXT)
LISTS = st.one_of(*(st.lists(kind, min_size=1, max_size=3) for kind in (st.booleans(), INTEGERS, FLOATS, TEXT)))
METADATA = st.dictionaries(KEYS, st.one_of(SCALARS, LISTS), max_size=4)


def test_normal_metadata_comes_back_from_chroma_as_it_was_written(tmp_path: Path) -> None:
    with ChromaDir.create(tmp_path / "records", "words") as directory:
        number = 0

        @settings(max_examples=20)
        @given(st.lists(METADATA, min_size=1, max_size=8))
        def write_and_read(several: list[dict[str, object]]) -> None:
            nonlocal number
            number += 1
            records = [
                Record(f"record-{number}-{index}", vector(index), None, normal_metadata(metadata))
                for index, metadata in enumerate(several)
            ]
            directory.add(records)
            found = {record.id: record for record in directory.records([record.id for record in records])}
            for record in records:
                assert metadata_bytes(found[record.id].metadata) == metadata_bytes(record.metadata)
                assert found[record.id].same_vector(record)

        write_and_read()


@given(METADATA)
def test_the_normal_form_of_a_normal_form_is_itself(metadata: dict[str, object]) -> None:
    once = normal_metadata(metadata)
    assert metadata_bytes(normal_metadata(once)) == metadata_bytes(once)


@given(FLOATS)
def test_floats_keep_fifteen_digits(value: float) -> None:
    kept = normal_metadata({"x": value})["x"]
    assert isinstance(kept, float)
    assert math.isclose(kept, value, rel_tol=1e-14, abs_tol=1e-299)


@pytest.mark.parametrize(
    "metadata",
    [
        {"": 1},
        {"#document": "x"},
        {"$and": 1},
        {"chroma:document": "x"},
        {"k": float("nan")},
        {"k": float("inf")},
        {"k": 1.7976931348623157e308},
        {"k": [1.0, float("nan")]},
        {"k": 1 << 63},
        {"k": [-(1 << 63) - 1]},
        {"k": []},
        {"k": ["a", 1]},
        {"k": [1, True]},
        {"k": [None]},
        {"k": [["a"]]},
        {"k": {"a": 1}},
        {"k": b"bytes"},
        {"k": np.float32(1)},
        {"k": "\ud800"},
        {"\ud800": "k"},
        {1: "k"},
    ],
)
def test_what_chroma_would_refuse_drop_or_change_is_refused_by_name(metadata: dict[str, object]) -> None:
    with pytest.raises(DeltaMetadataInvalid):
        normal_metadata(metadata)


def test_ignored_keys_may_hold_anything() -> None:
    assert normal_metadata({"labels": [], "text": "MILK", "gone": None}, ignored={"labels"}) == {"text": "MILK"}


@pytest.mark.parametrize(
    "other",
    [
        word(1, 2),
        word(1, 1, seed=7),
        word(1, 1, document=None),
        word(1, 1, document=""),
        word(1, 1, text="MILD"),
        word(1, 1, extra=1),
    ],
    ids=["id", "vector", "no document", "empty document", "metadata value", "metadata key"],
)
def test_every_part_of_a_record_counts_in_its_hash(other: Record) -> None:
    assert record_hash(word(1, 1)) != record_hash(other)


def test_the_hash_tells_types_and_empty_documents_apart() -> None:
    base = word(1, 1, document=None, n=1)
    variants = [
        base,
        *(replace(base, metadata={"text": "MILK", "n": n}) for n in (1.0, True, "1", [1])),
        word(1, 1, document="", n=1),
    ]
    assert len({record_hash(record) for record in variants}) == len(variants)


@given(st.lists(st.integers(0, 50), unique=True), st.lists(st.integers(0, 50), unique=True))
def test_a_digest_is_updated_by_what_goes_and_what_comes(before: list[int], after: list[int]) -> None:
    hashes = {number: record_hash(word(1, 1, seed=number)) for number in {*before, *after}}
    whole = add_digests(*(hashes[number] for number in before))
    moved = add_digests(
        whole, *(-hashes[n] for n in before if n not in after), *(hashes[n] for n in after if n not in before)
    )
    assert moved == add_digests(*(hashes[number] for number in reversed(after)))


def test_no_records_have_the_empty_digest() -> None:
    assert add_digests() == EMPTY_DIGEST
