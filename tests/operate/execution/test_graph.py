"""The picture of a state machine, and what it says of an execution."""

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import jinja2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operate.execution.definition import states
from operate.execution.graph import Edge, Graph, Node, Painted, compact, layout, paint
from operate.execution.read_steps import Trace, trace
from operate.execution.transitions import main_path

from .histories import DEFINITION, RECORDED, START, load

WEB = Path(__file__).parents[3] / "console/web"


def read(name: str) -> Trace:
    history = load(name)
    now = history.events[-1]["timestamp"]
    return trace(DEFINITION, history.events, now=now, status=history.status, ended_at=history.ended_at)


def nodes(graph: Graph) -> dict[str, Node]:
    return {node.state: node for node in graph.nodes}


def painted(name: str, *, small: bool = False) -> Painted:
    result = read(name)
    return paint(layout(DEFINITION, compact(DEFINITION, result) if small else None), result)


def node_of(picture: Painted, state: str) -> Any:
    return next(each for each in (*picture.nodes, *picture.groups) if each.node.state == state)


def edge_of(picture: Painted, source: str, target: str) -> Any:
    return next(each for each in picture.edges if (each.edge.source, each.edge.target) == (source, target))


def overlap(one: Node, other: Node) -> bool:
    apart_x = one.x + one.width <= other.x or other.x + other.width <= one.x
    apart_y = one.y + one.height <= other.y or other.y + other.height <= one.y
    return not (apart_x or apart_y)


def within(inner: Node, outer: Node) -> bool:
    return (
        outer.x <= inner.x
        and outer.y <= inner.y
        and inner.x + inner.width <= outer.x + outer.width
        and inner.y + inner.height <= outer.y + outer.height
    )


def crosses(edge: Edge, box: Node) -> bool:
    return any(
        max(x1, x2) > box.x
        and min(x1, x2) < box.x + box.width
        and max(y1, y2) > box.y
        and min(y1, y2) < box.y + box.height
        for (x1, y1), (x2, y2) in pairwise(edge.points)
    )


# Our state machine


def test_every_state_has_its_place_and_every_way_out_an_edge() -> None:
    graph = layout(DEFINITION)
    known = states(DEFINITION)
    assert set(nodes(graph)) == set(known)
    assert len(known) == 92
    ways = {(name, target.state) for name, state in known.items() for target in state.targets}
    assert {(edge.source, edge.target) for edge in graph.edges} == ways


def test_the_main_way_is_one_straight_line_down() -> None:
    placed = nodes(layout(DEFINITION))
    way = [placed[name] for name in main_path(states(DEFINITION), DEFINITION["StartAt"])]
    assert (way[0].state, way[-1].state, len(way)) == ("ValidateInput", "Finished", 23)
    assert max(node.x + node.width / 2 for node in way) - min(node.x + node.width / 2 for node in way) < 1
    assert [node.y for node in way] == sorted(node.y for node in way)


def test_no_edge_runs_through_a_node_and_the_picture_fits_a_page() -> None:
    graph = layout(DEFINITION)
    placed = nodes(graph)
    through = [
        (edge.source, edge.target, node.state)
        for edge in graph.edges
        for node in graph.nodes
        if node.state not in (edge.source, edge.target)
        and placed[edge.source].parent != node.state
        and crosses(edge, node)
    ]
    assert through == []
    assert graph.width <= 1600


def test_loops_run_up_and_only_they_do() -> None:
    graph = layout(DEFINITION)
    up = {(edge.source, edge.target) for edge in graph.edges if edge.back}
    assert {("IsTurnAsked", "IsProjected"), ("WaitForHolder", "AcquireLease"), ("WhichCommit", "CommitSnapshot")} <= up
    for edge in graph.edges:
        assert (edge.points[-1][1] < edge.points[0][1]) == edge.back


def test_an_edge_begins_and_ends_on_the_border_of_its_states_also_of_a_map() -> None:
    graph = layout(DEFINITION)
    placed = nodes(graph)
    for edge in graph.edges:
        for (x, y), node in ((edge.points[0], placed[edge.source]), (edge.points[-1], placed[edge.target])):
            assert min(abs(y - node.y), abs(y - node.y - node.height)) < 0.01
            assert node.x < x < node.x + node.width


