"""What versions hold, how they differ and what they brought, as the real machine left them."""

from dataclasses import replace
from pathlib import Path

import pytest
from receipt_dynamo_stream.keys import ReceiptId

from operate.contents.contents import Contents
from operate.contents.merged import what_came, what_merged
from operate.errors import VersionRefused
from operate.stack import Stack

from .desk import Desk


@pytest.mark.slow
def test_every_record_that_a_reader_sees_is_listed_with_and_without_the_file_system(desk: Desk, tmp_path: Path) -> None:
    desk.write(*desk.receipts[:2])
    desk.settle_down()
    expected = desk.published()
    for connection in (desk.stack.connection, replace(desk.stack.connection, efs_root=None)):
        with Contents(Stack(connection), cache=tmp_path) as contents:
            page = contents.records("words", None, limit=1_000)
            assert [record.id for record in page.records] == sorted(expected)
            assert {record.id: (record.document, record.metadata) for record in page.records} == expected
            listed = {one.receipt: one.records for one in contents.receipts("words", None)}
            assert sum(listed.values()) == page.total == len(expected)
            for receipt in desk.receipts[:2]:
                key = ReceiptId(receipt.image_id, receipt.receipt_id).key
                assert contents.records("words", None, receipt=key, limit=0).total == listed[key]


@pytest.mark.slow
def test_a_label_edit_and_a_rollback_are_seen_in_the_comparison(desk: Desk) -> None:
    receipt = desk.receipts[0]
    desk.write(receipt, desk.receipts[1])
    first = desk.settle_down()
    desk.run("pin", "words", str(first))
    desk.producer.relabel(receipt, receipt.labels[0], "LOYALTY_ID")
    desk.producer.delete_receipt(desk.receipts[1])
    second = desk.settle_down()
    found = desk.run("compare", "words", str(first), str(second), "--json").json
    assert (found["added"], found["removed"] > 0, found["changed"]) == (0, True, 1)
    (change,) = found["changed_records"]
    assert (change["document"], change["vector"]) == (None, False)
    assert "LOYALTY_ID" in str(change["metadata"])
    before = {
        hit["id"]
        for hit in desk.run("query", "words", "total", "-n", "99", "--version", str(first), "--json").json["hits"]
    }
    after = {hit["id"] for hit in desk.run("query", "words", "total", "-n", "99", "--json").json["hits"]}
    assert len(before - after) > 0
    for given, said in (
        ((), "Embedded by"),
        (("--where", '{"merchant_name": "nobody"}'), "No record fits the filter."),
    ):
        assert said in desk.run("query", "words", "total", *given).out
    back = desk.run("rollback", "words", str(first), "--yes", "--json").json["version"]
    assert "Added" in desk.run("compare", "words", str(second), str(back)).out
    found = desk.run("compare", "words", str(first), str(back), "--json").json
    assert (found["added"], found["removed"], found["changed"], found["skipped"]) == (0, 0, 0, found["shards"])
    came = what_came(Stack(desk.stack.connection), "words", str(back))
    assert came.took_up == desk.versions()[first]["snapshot_id"]
    assert came.merged is None


@pytest.mark.slow
def test_what_each_version_brought_adds_up_to_what_its_row_counts(desk: Desk) -> None:
    desk.write(*desk.receipts[:2])
    desk.settle_down()
    run_id = desk.producer.announce(desk.receipts[0], "truncated").run_id
    desk.settle_down()
    receipt = desk.receipts[1]
    desk.producer.relabel(receipt, receipt.labels[0], "LOYALTY_ID")
    desk.settle_down()
    operator = Stack(desk.stack.connection)
    versions = desk.versions()
    assert versions
    brought = [what_came(operator, "words", str(number)) for number in sorted(versions)]
    for came in brought:
        assert came.merged is not None, came.problem
        row = versions[came.version]
        assert came.merged.counts == row["counts"]
        assert came.merged.problems == ()
        assert came.merged.snapshot_id == row["snapshot_id"]
        for name, count in row["counts"].items():
            assert sum(receipt.counts[name] for receipt in came.merged.receipts if receipt.counts) == count
        assert came.merged in what_merged(operator, "words", came.merged.execution)
    assert brought[0].merged is not None
    assert (
        sum(one.counts["added"] for one in brought[0].merged.receipts if one.counts)
        == versions[min(versions)]["records"]
    )
    executions = {execution["name"] for execution in desk.run("history", "words", "--all", "--json").json["executions"]}
    rounds = [merged for name in executions for merged in what_merged(operator, "words", name)]
    assert {merged.version for merged in rounds} - {None} == set(versions)
    refused = [refusal for merged in rounds for refusal in merged.refusals]
    assert {(refusal.run_id, refusal.error) for refusal in refused} == {(run_id, "DeltaCorrupt")}


@pytest.mark.slow
def test_an_expired_version_is_refused_but_says_what_it_brought(desk: Desk) -> None:
    receipt = desk.receipts[0]
    desk.write(receipt)
    first = desk.settle_down()
    for name in ("ITEM_ONE", "ITEM_TWO", "ITEM_THREE"):
        receipt = desk.producer.relabel(receipt, receipt.labels[0], name).receipt
        desk.settle_down()
    said = desk.try_to("compare", "words", str(first), str(first + 1))
    assert (said.code, "EXPIRED" in said.err) == (2, True)
    operator = Stack(desk.stack.connection)
    with Contents(operator) as contents, pytest.raises(VersionRefused):
        contents.search("words", str(first), text="total")
    came = what_came(operator, "words", str(first))
    assert came.merged is not None
    assert came.merged.state == "expired"
