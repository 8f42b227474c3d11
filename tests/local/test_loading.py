"""A file of words becomes receipts, and a file that is none is refused before anything is written."""

import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pytest
from moto import mock_aws
from receipt_chroma import read_delta
from receipt_chroma.records import Record
from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.keys import ReceiptId
from receipt_dynamo_stream.read_facts import read_facts

from local.aws.resources import create_bucket, create_tables
from local.errors import LoadRefused
from local.loading import Loaded, load, read_rows
from local.names import BUCKET, RECEIPTS_TABLE
from operate.contents.embedder import Embedder
from operate.errors import UsageError

NOW = "2026-07-28T12:00:00+00:00"
CSV = """receipt,line,word,text
scan-7,1,1,ORG
scan-7,1,2,"MILK, 1 l"
scan-7,2,1,2.99
scan-7/2,1,1,EGGS
"""
VECTORS = """\
{"receipt": "IMAGE#a#RECEIPT#00003", "line": 1, "word": 1, "text": "ORG", "vector": [1, 0.5]}

{"receipt": "IMAGE#a#RECEIPT#00003", "line": 2, "word": 1, "text": "MILK", "vector": [2, 0.5]}
{"receipt": "IMAGE#a#RECEIPT#00003", "line": 2, "text": "MILK of the line", "vector": [3, 0.5]}
"""


def by_length(texts: Sequence[str], _dimension: int | None) -> list[list[float]]:
    return [[len(text), 1.0] for text in texts]


EMBEDDER = Embedder("test:by_length", by_length)


class Loader:
    """Empty tables and an empty bucket, and what is loaded into them."""

    def __init__(self) -> None:
        self.dynamodb, self.s3 = boto3.client("dynamodb", "us-east-1"), boto3.client("s3", "us-east-1")
        create_tables(self.dynamodb)
        create_bucket(self.s3)
        self.numbers = itertools.count(1)

    def __call__(self, path: Path, embedder: Embedder = EMBEDDER, now: str = NOW) -> Loaded:
        return load(
            read_rows([path]),
            dynamodb=self.dynamodb,
            table=RECEIPTS_TABLE,
            bucket=Bucket(self.s3, BUCKET),
            embedder=embedder,
            now=now,
            new_run_id=lambda: f"run-{next(self.numbers)}",
        )

    def records(self, receipt: ReceiptId, collection: str) -> list[Record]:
        facts = read_facts(self.dynamodb, RECEIPTS_TABLE, receipt, collection)
        assert facts.exists
        prefix = facts.runs[-1].delta_prefix
        return read_delta(Bucket(self.s3, BUCKET), prefix, collection=collection, receipt=receipt, dimension=2)


@pytest.fixture
def loader() -> Any:
    with mock_aws():
        yield Loader()


def shown(records: Sequence[Record]) -> list[tuple[str, str | None, list[float]]]:
    return [(one.id.partition("#LINE#")[2], one.document, one.embedding.tolist()) for one in records]


def test_rows_without_vectors_are_embedded_and_lines_are_put_together(loader: Loader, tmp_path: Path) -> None:
    (tmp_path / "words.csv").write_text(CSV)
    assert loader(tmp_path / "words.csv") == Loaded(receipts=2, lines=3, words=4)
    first, second = ReceiptId("scan-7", 1), ReceiptId("scan-7", 2)
    assert shown(loader.records(first, "words")) == [
        ("00001#WORD#00001", "ORG", [3, 1]),
        ("00001#WORD#00002", "MILK, 1 l", [9, 1]),
        ("00002#WORD#00001", "2.99", [4, 1]),
    ]
    assert shown(loader.records(first, "lines")) == [("00001", "ORG MILK, 1 l", [13, 1]), ("00002", "2.99", [4, 1])]
    facts = read_facts(loader.dynamodb, RECEIPTS_TABLE, first, "words")
    assert (facts.lines, facts.words) == ({1, 2}, {(1, 1), (1, 2), (2, 1)})
    assert (facts.timestamp_added, facts.runs[0].created_at) == (NOW, NOW)
    assert len(loader.records(second, "words")) == 1


def test_given_vectors_are_taken_and_a_line_without_one_has_no_record(loader: Loader, tmp_path: Path) -> None:
    (tmp_path / "words.jsonl").write_text(VECTORS)
    receipt = ReceiptId("a", 3)

    def never(texts: Sequence[str], _dimension: int | None) -> list[list[float]]:
        raise AssertionError(f"embedded {texts}")

    assert loader(tmp_path / "words.jsonl", Embedder("test:never", never)) == Loaded(receipts=1, lines=1, words=2)
    assert [one.embedding.tolist() for one in loader.records(receipt, "words")] == [[1, 0.5], [2, 0.5]]
    assert shown(loader.records(receipt, "lines")) == [("00002", "MILK of the line", [3, 0.5])]
    assert read_facts(loader.dynamodb, RECEIPTS_TABLE, receipt, "lines").lines == {1, 2}


def test_loading_again_announces_another_run_of_the_same_receipts(loader: Loader, tmp_path: Path) -> None:
    (tmp_path / "words.csv").write_text(CSV)
    assert loader(tmp_path / "words.csv") == loader(tmp_path / "words.csv")
    facts = read_facts(loader.dynamodb, RECEIPTS_TABLE, ReceiptId("scan-7", 1), "words")
    assert [run.run_id for run in facts.runs] == ["run-1", "run-3"]


