import json
import subprocess
import sys
from pathlib import Path

import pytest

from .samples import SORT_KEYS, number, run_item, stream_record

EXAMPLES = Path(__file__).parents[1] / "examples"

RECORDS = [
    stream_record("INSERT", SORT_KEYS["RECEIPT"], number=1),
    stream_record("INSERT", SORT_KEYS["COMPACTION_RUN"], number=2, new=run_item()),
    stream_record("MODIFY", SORT_KEYS["COMPACTION_RUN"], number=3, new=run_item(lines_merged_vectors=number(5))),
    stream_record(
        "MODIFY",
        SORT_KEYS["RECEIPT_WORD_LABEL"],
        number=4,
        old={"validation_status": "PENDING"},
        new={"validation_status": "VALID"},
    ),
    {"eventID": "broken"},
]


def run(example: str, folder: Path) -> str:
    # As a person runs it: one Lambda event, then single records, in one file.
    lines = [{"Records": RECORDS[:2]}, *RECORDS[2:]]
    path = folder / "records.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, EXAMPLES / example, path], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr == ""
    return done.stdout


def test_the_audit_log_has_every_relevant_change_and_every_unreadable_record(tmp_path: Path) -> None:
    lines = [json.loads(line) for line in run("audit_log.py", tmp_path).splitlines()]
    assert [line.get("entity_type") for line in lines] == ["RECEIPT", "COMPACTION_RUN", "RECEIPT_WORD_LABEL", None]
    assert lines[2]["changes"] == {"validation_status": {"old": "PENDING", "new": "VALID"}}
    assert lines[3] == {"unreadable": "broken", "problem": "eventName is missing"}


def test_the_analytics_counter_counts_by_minute(tmp_path: Path) -> None:
    rows = [line.split(maxsplit=2) for line in run("analytics_counter.py", tmp_path).splitlines()]
    minute = "2026-07-28T12:00"
    assert rows[0] == ["1", "unreadable"]
    assert rows[1:] == [
        [minute, "1", "INSERT COMPACTION_RUN"],
        [minute, "1", "INSERT RECEIPT"],
        [minute, "1", "MODIFY RECEIPT_WORD_LABEL"],
        [minute, "3", "changes"],
        [minute, "1", "label VALID"],
        [minute, "1", "of no matter"],
    ]


def test_the_counter_counts_a_repeated_record_once_and_forgets_old_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    from analytics_counter import AnalyticsCounter

    counter = AnalyticsCounter(remember=2)
    counter.add([RECORDS[0], RECORDS[0], RECORDS[1], RECORDS[3], RECORDS[3]])
    assert counter.counts["2026-07-28T12:00", "changes"] == 3
    assert len(counter._seen) == 2


def test_the_audit_log_is_a_lambda_handler(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    from audit_log import audit_log

    assert audit_log({"Records": RECORDS[:3]}, None) == {"batchItemFailures": []}
    assert len(capsys.readouterr().out.splitlines()) == 2
