"""What versions, expiry and quarantine look like on a terminal."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from receipt_dynamo_stream.control.quarantine import QuarantinedRun
from receipt_dynamo_stream.keys import ReceiptId

from console.cli import render_operator as render
from operate.lineage import Version
from operate.models import execution_name
from operate.versions import Expiry

from .shown import shown

NOW = datetime(2026, 7, 28, 12, tzinfo=UTC)
IMAGE = "3f52804b-2fad-4e00-92c8-b593da3a8ed3"
VERSION = Version(
    version=123_456,
    snapshot_id="0000123456-0000130000-0",
    state="current",
    published=True,
    readers=True,
    pinned=None,
    records=7_012_345,
    bytes=674_000_000,
    counts={"added": 1200, "removed": 2, "replaced": 0, "updated": 37, "unchanged": 9},
    made_at=NOW - timedelta(minutes=7),
    execution=execution_name("words", "schedule", "1b0f2c3d" * 4),
    trigger="schedule",
    parent="0000123455-0000129999-0",
    plan_key="plans/words/x",
)


@pytest.mark.parametrize(("width", "ids"), [(80, False), (80, True), (140, False)])
def test_versions_fit_and_a_wide_terminal_shows_all(width: int, ids: bool) -> None:
    older = replace(VERSION, version=123_455, state="committed", readers=False, pinned="2026-07-28 [audit]")
    text = shown(render.versions_table("words", [VERSION, older], NOW, width=width, ids=ids), width)
    assert "7,012,345" in text
    assert "674 MB" in text
    assert ("words-schedule-1b0f2c3d" in text) == (not ids)
    assert ("0000123456-0000130000-0" in text) == (ids or width > 100)
    assert ("+1,200 ~37 -2" in text) == (width > 100)
    assert ("[audit]" in text) == (width > 100)
    assert "pinned" in text


@pytest.mark.parametrize("ids", [False, True])
@pytest.mark.parametrize("width", [80, 99, 100, 110, 120, 131, 132])
def test_no_word_of_a_version_with_fresh_records_is_broken(width: int, ids: bool) -> None:
    version = replace(
        VERSION, version=18, snapshot_id="0000000018-0000000037-15", state="committed", segments=9, records=810_650
    )
    text = shown(
        render.versions_table("words", [replace(version, fresh_records=98_235)], NOW, width=width, ids=ids), width
    )
    words = ["18", "committed", "810,650", "98,235", "7 min ago"]
    words += ["674 MB"] if width >= 100 else []
    words += ["words-schedule-1b0f2c3d"] if width >= 132 or not ids else []
    words += [version.snapshot_id] if width >= 132 or ids else []
    assert [word for word in words if word not in text] == []


@pytest.mark.parametrize("ids", [False, True])
def test_versions_fit_60_columns_without_who_made_them(ids: bool) -> None:
    older = replace(VERSION, version=123_455, state="committed", readers=False, segments=2, fresh_records=1_234)
    text = shown(render.versions_table("words", [VERSION, older], NOW, width=60, ids=ids), 60)
    assert ("7,012,345" in text, "0000123456-0000130000-0" in text) == (not ids, ids)
    assert "words-schedule" not in text
    assert "committed" in text


def test_a_version_that_readers_do_not_see_yet_says_so() -> None:
    versions = [replace(VERSION, readers=False), replace(VERSION, state="committed", version=7)]
    text = " ".join(shown(render.versions_table("words", versions, NOW, width=200), 200).split())
    assert "current, not yet with readers" in text
    assert "committed, readers see it" in text


def test_a_rollback_says_from_where_to_where_and_how_many_records_go() -> None:
    target = replace(VERSION, version=41, records=7_000_000, made_at=NOW - timedelta(days=3))
    text = " ".join(shown(render.rollback_table("words", VERSION, target, NOW)).split())
    assert "version 123456, 7,012,345 records, 7 min ago" in text
    assert "version 41, 7,000,000 records, 3 d ago" in text
    assert "-12,345" in text


def test_an_expiry_that_only_would_be_says_would() -> None:
    done = Expiry(dry_run=False, fenced=False, expired=2, manifests=1, shards=3, staging=4, bytes=5_000, segments=9)
    text = shown(render.expiry_table("words", done))
    assert "would" not in text
    assert [line.split()[-1] for line in text.splitlines() if "deleted" in line] == ["1", "3", "9", "4"]
    assert shown(render.expiry_table("words", replace(done, dry_run=True))).count("would be") == 5


@pytest.mark.parametrize("width", [80, 120])
def test_a_quarantined_run_is_shown_with_its_reason_and_no_markup_of_its_own(width: int) -> None:
    run = QuarantinedRun(
        "7b1f7c1e-6f0a-4a3b-9a53-0d2b8f6a1c11",
        ReceiptId(IMAGE, 12),
        "WrongDimension",
        "expected 1536,\ngot [bold]8[/bold]",
        (NOW - timedelta(hours=2)).isoformat(),
    )
    text = shown(render.quarantine_table("words", [run], NOW, width=width), width)
    assert "3f52804b 12" in text
    assert "2 h ago" in text
    assert "[bold]8[/bold]" in text
    assert (run.run_id in text) == (width == 120)
