import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from receipt_dynamo_stream import (
    COLLECTIONS,
    CompactionRun,
    ReceiptId,
    RunInvalid,
    RunOfCollection,
    compaction_run_schema,
    parse_compaction_run,
    run_item,
)

from . import samples
from .samples import IMAGE, NOW, NULL, RUN, number, text

DOCUMENT = Path(__file__).parents[2] / "docs" / "producers.md"
VALIDATOR = jsonschema.Draft202012Validator(compaction_run_schema())
RUN_OF_WORDS = CompactionRun(
    ReceiptId(IMAGE, 1),
    RUN,
    created_at=NOW,
    updated_at=NOW,
    collections={
        "lines": RunOfCollection(f"lines/delta/{RUN}/"),
        "words": RunOfCollection("s3://uploads/anywhere/delta.arrow"),
    },
)
_PRINTED = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=20)
_PREFIXES = _PRINTED.map(lambda name: f"words/delta/{name}/")
_PARTS = st.builds(
    RunOfCollection,
    _PREFIXES,
    st.sampled_from(["PENDING", "PROCESSING", "COMPLETED", "FAILED"]),
    st.integers(0, 10**6),
    *[st.none() | _PRINTED] * 4,
)
_RECEIPTS = st.builds(ReceiptId, _PRINTED.filter(lambda name: "#" not in name), st.integers(0, 10**18 - 1))
_WHOLE = st.fixed_dictionaries(dict.fromkeys(COLLECTIONS, _PARTS))
RUNS = st.builds(CompactionRun, _RECEIPTS, _PRINTED, st.just(NOW), st.none() | st.just(NOW), _WHOLE)


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(compaction_run_schema())


@given(run=RUNS)
def test_what_is_announced_is_read_back_and_is_of_the_schema(run: CompactionRun) -> None:
    item = run_item(run)
    assert parse_compaction_run(item) == run
    VALIDATOR.validate(item)


def test_the_least_that_the_schema_asks_for_is_a_whole_announcement() -> None:
    item = run_item(RUN_OF_WORDS)
    least = {name: item[name] for name in compaction_run_schema()["required"]}
    VALIDATOR.validate(least)
    assert parse_compaction_run(least) == replace(RUN_OF_WORDS, updated_at=None)
    for name in least:
        with pytest.raises(jsonschema.ValidationError):
            VALIDATOR.validate({other: value for other, value in least.items() if other != name})


def test_an_older_producers_item_and_what_the_pipeline_adds_are_of_the_schema() -> None:
    VALIDATOR.validate(samples.run_item(words_settled_by="0000000001-0000000001", their_own={"L": []}))


BROKEN: dict[str, dict[str, Any]] = {
    "the key of a receipt": {"SK": text("RECEIPT#00001")},
    "a receipt of four digits": {"SK": text(f"RECEIPT#0001#COMPACTION_RUN#{RUN}")},
    "no image": {"PK": text("IMAGE#")},
    "another type": {"TYPE": text("RUN")},
    "a prefix of nothing": {"words_delta_prefix": NULL},
    "an empty prefix": {"lines_delta_prefix": text("")},
    "the pipeline's place": {"lines_delta_prefix": text("snapshots/lines/")},
    "a time in seconds": {"created_at": number(1785240000)},
    "no time": {"created_at": text("yesterday")},
    "an unknown state": {"words_state": text("DONE")},
}


@pytest.mark.parametrize("changes", BROKEN.values(), ids=BROKEN)
def test_what_is_refused_later_is_not_of_the_schema(changes: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        VALIDATOR.validate(run_item(RUN_OF_WORDS) | changes)


def with_lines(part: RunOfCollection) -> CompactionRun:
    return replace(RUN_OF_WORDS, collections={**RUN_OF_WORDS.collections, "lines": part})


REFUSED: dict[str, tuple[CompactionRun, str]] = {
    "an image with a hash": (replace(RUN_OF_WORDS, receipt=ReceiptId("a#b", 1)), "makes no key"),
    "no run id": (replace(RUN_OF_WORDS, run_id=""), "makes no key"),
    "a negative receipt": (replace(RUN_OF_WORDS, receipt=ReceiptId(IMAGE, -1)), "makes no key"),
    "no time": (replace(RUN_OF_WORDS, created_at=None), "created_at is None"),
    "another time": (replace(RUN_OF_WORDS, created_at="28.07.2026"), "ISO-8601"),
    "no delta of lines": (with_lines(RunOfCollection()), "lines_delta_prefix is missing"),
    "the pipeline's place": (with_lines(RunOfCollection("/plans/x/")), "the pipeline writes"),
}


@pytest.mark.parametrize(("run", "why"), REFUSED.values(), ids=REFUSED)
def test_a_run_that_could_never_be_merged_is_refused_by_name(run: CompactionRun, why: str) -> None:
    with pytest.raises(RunInvalid, match=re.escape(why)):
        run_item(run)


def test_the_document_has_every_field_of_the_item_and_the_least_of_them_as_an_example() -> None:
    document = DOCUMENT.read_text(encoding="utf-8")
    schema = compaction_run_schema()
    told = {
        name for row in re.findall(r"^\| (`[^|]+`) \|", document, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)
    }
    assert set(schema["properties"]) <= told
    (shown,) = [json.loads(one) for one in re.findall(r"```json\n(.*?)```", document, re.DOTALL)]
    VALIDATOR.validate(shown)
    assert set(shown) == set(schema["required"])
