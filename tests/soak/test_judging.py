"""What a soak says of what it saw: pure rules."""

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from local.demo.naive.table import TableReceipt

from .measures import Held, Holding, held, largest
from .reading import Seen
from .renewal import BESIDE, MODEL, WORDS, receipts_of
from .report import table
from .soak import MORE_HANDLES, MORE_MB, Result, is_unnamed, not_flat
from .stage import forget_clocks

CALM = Holding(Held(400, 160), 20, Held(200, 24), Held(150, 30), 4550)


@pytest.mark.parametrize(
    ("end", "unnamed"),
    [("published", False), ("failed: DiskFull", False), ("failed: Lambda.Unknown", False), ("failed: OSError", True),
     ("failed: KeyError", True), ("failed: None", True), ("failed: MemoryError", False)],
)  # fmt: skip
def test_an_error_of_pythons_own_is_no_named_failure(end: str, unnamed: bool) -> None:
    assert is_unnamed(end) is unnamed


@pytest.mark.parametrize("part", ["stack", "worker", "reader"])
def test_what_grew_since_the_first_half_is_told_and_what_shrank_is_not(part: str) -> None:
    more = replace(CALM, **{part: Held(1000, 500)})
    assert not_flat([CALM, CALM, CALM]) == []
    assert not_flat([more, CALM, CALM]) == []
    grown = not_flat([CALM, CALM, more])
    assert [one.split()[0] for one in grown] == ["memory", "handles"]
    assert all(f"the {part} grew" in one for one in grown)


def test_a_little_more_is_flat() -> None:
    little = replace(CALM, stack=Held(CALM.stack.resident_mb + MORE_MB, CALM.stack.handles + MORE_HANDLES))
    assert not_flat([CALM, little]) == []


def test_a_process_that_ended_holds_nothing() -> None:
    assert held(2**22 + 1) == Held(0.0, 0)
    assert largest([]) == Held(0.0, 0)


def test_what_libfaketime_left_of_dead_processes_goes_and_no_more(tmp_path: Path) -> None:
    for name in (
        f"faketime_shm_{2**22 + 1}",
        f"sem.faketime_sem_{2**22 + 1}",
        f"faketime_shm_{os.getpid()}",
        "another",
    ):
        (tmp_path / name).touch()
    forget_clocks(tmp_path)
    assert {one.name for one in tmp_path.iterdir()} == {f"faketime_shm_{os.getpid()}", "another"}


def test_the_table_names_all_that_did_not_hold() -> None:
    result = Result(seconds=60, seen=Seen(answers=3, versions=2), holdings=[CALM, CALM])
    assert table(result).endswith("everything held")
    result.problems.append("words: a is missing")
    assert table(result).endswith("1 did not hold:\n  words: a is missing")


def test_the_table_tells_by_mode_how_what_an_operator_asked_for_ended() -> None:
    asked = {"reshard": Counter({"reshard_lost": 1, "resharded": 2}), "switch": Counter({"switched": 3})}
    rows = [line.split(maxsplit=1) for line in table(Result(asked=asked)).splitlines()]
    assert ["reshard", "2 resharded, 1 reshard_lost"] in rows
    assert ["switch", "3 switched"] in rows


def test_a_generation_should_hold_the_runs_of_its_own_model_and_lines_those_of_all() -> None:
    runs = {"first": {}, "later": {"words_model": MODEL}}
    (receipt,) = receipts = [TableReceipt("aaaa", 1, runs=runs)]
    found = {name: [*receipts_of(receipts, name)[0].runs] for name in ("lines", WORDS, BESIDE)}
    assert found == {"lines": ["first", "later"], WORDS: ["first"], BESIDE: ["later"]}
    assert [*receipt.runs] == ["first", "later"]


def test_what_several_readers_saw_is_added_up() -> None:
    seen = Seen(answers=1, versions=5, switches=1, mixed=1, wrong=["a"])
    seen += Seen(answers=2, versions=3, switches=2, moved=1, wrong=["b"])
    assert seen.switches == 2
    assert (seen.answers, seen.versions, seen.moved, seen.mixed, seen.wrong) == (3, 5, 1, 1, ["a", "b"])
