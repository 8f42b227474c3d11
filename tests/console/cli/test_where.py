"""`compaction where`: what it prints, its JSON, and how it refuses."""

import pytest
from receipt_dynamo_stream.keys import ReceiptId

from ...toy_stack.toy import ToyStack

RUN = "7b1f7c1e-6f0a-4a3b-9a53-0d2b8f6a1c11"


@pytest.fixture
def told(stack: ToyStack) -> ToyStack:
    """A receipt with a refused run of words, and a change that waits."""
    stack.receipt("aaaa", 1)
    stack.quarantine("words", RUN)
    stack.dynamodb.update_item(
        TableName=stack.connection.receipts_table,
        Key={"PK": {"S": "IMAGE#aaaa"}, "SK": {"S": f"RECEIPT#00001#COMPACTION_RUN#{RUN}"}},
        UpdateExpression="SET words_delta_prefix = :prefix",
        ExpressionAttributeValues={":prefix": {"S": f"words/delta/{RUN}/"}},
    )
    stack.control.pending("lines").mark(
        {ReceiptId("aaaa", 1): ["MODIFY [bold]PLACE"]}, now="2026-07-28T12:00:00+00:00", new_token=lambda: "once"
    )
    return stack


@pytest.mark.parametrize("columns", ["60", "80"])
def test_it_says_what_waits_and_what_was_refused_at_any_width(
    run, told: ToyStack, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    said = run("where", "aaaa/1")
    assert (said.code, said.err) == (0, "")
    lines, words = said.out.split("\nwords: ")
    assert "IMAGE#aaaa#RECEIPT#00001" in lines
    assert "lines: waiting" in lines
    assert "MODIFY [bold]PLACE" in " ".join(lines.split()), "what it came of is text, not markup"
    assert words.startswith("quarantined")
    assert f"{RUN}: DeltaCorrupt: the footer is cut off" in " ".join(words.split())
    assert max(map(len, said.out.splitlines())) <= int(columns)


def test_it_answers_of_one_collection_as_json_by_the_key_too(run, told: ToyStack) -> None:
    said = run("where", "IMAGE#aaaa#RECEIPT#00001", "lines", "--json").json
    assert (said["receipt"], said["exists"]) == ("IMAGE#aaaa#RECEIPT#00001", True)
    (lines,) = said["collections"].values()
    assert (lines["state"], lines["records"], lines["runs"]) == ("waiting", 0, [])
    assert lines["pending"]["since"] == "2026-07-28T12:00:00+00:00"


def test_what_is_no_receipt_and_what_nothing_knows_are_lines_that_say_what_to_do(run, stack: ToyStack) -> None:
    wrong, unknown = run("where", "aaaa"), run("where", "aaaa/2")
    assert (wrong.code, unknown.code) == (2, 2)
    assert "give IMAGE/RECEIPT, such as" in wrong.error_line
    assert "no receipt aaaa/2" in unknown.error_line
    assert "`compaction doctor`" in unknown.error_line
