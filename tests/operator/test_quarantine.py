"""A corrupt delta waits in quarantine until a person retries it or gives it up."""

import pytest

from local.demo.samples.delta_files import delta_files

from .desk import DIMENSION, Desk

RUNS = "RECEIPT#{0.receipt_id:05d}#COMPACTION_RUN#"


def refused(desk: Desk) -> str:
    """The id of a run whose words delta is cut off; its lines delta is, too."""
    receipt = desk.receipts[0]
    desk.write(receipt)
    desk.settle_down()
    run_id = desk.producer.announce(receipt, "truncated").run_id
    assert run_id is not None
    desk.settle_down()
    return run_id


@pytest.mark.slow
def test_a_delta_that_was_uploaded_again_is_merged_after_a_retry(desk: Desk) -> None:
    run_id = refused(desk)
    runs = desk.run("quarantine", "list", "--json").json["runs"]
    assert {(run["run_id"], run["collection"], run["error"]) for run in runs} == {
        (run_id, collection, "DeltaCorrupt") for collection in ("lines", "words")
    }
    for collection in ("lines", "words"):
        for name, content in delta_files(desk.receipts[0], collection, DIMENSION, "arrow").items():
            desk.stack.client("s3").put_object(
                Bucket=desk.stack.connection.bucket, Key=f"{collection}/delta/{run_id}/{name}", Body=content
            )
    desk.run("quarantine", "retry", run_id[:8])
    desk.settle_down()
    assert desk.run("quarantine", "list", "--json").json["runs"] == []
    for collection in ("lines", "words"):  # the model also wants the run COMPLETED: its delta is good now
        assert desk.verdict(collection).differences == ()


@pytest.mark.slow
def test_a_retry_of_what_is_still_corrupt_comes_back(desk: Desk) -> None:
    run_id = refused(desk)
    desk.run("quarantine", "retry", run_id, "--collection", "words")
    desk.settle_down()
    runs = desk.run("quarantine", "list", "words", "--json").json["runs"]
    assert [run["run_id"] for run in runs] == [run_id]
    assert desk.verdict().equal


@pytest.mark.slow
def test_a_dropped_run_stays_failed_and_is_never_merged(desk: Desk) -> None:
    run_id = refused(desk)
    answer = desk.run("quarantine", "drop", run_id, "--why", "the upload was cut off", "--yes", "--json").json
    assert answer["states"] == {"lines": "FAILED", "words": "FAILED"}
    desk.run("reconcile")
    desk.run("start", "words", "--wait")
    desk.run("start", "lines", "--wait")
    desk.settle_down()
    assert desk.run("quarantine", "list", "--json").json["runs"] == []
    for collection in ("lines", "words"):  # the model wants it FAILED and none of its records
        assert desk.verdict(collection).differences == ()


@pytest.mark.slow
def test_what_is_left_out_without_being_refused_is_noted_for_as_long_as_it_is(desk: Desk) -> None:
    def notes(collection: str = "words") -> list[tuple[str, str]]:
        listed = desk.run("quarantine", "list", collection, "--notes", "--json").json
        assert listed["runs"] == []
        return [(note["run_id"], note["note"]) for note in listed["notes"]]

    receipt = desk.receipts[0]
    desk.write(receipt)
    desk.settle_down()
    table, dynamodb = desk.stack.connection.receipts_table, desk.stack.client("dynamodb")
    (run,) = dynamodb.query(
        TableName=table,
        KeyConditionExpression="PK = :pk AND begins_with(SK, :run)",
        ExpressionAttributeValues={":pk": {"S": f"IMAGE#{receipt.image_id}"}, ":run": {"S": RUNS.format(receipt)}},
    )["Items"]
    run_id = run["run_id"]["S"]
    assert notes() == []

    def state() -> tuple[str, str | None]:
        item = dynamodb.get_item(TableName=table, Key={name: run[name] for name in ("PK", "SK")})["Item"]
        return item["words_state"]["S"], item.get("words_note", {}).get("S")

    word_id = next(one for one in desk.published() if "#WORD#" in one)
    key = {"PK": run["PK"], "SK": {"S": word_id.removeprefix(f"{run['PK']['S']}#")}}
    word = dynamodb.get_item(TableName=table, Key=key)["Item"]
    dynamodb.delete_item(TableName=table, Key=key)
    desk.settle_down()
    assert notes() == [(run_id, "RecordsLeftOut")]
    assert state()[0] == "COMPLETED"
    assert word_id in (state()[1] or "")
    dynamodb.put_item(TableName=table, Item=word)
    desk.settle_down()
    assert (notes(), state()) == ([], ("COMPLETED", None))

    before = desk.published()
    s3, bucket, prefix = desk.stack.client("s3"), desk.stack.connection.bucket, run["words_delta_prefix"]["S"]
    for stored in s3.list_objects_v2(Bucket=bucket, Prefix=prefix)["Contents"]:
        s3.put_object(Bucket=bucket, Key=stored["Key"], Body=b"damaged")
    desk.run("reconcile", "words")
    desk.run("start", "words", "--wait")
    assert notes() == [(run_id, "DeltaCorrupt")]
    assert state()[0] == "COMPLETED"
    assert desk.published() == before
