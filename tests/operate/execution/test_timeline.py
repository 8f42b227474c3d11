"""Bars over time."""

import re
from datetime import datetime, timedelta
from pathlib import Path

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from operate.execution.read_steps import Trace, trace
from operate.execution.timeline import Row, bars, ticks

from .histories import DEFINITION, RECORDED, START, Pen, load

TEMPLATES = Path(__file__).parents[3] / "console/web/templates"


def read(name: str, events: int | None = None, now: datetime | None = None) -> Trace:
    history = load(name)
    some = history.events[:events]
    whole = {"status": history.status, "ended_at": history.ended_at} if events is None else {}
    return trace(DEFINITION, some, now=now or (some[-1]["timestamp"] if some else START), **whole)


def of(rows: tuple[Row, ...], label: str) -> list[Row]:
    return [row for row in rows if row.label == label]


def test_work_has_a_row_each_and_bookkeeping_only_when_it_is_asked_for() -> None:
    result = read("nothing_pending")
    assert [row.label for row in bars(result)] == ["AcquireLease", "PlanCompaction", "ReleaseLease", "Finished"]
    everything = bars(result, bookkeeping=True)
    assert [row.step for row in everything] == list(result.steps)


def test_an_attempt_that_failed_the_wait_after_it_and_the_next_attempt_are_a_bar_each() -> None:
    rows = bars(read("retried_and_rerun"))
    (retried,) = [row for row in rows if len(row.bars) > 1]
    first, second, wait = retried.bars
    assert (first.kind, second.kind, wait.kind) == ("failed", "succeeded", "wait")
    assert "Runtime.ExitError" in first.title
    assert first.left + first.width == pytest.approx(wait.left, abs=0.01)
    assert wait.left + wait.width == pytest.approx(second.left, abs=0.01)


def test_a_map_is_followed_by_its_iterations_each_with_its_states_indented() -> None:
    rows = bars(read("failed_in_map"))
    start = next(number for number, row in enumerate(rows) if row.label == "MergeShards")
    inside = [row for row in rows[start + 1 :] if row.depth]
    assert [row.label for row in inside if row.step is None] == ["iteration 0", "iteration 1"]
    assert {row.depth for row in inside} == {1, 2}
    for row in inside:
        if row.step is None:
            index = int(row.label.split()[1])
        else:
            assert row.step.index == index
    assert "failed" in [row.status for row in of(rows, "ValidateShard")]


def test_a_map_with_one_iteration_has_no_heading_for_it() -> None:
    pen = Pen()
    pen.write("ExecutionStarted")
    pen.entered("Map", "Each")
    started = pen.write("MapStateStarted", length=1)
    pen.write("MapIterationStarted", after=started, name="Each", index=0)
    pen.task("A")
    rows = bars(trace({"States": {}}, pen.events, now=pen.now()))
    assert [(row.label, row.depth) for row in rows] == [("Each", 0), ("A", 1)]


def test_a_second_round_says_where_it_begins() -> None:
    rows = bars(read("two_rounds"))
    assert [row.label for row in rows if row.starts_round] == ["ClearRerun"]


def test_what_runs_reaches_to_the_end() -> None:
    rows = bars(read("running"))
    for row in of(rows, "MergeDeltas"):
        assert row.bars[-1].kind == "running"
        assert row.bars[-1].left + row.bars[-1].width == pytest.approx(100, abs=0.01)


def test_a_task_that_waits_for_its_next_attempt_shows_the_wait() -> None:
    pen = Pen()
    pen.write("ExecutionStarted")
    pen.task("A", fails="Busy")
    (row,) = bars(trace({"States": {}}, pen.events, now=pen.now(3)))
    assert [bar.kind for bar in row.bars] == ["failed", "wait"]
    assert "waiting 3 s" in row.bars[1].title


@given(st.sampled_from(RECORDED), st.integers(0, 60), st.integers(-2, 30), st.booleans())
def test_bars_and_ticks_stay_within_the_span(name: str, events: int, later: int, bookkeeping: bool) -> None:
    history = load(name)
    last = history.events[:events][-1]["timestamp"] if events else START
    result = read(name, events, last + timedelta(seconds=later))
    rows = bars(result, bookkeeping=bookkeeping)
    for row in rows:
        for bar in row.bars:
            assert bar.left >= 0
            assert bar.width > 0
            assert bar.left + bar.width <= 100.001
    if bookkeeping:
        assert {row.step.id for row in rows if row.step} == {step.id for step in result.steps}
    marks = ticks(result)
    assert 1 <= len(marks) <= 7
    assert all(0 <= mark.left <= 100 for mark in marks)


def test_the_page_has_links_and_no_style_of_its_own() -> None:
    pages = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
    )
    page = pages.from_string('{% from "_timeline.html" import timeline %}{{ timeline(rows, marks) }}')
    result = read("two_rounds")
    html = page.render(rows=bars(result), marks=ticks(result))
    assert not re.search(r"\sstyle=|<style|<script|\son\w+=", html)
    assert "round 2" in html
    for row in bars(result):
        assert row.step is None or f'href="#step-{row.step.id}"' in html
