import json
from pathlib import Path

import pytest
from receipt_dynamo_stream.errors import CompactionError

from local.demo.result import MIN_RECEIPTS, CollectionResult, DemoFailed, DemoResult, DemoSettings
from local.demo.tally import ENDINGS


def collection(*differences: str) -> CollectionResult:
    return CollectionResult(3, 10, 10, dict.fromkeys(ENDINGS, 1), (2.0, 1.0004, 4.0), 1, differences)


def test_the_json_has_the_shape_that_scripts_read() -> None:
    result = DemoResult(Path("efs"), {"lines": collection(), "words": collection()}, {"MergeDeltas": 0.12345})
    one = {
        "version": 3,
        "records": 10,
        "expected_records": 10,
        "executions": {"published": 1, "nothing_pending": 1, "coalesced": 1, "failed": 1, "fenced": 1, "aborted": 1},
        "visible_seconds": {"p50": 2.0, "max": 4.0},
        "quarantined": 1,
    }
    expected = {"ok": True, "efs": "efs", "collections": {"lines": one, "words": one}, "steps": {"MergeDeltas": 0.123}}
    assert json.loads(json.dumps(result.to_json())) == expected


def test_one_difference_in_one_collection_is_not_ok() -> None:
    result = DemoResult(Path("efs"), {"lines": collection(), "words": collection("a record is missing")}, {})
    assert not result.ok
    assert result.to_json()["ok"] is False


def test_a_failed_act_says_which_what_was_expected_and_what_was_seen() -> None:
    failed = DemoFailed("act 3", "a new version", 7)
    assert str(failed) == "act 3: expected a new version; seen: 7"
    assert isinstance(failed, CompactionError)


@pytest.mark.parametrize("wrong", [{"receipts": MIN_RECEIPTS - 1}, {"shards": 0}])
def test_a_demo_that_is_too_small_for_its_acts_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least"):
        DemoSettings(**wrong)  # type: ignore[arg-type]
