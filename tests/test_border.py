"""The border between the states and the functions: what the ASL passes and reads is what the handlers' types say."""

import importlib
import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypedDict, get_type_hints, is_typeddict

import pytest

from handlers import border

from .border_walk import Walk, changed, reads_in, text_at

ROOT = Path(__file__).parents[1]
MACHINE = json.loads((ROOT / "state_machines/compaction.asl.json").read_text())
NO_STATES = {"StreamHandler", "RecordExecution", "Probe"}
"""Functions that a stream, a rule of events and a command call."""

FOR_PEOPLE = {  # what stands in a step's output for who looks at it, and no state reads
    "DownloadSnapshotOutput": {"files", "bytes"},
    "MergeDeltasOutput": {"plan_key", "unchanged"},
    "SettleChangesOutput": {"settled", "kept", "completed_runs", "failed_runs"},
    "ValidateShardOutput": {"records", "checks"},
    "StartFoldOutput": {"started"},
    "ValidateFoldOutput": {"records", "checks"},
    "ExecutionInput": {
        "trigger",
        "apply",
        "all",
        "rebuild",
        "before",
    },  # what has a default stands in the machine itself
    "Unchanged": {"unchanged"},
}


def types() -> dict[str, Any]:
    return {
        name: kind for name, kind in vars(border).items() if is_typeddict(kind) and kind.__module__ == border.__name__
    }


def functions() -> set[str]:
    return set(re.findall(r"\$\{(\w+)Arn\}", json.dumps(MACHINE)))


def snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def with_renamed(name: str, key: str) -> Any:
    """The border, with one key of one type under another name."""
    hints = get_type_hints(types()[name], include_extras=True)
    new = TypedDict(name, {f"{each}_renamed" if each == key else each: kind for each, kind in hints.items()})
    others = {}
    for other, kind in types().items():  # those that have a list of it
        inner = get_type_hints(kind, include_extras=True)
        if list[types()[name]] in inner.values():
            others[other] = TypedDict(
                other, {k: list[new] if v == list[types()[name]] else v for k, v in inner.items()}
            )
    return SimpleNamespace(**types() | {name: new} | others)


def payload_keys() -> Iterator[tuple[tuple[str, ...], str]]:
    """The way to every payload, with each of its keys."""
    inner = ("States", "MergeShards", "ItemProcessor")
    for level, way in ((MACHINE, ()), (text_at(MACHINE, inner), inner)):
        for name, state in level["States"].items():
            for key in state.get("Parameters", {}).get("Payload", ()) if state["Type"] == "Task" else ():
                yield (*way, "States", name, "Parameters", "Payload"), key


def test_what_the_states_pass_and_read_is_what_the_functions_take_and_give() -> None:
    assert Walk(MACHINE, border).problems == set()


def test_every_function_has_its_pair_of_types_and_says_them() -> None:
    named = {name for name in functions() | NO_STATES for name in (f"{name}Input", f"{name}Output")}
    assert named | {"ExecutionInput", "PlannedShard", "Unchanged", "FailedItem"} == set(types())
    for name in functions() | NO_STATES:
        handler = getattr(importlib.import_module(f"handlers.{snake(name)}"), snake(name))
        said = inspect.signature(handler)
        assert [parameter.annotation for parameter in said.parameters.values()] == [f"{name}Input", "LambdaContext"]
        assert said.return_annotation == f"{name}Output"


@pytest.mark.slow
def test_every_path_that_is_read_under_another_name_is_noticed_but_for_those_into_an_item_of_dynamodb() -> None:
    overlooked = []
    for way in reads_in(MACHINE):
        text = text_at(MACHINE, way)
        for found in re.finditer(r"(?<!\$)\$[\w.\[\]*]*\w", text):
            other = changed(MACHINE, way, f"{text[: found.end()]}_renamed{text[found.end() :]}")
            if not Walk(other, border).problems:
                overlooked.append(found[0])
    assert overlooked
    assert [path for path in overlooked if not re.search(r"\.(head|Attributes)\.", path)] == []


def test_every_key_of_a_payload_under_another_name_is_noticed() -> None:
    keys = list(payload_keys())
    assert len(keys) > 40
    for way, key in keys:
        payload = text_at(MACHINE, way)
        name = key.removesuffix(".$")
        renamed = {
            f"{name}_renamed{'.$' if key.endswith('.$') else ''}" if each == key else each: payload[each]
            for each in payload
        }
        other = changed(MACHINE, way, renamed)
        assert any(f"passes {name}_renamed" in problem for problem in Walk(other, border).problems), (way, key)


@pytest.mark.slow
def test_every_key_of_a_type_under_another_name_is_noticed_where_a_state_passes_or_reads_it() -> None:
    overlooked: dict[str, set[str]] = {}
    for name, kind in types().items():
        if name not in {f"{one}{end}" for one in NO_STATES for end in ("Input", "Output")} | {"FailedItem"}:
            for key in kind.__annotations__:
                if not Walk(MACHINE, with_renamed(name, key)).problems:
                    overlooked.setdefault(name, set()).add(key)
    assert overlooked == FOR_PEOPLE
