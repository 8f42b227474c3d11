import pytest
from receipt_dynamo_stream import (
    DeltaLocation,
    KeyMalformed,
    ReceiptId,
    delta_location,
    is_compaction_run,
    is_embeddings_completed,
    parse_compaction_run,
)

from .samples import IMAGE, NOW, NULL, RUN, SORT_KEYS, item, number, run_item


def test_a_run_is_read_from_its_item() -> None:
    run = parse_compaction_run(run_item(words_state="FAILED", words_error="DeltaCorrupt: bad"))
    assert (run.receipt, run.run_id, run.created_at) == (ReceiptId(IMAGE, 1), RUN, NOW)
    assert run.of("lines").delta_prefix == f"lines/delta/{RUN}/"
    assert (run.of("lines").state, run.of("lines").error) == ("PENDING", None)
    assert (run.of("words").state, run.of("words").error) == ("FAILED", "DeltaCorrupt: bad")
    with pytest.raises(ValueError, match="no collection 'pages'"):
        run.of("pages")


def test_what_a_run_does_not_say_has_a_default() -> None:
    run = parse_compaction_run(item(SORT_KEYS["COMPACTION_RUN"], lines_delta_prefix=NULL, lines_merged_vectors=NULL))
    assert (run.lines.delta_prefix, run.lines.state, run.lines.merged_vectors) == ("", "PENDING", 0)


def test_only_the_key_makes_an_item_a_run() -> None:
    assert is_compaction_run(run_item())
    assert not is_compaction_run(item(SORT_KEYS["RECEIPT_PLACE"], TYPE="COMPACTION_RUN"))
    assert not is_compaction_run(item(SORT_KEYS["RECEIPT_WORD"] + "#LABEL#COMPACTION_RUN"))
    assert not is_compaction_run({})
    with pytest.raises(KeyMalformed):
        parse_compaction_run(item(SORT_KEYS["RECEIPT_PLACE"]))


@pytest.mark.parametrize(
    ("lines", "words", "completed"),
    [
        ("COMPLETED", "COMPLETED", True),
        ("COMPLETED", "PENDING", False),
        ("FAILED", "COMPLETED", False),
        ("PROCESSING", "PROCESSING", False),
    ],
)
def test_embeddings_are_completed_when_both_collections_are(lines: str, words: str, completed: bool) -> None:
    run = parse_compaction_run(run_item(lines_state=lines, words_state=words, lines_merged_vectors=number(3)))
    assert is_embeddings_completed(run) is completed


@pytest.mark.parametrize(
    ("prefix", "location"),
    [
        ("lines/delta/1/", DeltaLocation("ours", "lines/delta/1/")),
        ("lines/delta/1", DeltaLocation("ours", "lines/delta/1/")),
        ("/lines/delta/1/", DeltaLocation("ours", "lines/delta/1/")),
        ("s3://theirs/lines/delta/1", DeltaLocation("theirs", "lines/delta/1/")),
        ("s3://theirs//lines/", DeltaLocation("theirs", "lines/")),
        ("s3://theirs", DeltaLocation("theirs", "")),
        ("", DeltaLocation("ours", "")),
    ],
)
def test_a_prefix_is_a_key_or_a_uri(prefix: str, location: DeltaLocation) -> None:
    assert delta_location(prefix, "ours") == location


@pytest.mark.parametrize("prefix", ["snapshots/words/", "/plans/x/", "s3://ours/reports/words/delta/", "snapshots"])
def test_a_prefix_below_what_the_pipeline_writes_is_told(prefix: str) -> None:
    assert delta_location(prefix, "ours").is_of_the_pipeline
    assert not delta_location(f"words/{prefix.removeprefix('s3://ours/')}", "ours").is_of_the_pipeline
