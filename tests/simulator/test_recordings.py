"""Recordings: what is committed is what is made today, and what the player reads."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from console.web.recordings import FOLDER, listed

from .conftest import Stage
from .effects import Kind
from .faults import goes_wrong
from .lone_page import WEB, lone_page
from .recording import AT_EACH_STEP, FORMAT, LAWS
from .trial import Trial
from .watched import PAGES, WATCHED, NoSuchTrial, Watched, find, record, written

pytestmark = pytest.mark.timeout(900)  # of a machine that has other work
MOST_BYTES = 300_000


def committed(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    return found


def worlds(recording: dict[str, Any]) -> list[dict[str, Any]]:
    """The world after each frame."""
    found: list[dict[str, Any]] = []
    for frame in recording["frames"]:
        found.append({**(found[-1] if found else {}), **frame["set"]})
    return found


@pytest.mark.parametrize("watched", WATCHED, ids=lambda one: one.name)
def test_what_is_committed_is_small_and_of_the_format_that_the_player_reads(watched: Watched) -> None:
    recording = committed(watched.name)
    assert recording["format"] == FORMAT
    assert f"FORMAT = {FORMAT};" in (WEB / "static/player.js").read_text()
    assert (FOLDER / f"{watched.name}.json").stat().st_size < MOST_BYTES
    assert [frame["at"] for frame in recording["frames"]] == sorted(frame["at"] for frame in recording["frames"])
    assert {frame["state"] for frame in recording["frames"] if frame.get("state")} <= set(recording["states"])


@pytest.mark.parametrize("watched", WATCHED, ids=lambda one: one.name)
def test_a_page_of_the_documents_is_its_recording_in_the_player_of_today(watched: Watched) -> None:
    """Else: `make recordings`."""
    assert (PAGES / f"{watched.name}.html").read_text("utf-8") == lone_page(committed(watched.name))


def test_the_console_lists_what_is_recorded() -> None:
    assert [one.name for one in listed()] == [one.name for one in WATCHED]


def test_a_recording_ends_with_every_law_held_or_with_the_one_that_is_broken() -> None:
    for watched in WATCHED:
        last = worlds(committed(watched.name))[-1]["laws"]
        if watched.name == "late-commit-unguarded":
            assert [name for name, found in last.items() if found == "broken"] == ["VersionsOnlyGrow"]
        else:
            assert last == dict.fromkeys(LAWS, "holds")


def test_a_recording_is_the_one_that_is_committed_and_its_trial_has_the_same_effects_as_ever(stage: Stage) -> None:
    """The publication: no set of its is in an order of chance."""
    machine, start = stage
    found = record(machine, start, WATCHED[0])
    assert written(found) == (FOLDER / "publication.json").read_text("utf-8")
    recorded = [str(effect) for effect in machine.gate.seen]
    trial = Trial(machine, start)
    WATCHED[0].run(trial)
    trial.run()
    trial.heal()
    assert recorded == [str(effect) for effect in machine.gate.seen]


def test_a_fault_is_in_the_lane_that_it_strikes_and_the_next_execution_publishes(stage: Stage) -> None:
    dies = Watched("x", "x", "x", goes_wrong("MergeDeltas: s3.PutObject snapshots", Kind.CRASH_BEFORE))
    recording = record(*stage, dies)
    (fault,) = [frame for frame in recording["frames"] if "fault" in frame]
    assert (fault["lane"], fault["state"], fault["fault"]) == ("e2", "MergeDeltas", "crash before")
    first, last = worlds(recording)[0], worlds(recording)[-1]
    assert (first["reader"]["sees"], last["head"]["version"], last["pending"]) == ("2-2-0", "3", [])
    assert last["reader"]["sees"] == last["head"]["snapshot"] == last["efs"]["CURRENT"] == last["bucket"]["CURRENT"]
    assert {name for name, found in first["laws"].items() if found == "holds"} == set(AT_EACH_STEP)


def test_no_text_of_a_recording_ends_the_script_that_it_stands_in() -> None:
    evil = {
        "title": "</title><script>alert(1)</script>",
        "told": "<b>",
        "trial": "x",
        "frames": [{"says": "</script><!--"}],
    }
    page = lone_page(evil)
    assert "<script>alert" not in page
    (data,) = re.findall(r'<script type="application/json" id="recording">(.*?)</script>', page)
    assert json.loads(data) == evil


def test_a_trial_is_found_by_seed_name_or_part_of_a_fault_and_else_all_are_named() -> None:
    assert [find(name).name for name in ("7", "seed-7", "fold", "CURRENT goes")] == [
        *("seed-7", "seed-7", "fold", "current-goes-back")
    ]
    with pytest.raises(NoSuchTrial, match=r"no trial is called 'nowhere'(?s:.*)publication(?s:.*)CURRENT goes back"):
        find("nowhere")
    with pytest.raises(NoSuchTrial, match="several trials are called 'nothing'"):
        find("nothing")


@pytest.mark.slow
def test_all_that_is_committed_is_what_the_command_makes_today(tmp_path: Path) -> None:
    """With the order of sets that the command asks for."""
    code = (
        "import sys; from pathlib import Path; from tests.simulator.watched import *\n"
        "with stage() as (machine, start):\n"
        "    for one in WATCHED: (Path(sys.argv[1]) / one.name).write_text(written(record(machine, start, one)))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=root, env=environment, check=True)
    for one in WATCHED:
        assert (tmp_path / one.name).read_text() == (FOLDER / f"{one.name}.json").read_text("utf-8")
