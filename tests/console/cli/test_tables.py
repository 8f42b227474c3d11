"""What values look like on a terminal."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from console.cli import tables
from operate.contents.query import Answer, Hit
from operate.history import Listed
from operate.models import CollectionStatus, Execution, PlanPreview, execution_name

from .shown import shown

NOW = datetime(2026, 7, 28, 12, tzinfo=UTC)
IMAGE = "3f52804b-2fad-4e00-92c8-b593da3a8ed3"
EXECUTION = Execution(
    arn="arn:aws:states:us-east-1:123456789012:execution:compaction:x",
    name=execution_name("words", "schedule", "1b0f2c3d" * 4),
    status="succeeded",
    started_at=NOW - timedelta(seconds=75),
    ended_at=NOW - timedelta(seconds=71.5),
    collection="words",
    trigger="schedule",
    mode="compact",
    outcome="published",
    version=1234,
)
FAILED = replace(
    EXECUTION,
    status="failed",
    outcome=None,
    version=None,
    error="CommitStateUnknown",
    cause="No answer.\n[red]Look[/red].",
)
STATUS = CollectionStatus(
    collection="words",
    state="behind",
    version=1234,
    projected_version=1233,
    snapshot_id="0000001234-0000001300-0",
    records=7_012_345,
    dimension=1536,
    shards=4,
    committed_at=NOW - timedelta(hours=5),
    pending=12_345,
    behind_seconds=86_400 * 3.5,
    holder=f"arn:aws:states:us-east-1:123456789012:execution:compaction:{EXECUTION.name}",
    holder_since=NOW - timedelta(minutes=7),
    fence=1300,
    paused="",
    rerun="2026-07-28T12:00:00+00:00",
    quarantined=2,
    last_execution=FAILED,
    problem=None,
)


def test_status_says_everything_in_words_at_80_columns() -> None:
    text = shown(tables.status_table([replace(STATUS, collection="lines"), STATUS], NOW))
    for fact in (
        "behind",
        "1234 (5 h ago)",
        "version 1233",
        "7,012,345",
        "12,345",
        "3 d",
        "asked for",
        "1,300",
        "failed",
    ):
        assert fact in text
    assert "words-schedule-1b0f2c3d" in text


def test_status_leaves_out_what_is_rarely_true() -> None:
    calm = replace(STATUS, projected_version=1234, paused=None, rerun=None, pending=0, holder=None)
    text = shown(tables.status_table([calm], NOW))
    for fact in ("Paused", "Readers see", "Another round", "Problem"):
        assert fact not in text
    assert "nothing" in text
    assert "free" in text


def test_a_problem_is_the_first_thing_that_status_says() -> None:
    text = shown(tables.status_table([replace(STATUS, problem="the manifest is gone")], NOW))
    first = text.splitlines()[3]
    assert first.split() == ["Problem", "the", "manifest", "is", "gone"]


def test_history_fits_80_columns_and_names_the_error() -> None:
    text = shown(tables.history_table([Listed(EXECUTION), Listed(FAILED, healed_by=EXECUTION)], NOW, width=80))
    published, failed = [line for line in text.splitlines() if "words-schedule" in line]
    assert published.split() == ["words-schedule-1b0f2c3d", "published", "1,234", "1", "min", "ago", "3.5", "s"]
    assert failed.split()[1] == "failed:"
    assert "CommitStateUnknown" in text


def test_a_history_of_60_columns_has_whole_words() -> None:
    listed = [Listed(EXECUTION), Listed(FAILED, healed_by=EXECUTION)]
    text = shown(tables.history_table(listed, NOW, width=60), width=60)
    published, failed = [line for line in text.splitlines() if "words-schedule" in line]
    assert published.split() == ["words-schedule-1b0f2c3d", "published", "1,234", "1", "min", "ago"]
    assert failed.split()[1] == "failed:"


def test_the_status_of_both_collections_fits_60_columns() -> None:
    text = shown(tables.status_table([replace(STATUS, collection="lines"), STATUS], NOW), width=60)
    assert "Pending receipts" in text


def test_a_wide_history_shows_modes_and_causes_and_no_markup_of_theirs() -> None:
    text = shown(
        tables.history_table([Listed(EXECUTION), Listed(FAILED, healed_by=EXECUTION)], NOW, width=120), width=120
    )
    assert "compact" in text
    assert "[red]Look[/red]." in text


def test_a_running_execution_took_as_long_as_it_runs() -> None:
    running = replace(EXECUTION, status="running", outcome=None, ended_at=None)
    assert "1 min" in shown(tables.execution_line(running, NOW))
    assert running.to_json()["seconds"] is None


def test_a_preview_says_what_would_be_merged() -> None:
    preview = PlanPreview("words", 3, 4, ("a", "b"), 5, (0, 2), True, 42.0, "plans/x")
    text = shown(tables.preview_table(preview))
    assert [line.split()[-1] for line in text.splitlines() if line.strip()] == [
        "merge",
        "3",
        "4",
        "2",
        "5",
        "2",
        "yes",
        "s",
    ]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_an_answer_shows_short_ids_or_whole_ones_with_their_shards(width: int) -> None:
    record = f"IMAGE#{IMAGE}#RECEIPT#00001#LINE#00040#WORD#00002"
    hit = Hit(1, record, 39, 0.25, "ORGANIC [b]MILK[/b]", "Trader Joe's", ("PRODUCT_NAME", "LINE_TOTAL"))
    text = shown(tables.answer_table(Answer("words", 7, "0000000007-0000000007-0", (hit,)), width=width), width)
    assert "0.250" in text
    assert "[b]MILK[/b]" in text
    assert ("3f52804b 1/40/2" in text) == (width < 100)
    assert ("PRODUCT_NAME" in text) == (width > 60)
    assert ("Shard" in text and " 39 " in text) == (width == 120)


def test_a_table_that_is_too_wide_is_shown_on_its_side() -> None:
    columns = ["collection", *(f"measurement{n}" for n in range(9))]
    rows = [["lines", *range(1000, 1009)], ["words", *range(2000, 2009)]]
    upright = shown(tables.fitting_table("Sizes", columns, rows, width=160), width=160)
    assert any(line.split() == columns for line in upright.splitlines())
    lying = [line.split() for line in shown(tables.fitting_table("Sizes", columns, rows, width=80)).splitlines()]
    assert ["collection", "lines", "words"] in lying
    assert ["measurement8", "1,008", "2,008"] in lying


def test_any_values_make_a_table() -> None:
    rows: list[tuple[Any, ...]] = [("lines", 12345, 1.5, None, True), ("[words]", 7, 22.25, None, False)]
    text = shown(tables.plain_table("Sizes", ("collection", "records", "seconds", "none", "ok"), rows))
    assert "12,345" in text
    assert "[words]" in text
    assert "22.25" in text
    assert "yes" in text
