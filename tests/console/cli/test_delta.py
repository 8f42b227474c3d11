"""`compaction delta`: what a merge would say, and the rows."""

from pathlib import Path

import numpy as np
import pytest
from receipt_chroma import DeltaRecord, write_arrow_delta
from receipt_chroma.delta.arrow import encode_arrow
from receipt_dynamo_stream.keys import ReceiptId, word_record_id

from ...toy_stack.toy import ToyStack

RECEIPT = ReceiptId("3f52804b-2fad-4e00-92c8-b593da3a8ed3", 1)
ROWS = [
    DeltaRecord(word_record_id(RECEIPT, 1, n), np.full(8, n, np.float32), text, {"confidence": 0.5})
    for n, text in enumerate(["MILK", "[bold]2.99[/bold]", "EGGS"], 1)
]


@pytest.fixture
def delta(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)  # where no stack is
    path = tmp_path / "delta.arrow"
    path.write_bytes(write_arrow_delta(ROWS))
    return path


def test_a_good_file_needs_no_stack_and_exits_0(run, delta: Path) -> None:
    said = run("delta", "check", str(delta))
    assert (said.code, said.err) == (0, "")
    assert "takes it" in said.out
    assert run("delta", "check", str(delta), "--json").json == {
        "given": str(delta),
        "deltas": [
            {
                "collection": "words",
                "receipt": RECEIPT.key,
                "dimension": 8,
                "records": 3,
                "brings": None,
                "taken": True,
                "error": None,
                "message": None,
                "note": None,
            }
        ],
    }


def test_a_refused_file_exits_1_and_says_why(run, delta: Path) -> None:
    delta.write_bytes(encode_arrow([*ROWS, ROWS[0]]))
    for action in ("check", "show"):
        said = run("delta", action, str(delta))
        assert said.code == 1
        assert "refuses it as DuplicateRecord" in " ".join(said.out.split())
        assert "is in the delta twice" in " ".join(said.out.split())
    found = run("delta", "check", str(delta), "--json")
    assert (found.code, found.json["deltas"][0]["error"]) == (1, "DuplicateRecord")


def test_rows_are_shown_as_they_are(run, delta: Path) -> None:
    said = run("delta", "show", str(delta), "-n", "2")
    assert said.code == 0
    assert "3f52804b 1/1/2" in said.out
    assert "[bold]2.99[/bold]" in said.out
    assert "EGGS" not in said.out
    assert "Not shown: 1 more" in said.out
    (shown,) = run("delta", "show", str(delta), "-n", "1", "--json").json["deltas"]
    assert shown["rows"] == [
        {"id": ROWS[0].id, "document": "MILK", "metadata": {"confidence": 0.5}, "norm": pytest.approx(8**0.5)}
    ]


def test_what_is_no_delta_is_a_wrong_argument(run, delta: Path) -> None:
    assert run("delta", "check", "gone.arrow").error_line.endswith("gone.arrow is not there")
    assert run("delta", "check", str(delta), "--receipt", "1").code == 2
    said = run("delta", "check", "7b1f7c1e")  # a run needs a stack
    assert (said.code, "compaction up" in said.error_line) == (2, True)


def test_a_run_is_checked_with_its_receipt(run, stack: ToyStack) -> None:
    stack.quarantine("words", "7b1f7c1e")
    said = run("delta", "check", "7b1f")
    assert said.code == 1
    assert "refuses it as RunTimeInvalid" in " ".join(said.out.split())
    assert run("delta", "check", "7b1f", "--dimension", "8").code == 2
    assert run("delta", "check", "nothing").error_line.startswith("compaction: no run nothing")


def test_a_prefix_of_another_bucket_is_said_to_need_it_until_it_is_named(run, stack: ToyStack) -> None:
    stack.s3.create_bucket(Bucket="uploads")
    stack.s3.put_object(Bucket="uploads", Key="w/delta.arrow", Body=write_arrow_delta(ROWS))
    check = ("delta", "check", "s3://uploads/w/", "--collection", "words")
    assert "delta_buckets" in run(*check).out
    named = run(*check, "--delta-bucket", "others", "--delta-bucket", "uploads")
    assert (named.code, "delta_buckets" in named.out) == (0, False)
