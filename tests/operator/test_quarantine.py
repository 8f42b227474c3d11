"""A corrupt delta waits in quarantine until a person retries it or gives it up."""

from local.demo.samples.delta_files import delta_files

from .desk import DIMENSION, Desk


def refused(desk: Desk) -> str:
    """The id of a run whose words delta is cut off; its lines delta is, too."""
    receipt = desk.receipts[0]
    desk.write(receipt)
    desk.settle_down()
    run_id = desk.producer.announce(receipt, "truncated").run_id
    assert run_id is not None
    desk.settle_down()
    return run_id


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


def test_a_retry_of_what_is_still_corrupt_comes_back(desk: Desk) -> None:
    run_id = refused(desk)
    desk.run("quarantine", "retry", run_id, "--collection", "words")
    desk.settle_down()
    runs = desk.run("quarantine", "list", "words", "--json").json["runs"]
    assert [run["run_id"] for run in runs] == [run_id]
    assert desk.verdict().equal


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