def test_what_an_earlier_load_brought_of_a_receipt_stays(loader: Loader, tmp_path: Path) -> None:
    receipt = ReceiptId("scan-7", 1)
    for line, now in ((1, NOW), (2, "2026-07-28T12:00:01+00:00")):
        (tmp_path / "words.csv").write_text(f"receipt,line,word,text\nscan-7,{line},1,ORG\n")
        loader(tmp_path / "words.csv", now=now)
    facts = read_facts(loader.dynamodb, RECEIPTS_TABLE, receipt, "words")
    assert facts.words == {(1, 1), (2, 1)}
    assert facts.timestamp_added == NOW, "a later one would make the first run one of an earlier receipt"


ROW: dict[str, Any] = {"receipt": "a", "line": 1, "word": 1, "text": "x"}
REFUSED: dict[str, tuple[str, str]] = {
    "no such column": ("receipt,line,text\na,1,x\n", "no column word"),
    "no rows": ("receipt,line,word,text\n", "no row to load"),
    "a line that is no number": ("receipt,line,word,text\na,one,1,x\n", ":2: line 'one' is no whole number"),
    "no text": ("receipt,line,word,text\na,1,1,\n", ":2: text is missing"),
    "no receipt": ("receipt,line,word,text\n,1,1,x\n", ":2: receipt '' is no name"),
    "a key that is none": ("receipt,line,word,text\nIMAGE#a,1,1,x\n", "is not a receipt key"),
    "twice": ("receipt,line,word,text\na,1,1,x\na/1,1,1,y\n", ":3: this line and word"),
    "a vector that is none": ('receipt,line,word,text,vector\na,1,1,x,"{}"\n', "no JSON array"),
    "a vector of lists": ('receipt,line,word,text,vector\na,1,1,x,"[[1]]"\n', ":2: vector is no JSON array of floats"),
    "a vector too deep": (f'receipt,line,word,text,vector\na,1,1,x,"{"[" * 9_999}"\n', ":2: vector is no JSON array"),
    "a vector of nothing": ('receipt,line,word,text,vector\na,1,1,x,"[]"\n', "finite and not all zeros"),
    "a vector of zeros": ('receipt,line,word,text,vector\na,1,1,x,"[0,0]"\n', "finite and not all zeros"),
    "a vector that is not finite": ('receipt,line,word,text,vector\na,1,1,x,"[1,NaN]"\n', "finite and not all zeros"),
    "a vector beyond float32": ('receipt,line,word,text,vector\na,1,1,x,"[1,1e300]"\n', "finite and not all zeros"),
    "vectors of two lengths": ('receipt,line,word,text,vector\na,1,1,x,[1]\nb,1,1,x,"[1,2]"\n', "of [1, 2] floats"),
    "a comma without quotes": ("receipt,line,word,text\na,1,1,12,99\n", ":2: more values than columns"),
    "a text too long": (f"receipt,line,word,text\na,1,1,{'x' * 140_000}\n", ":2: the text has more than 65536 bytes"),
    "too many words": (
        "receipt,line,word,text\n" + "".join(f"a,1,{word},x\n" for word in range(10_001)),
        "IMAGE#a#RECEIPT#00001 has 10001 rows",
    ),
    "some vectors": ('receipt,line,word,text,vector\na,1,1,x,"[1]"\na,1,2,y,\n', "all or none"),
}


@pytest.mark.parametrize(("content", "why"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_rows_of_words_is_refused_with_its_line(tmp_path: Path, content: str, why: str) -> None:
    (tmp_path / "words.csv").write_text(content)
    with pytest.raises(LoadRefused) as refused:
        read_rows([tmp_path / "words.csv"])
    assert why in str(refused.value)


NO_ROWS: tuple[dict[str, Any], ...] = (
    {"vector": [1, "x"]},
    {"text": 7},
    {"text": "\ud800"},
    {"receipt": "\ud800"},
)


@pytest.mark.parametrize("content", ["{", "[]", *(json.dumps(ROW | one) for one in NO_ROWS)])
def test_json_that_is_no_row_is_refused_with_its_line(tmp_path: Path, content: str) -> None:
    (tmp_path / "words.jsonl").write_text(f"{json.dumps(ROW)}\n{content}\n")
    with pytest.raises(LoadRefused, match=":2: "):
        read_rows([tmp_path / "words.jsonl"])


def test_a_file_of_another_kind_or_that_is_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text(CSV)
    for name in ("words.txt", "gone.csv"):
        with pytest.raises(LoadRefused):
            read_rows([tmp_path / name])


def test_nothing_is_written_when_the_embedder_gives_no_vectors(loader: Loader, tmp_path: Path) -> None:
    (tmp_path / "words.csv").write_text(CSV)
    with pytest.raises(UsageError):
        loader(tmp_path / "words.csv", Embedder("test:broken", lambda texts, _: np.zeros(len(texts))))
    assert loader.dynamodb.scan(TableName=RECEIPTS_TABLE)["Count"] == 0