def test_states_that_are_left_out_are_stepped_over_if_they_only_look_and_else_end_the_edge() -> None:
    graph = layout(DEFINITION, {"PlanCompaction", "DownloadSnapshot", "WriteManifest", "MergeShards", "SettleChanges"})
    found = {(edge.source, edge.target): edge for edge in graph.edges}
    assert found["PlanCompaction", "DownloadSnapshot"].via == ("IsPlanReady",)
    assert found["MergeShards", "WriteManifest"].via == ("AnythingChanged",)
    assert ("WriteManifest", "SettleChanges") not in found


def test_the_same_picture_is_laid_out_once() -> None:
    assert layout(DEFINITION, ["MergeShards", "Fenced"]) is layout(dict(DEFINITION), {"Fenced", "MergeShards"})


# What it says


def test_a_node_has_the_status_of_its_state_and_leads_to_its_step() -> None:
    result, picture = read("failed_in_map"), painted("failed_in_map")
    assert result.failed_step is not None
    failed = node_of(picture, "ValidateShard")
    assert (failed.status, failed.step) == ("failed", result.failed_step.id)
    assert node_of(picture, "MergeShards") in picture.groups
    assert (node_of(picture, "WriteManifest").status, node_of(picture, "WriteManifest").step) == ("not-reached", None)


def test_badges_count_passes_retries_and_iterations() -> None:
    assert node_of(painted("retried_and_rerun"), "MergeDeltas").badge.endswith("· 1 retry")
    assert node_of(painted("two_rounds"), "PlanCompaction").badge == "×2"
    assert node_of(painted("running"), "MergeShards").badge.startswith("0 of ")
    assert node_of(painted("published"), "SwapPointer").badge == ""


def test_edges_know_how_often_they_were_taken_also_over_states_left_out() -> None:
    whole, small = painted("retried_and_rerun"), painted("retried_and_rerun", small=True)
    assert edge_of(whole, "RoundsLeft", "NextRound").taken == 1
    assert edge_of(whole, "ReleaseLease", "Finished").taken == 1
    assert edge_of(whole, "IsPaused", "ReleasePaused").taken == 0
    assert edge_of(small, "ReleaseLease", "ClearRerun").taken == 1
    assert edge_of(small, "ClearRerun", "PlanCompaction").edge.back


def test_a_compact_picture_has_the_work_that_was_done_and_no_bookkeeping() -> None:
    shown = compact(DEFINITION, read("nothing_pending"))
    assert shown == {"AcquireLease", "PlanCompaction", "ReleaseLease", "Finished"}


def test_a_compact_picture_of_what_runs_also_has_the_way_on() -> None:
    shown = compact(DEFINITION, read("running"))
    assert {"MergeShards", "ValidateShard", "WriteManifest", "CommitSnapshot", "ReleaseLease", "Finished"} <= shown
    assert not shown & {"Fenced", "ConfirmLease", "AnythingChanged", "TakeOverLease"}


def test_before_the_first_event_a_compact_picture_is_the_main_way() -> None:
    shown = compact(DEFINITION, trace(DEFINITION, [], now=START))
    assert {"AcquireLease", "MergeShards", "Finished"} <= shown
    assert "TakeOverLease" not in shown


@pytest.mark.parametrize("name", RECORDED)
def test_what_was_entered_is_connected_in_every_picture(name: str) -> None:
    for small in (False, True):
        picture = painted(name, small=small)
        reached = {each.node.state for each in (*picture.nodes, *picture.groups) if each.step is not None}
        targets = {each.edge.target for each in picture.edges if each.taken}
        assert len({state for state in reached if states(DEFINITION)[state].parent is None} - targets) == 1


# As a page


@pytest.fixture(scope="module")
def pages() -> jinja2.Environment:
    loader = jinja2.FileSystemLoader(WEB / "templates")
    return jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)


