import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from receipt_chroma import write_arrow_delta
from receipt_chroma.delta import bounds
from receipt_chroma.delta.arrow import encode_arrow, read_arrow_delta
from receipt_chroma.derived import derived_keys
from receipt_chroma.errors import DeltaRefused
from receipt_chroma.records import Record

from ..samples import receipt, row, word
from .strangers import read, shown

GOOD = [word(1, 1, x=0.25, tags=["a"]), word(1, 2, document=None)]


def test_what_is_written_is_what_a_merge_reads() -> None:
    assert shown(read("arrow", {"delta.arrow": write_arrow_delta(GOOD)})) == shown(GOOD)
    assert read_arrow_delta(write_arrow_delta([])) == []
    assert len(read_arrow_delta(write_arrow_delta([row(1), row(2)]))) == 2


SPOILT: dict[str, Callable[[Record], Any]] = {
    "ForeignRecord of another receipt": lambda _: word(1, 2, of=receipt(9)),
    "ForeignRecord of the other collection": lambda _: row(1),
    "ForeignRecord without a key": lambda one: replace(one, id="word-2"),
    "DuplicateRecord": lambda one: replace(one, id=GOOD[0].id),
    "WrongDimension": lambda one: replace(one, embedding=one.embedding[:3]),
    "InvalidVector of zeros": lambda one: replace(one, embedding=np.zeros_like(one.embedding)),
    "InvalidVector beyond 32 bits": lambda one: {"id": one.id, "embedding": [1e300] * 8},
    "InvalidVector with NaN": lambda one: {"id": one.id, "embedding": [float("nan")] * 8},
    "DeltaMetadataInvalid with NaN": lambda one: replace(one, metadata={"x": float("nan")}),
    "DeltaMetadataInvalid nested": lambda one: replace(one, metadata={"x": {"y": 1}}),
    "DeltaTooLarge": lambda one: replace(one, document="x" * 70_000),
}


@pytest.mark.parametrize(("case", "spoil"), SPOILT.items(), ids=SPOILT)
def test_what_a_merge_would_refuse_is_refused_at_the_producer_as_the_same(
    case: str, spoil: Callable[[Record], Any]
) -> None:
    with pytest.raises(DeltaRefused) as at_the_producer:
        write_arrow_delta([GOOD[0], spoil(GOOD[1])])
    assert type(at_the_producer.value).__name__ == case.split()[0]


@pytest.mark.parametrize(
    "case", [case for case in SPOILT if case not in ("WrongDimension", "DeltaMetadataInvalid nested")]
)
def test_the_merge_says_the_same_of_what_a_careless_producer_writes(case: str) -> None:
    spoilt = SPOILT[case](GOOD[1])
    record = spoilt if isinstance(spoilt, Record) else replace(GOOD[1], embedding=np.array(spoilt["embedding"], float))
    with np.errstate(over="ignore"):
        content = encode_arrow([GOOD[0], record])
    with pytest.raises(DeltaRefused) as at_the_merge:
        read("arrow", {"delta.arrow": content})
    assert type(at_the_merge.value).__name__ == case.split()[0]


def test_the_document_for_producers_has_the_bounds_that_are_held() -> None:
    document = (Path(__file__).parents[3] / "docs" / "producers.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"^\| (.+?) \| ([\d,; ]+(?: MB| KB each)?) \|$", document, re.MULTILINE))
    assert told == {
        "bytes of a delta, as uploaded and as it unpacks": f"{bounds.MAX_DELTA_BYTES >> 20} MB",
        "records": f"{bounds.MAX_RECORDS:,}",
        "floats of a vector; bytes of all vectors": f"{bounds.MAX_DIMENSION:,}; {bounds.MAX_VECTOR_BYTES >> 20} MB",
        "a document; a record's metadata as JSON": f"{bounds.MAX_TEXT_BYTES >> 10} KB each",
        "ids, documents and metadata together": f"{bounds.MAX_TEXTS_BYTES >> 20} MB",
        "metadata keys; bytes of a key; values of a list": (
            f"{bounds.MAX_KEYS}; {bounds.MAX_KEY_BYTES}; {bounds.MAX_LIST:,}"
        ),
        "files of a tar or directory; bytes of a name": f"{bounds.MAX_FILES:,}; {bounds.MAX_NAME_BYTES:,}",
    }


@pytest.mark.parametrize("collection", ["lines", "words"])
def test_the_document_for_producers_names_every_key_that_the_table_decides(collection: str) -> None:
    document = (Path(__file__).parents[3] / "docs" / "producers.md").read_text(encoding="utf-8")
    assert [key for key in derived_keys(collection) if f"`{key}`" not in document] == []