def test_the_page_has_classes_links_and_titles_and_no_style_of_its_own(pages: jinja2.Environment) -> None:
    page = pages.from_string('{% from "_graph.html" import graph, legend %}{{ legend() }}{{ graph(picture) }}')
    picture = painted("failed_in_map")
    html = page.render(picture=picture)
    assert not re.search(r"\sstyle=|<style|<script|\son\w+=", html)
    assert html.count("<a ") == sum(each.step is not None for each in (*picture.nodes, *picture.groups))
    assert f'href="#step-{node_of(picture, "ValidateShard").step}"' in html
    used = set(" ".join(re.findall(r'class="([^"]*)"', html)).split())
    css = (WEB / "static/graph.css").read_text()
    assert not {name for name in used if not name.startswith(("kind-", "is-")) and f".{name}" not in css}


def test_a_name_that_looks_like_markup_stays_text(pages: jinja2.Environment) -> None:
    name = "<script>alert('1')</script>"
    definition = {"StartAt": name, "States": {name: {"Type": "Succeed", "Comment": "<b>"}}}
    picture = paint(layout(definition), trace(definition, [], now=START))
    html = pages.from_string('{% from "_graph.html" import graph %}{{ graph(picture) }}').render(picture=picture)
    assert "<script" not in html
    assert "<b>" not in html
    assert "&lt;script&gt;" in html


# Any state machine

LEAVES = st.sampled_from(["Task", "Choice", "Pass", "Wait", "Succeed", "Fail"])


@st.composite
def machines(draw: st.DrawFn, prefix: str = "S", depth: int = 0) -> dict[str, Any]:
    """A state machine of up to eight states with any edges between them, some of them Maps or Parallels of others."""
    names = [
        f"{prefix}{number}{'x' * draw(st.integers(0, 40))}" for number in range(draw(st.integers(1, 8 - 3 * depth)))
    ]
    target = st.sampled_from(names)
    bodies: dict[str, Any] = {}
    for name in names:
        kind = draw(LEAVES if depth == 2 else st.one_of(LEAVES, st.sampled_from(["Map", "Parallel"])))
        body: dict[str, Any] = {"Type": kind}
        if kind == "Choice":
            body |= {
                "Choices": [{"Next": draw(target)} for _ in range(draw(st.integers(1, 3)))],
                "Default": draw(target),
            }
        elif kind not in ("Succeed", "Fail"):
            body |= {"Next": draw(target)} if draw(st.booleans()) else {"End": True}
            if kind in ("Task", "Map", "Parallel") and draw(st.booleans()):
                body["Catch"] = [{"ErrorEquals": ["States.ALL"], "Next": draw(target)}]
        if kind == "Map":
            body["ItemProcessor"] = draw(machines(f"{name}i", depth + 1))
        if kind == "Parallel":
            body["Branches"] = [
                draw(machines(f"{name}b{number}", depth + 1)) for number in range(draw(st.integers(1, 2)))
            ]
        bodies[name] = body
    return {"StartAt": draw(target), "States": bodies}


@settings(deadline=None, max_examples=150)
@given(machines(), st.data())
def test_any_state_machine_has_a_picture_in_which_nothing_overlaps(
    definition: dict[str, Any], data: st.DataObject
) -> None:
    known = states(definition)
    shown = data.draw(st.sets(st.sampled_from(sorted(known)))) if data.draw(st.booleans()) else None
    graph = layout(definition, shown)
    placed = nodes(graph)
    assert set(placed) >= (set(known) if shown is None else shown)
    for one in graph.nodes:
        assert one.x >= 0
        assert one.y >= 0
        assert one.x + one.width <= graph.width + 0.01
        assert one.y + one.height <= graph.height + 0.01
        if one.parent is not None:
            assert within(one, placed[one.parent])
        for other in graph.nodes:
            if one.state < other.state and one.parent == other.parent:
                assert not overlap(one, other)
    for edge in graph.edges:
        assert len(edge.points) >= 2
    paint(graph, trace(definition, [], now=START))
