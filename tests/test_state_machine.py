"""The ASL file as a text: its names, its errors against the classes in the code, and what every state must have."""

import ast
import importlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from receipt_dynamo_stream import COLLECTIONS
from statelint.linter import Linter

ROOT = Path(__file__).parents[1]
ASL = ROOT / "state_machines/compaction.asl.json"
MACHINE = json.loads(ASL.read_text())
AWS_PREFIXES = ("Lambda.", "DynamoDB.", "States.", "Runtime.", "Sandbox.")


def states(level: dict[str, Any] = MACHINE) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, state in level["States"].items():
        yield name, state
        if state["Type"] == "Map":
            yield from states(state["ItemProcessor"])


def tasks() -> dict[str, dict[str, Any]]:
    return {name: state for name, state in states() if state["Type"] == "Task"}


def function_of(state: dict[str, Any]) -> str | None:
    found = re.fullmatch(r"\$\{(\w+)Arn\}", state["Parameters"].get("FunctionName", ""))
    return found.group(1) if found else None


def snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def classes_in_the_code() -> set[str]:
    files = [*ROOT.glob("*_package/receipt_*/**/*.py"), *ROOT.glob("handlers/*.py")]
    return {
        node.name for file in files for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.ClassDef)
    }


def test_the_file_is_a_clean_state_machine() -> None:
    assert Linter.validate(str(ASL)) == []


def test_every_state_says_why_it_may_run_twice() -> None:
    assert [name for name, state in states() if len(state.get("Comment", "")) < 5] == []


def test_every_task_and_the_machine_have_a_timeout() -> None:
    assert MACHINE["TimeoutSeconds"] > 0
    assert [name for name, state in tasks().items() if not state.get("TimeoutSeconds")] == []


def test_a_function_state_is_named_like_its_handler_module_and_function() -> None:
    again = {
        "SwapCommitted": "SwapPointer",
        "SwapServing": "SwapPointer",
        "PreviewPlan": "PlanCompaction",
        "ExpireByHand": "ExpireSnapshots",
        "BlameReceipts": "SettleChanges",
    }
    for name, state in tasks().items():
        function = function_of(state)
        if function is None:
            continue
        assert again.get(name, name) == function
        module = importlib.import_module(f"handlers.{snake(function)}")
        assert callable(getattr(module, snake(function)))


def test_a_handler_leaves_its_states_work_to_the_function_of_the_same_name_in_a_package() -> None:
    """But for InspectHolder, whose work is one question to Step Functions."""
    for function in {function_of(state) for state in tasks().values()} - {None, "InspectHolder"}:
        assert function is not None
        module = importlib.import_module(f"handlers.{snake(function)}")
        tree = ast.parse(Path(str(module.__file__)).read_text())
        called = {
            getattr(module, node.func.value.id)
            for node in ast.walk(tree)
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == snake(function)
            and isinstance(node.func.value, ast.Name)
        }
        (home,) = called
        assert home.__name__.split(".")[0] in {"receipt_chroma", "receipt_dynamo_stream"}
        assert callable(getattr(home, snake(function)))


def test_every_error_that_is_named_is_awss_or_a_class_of_ours_or_a_fail_state() -> None:
    named = {
        error
        for state in tasks().values()
        for rule in [*state.get("Retry", []), *state.get("Catch", [])]
        for error in rule["ErrorEquals"]
    }
    ours = {error for error in named if not error.startswith(AWS_PREFIXES)}
    assert ours, "the machine retries no error of ours: then this test proves nothing"
    assert ours <= classes_in_the_code()


def test_a_catch_stands_only_where_a_refusal_is_an_answer_or_failure_does_not_matter() -> None:
    caught = {name: {e for c in state.get("Catch", []) for e in c["ErrorEquals"]} for name, state in tasks().items()}
    everything = sorted(name for name, errors in caught.items() if "States.ALL" in errors)
    commits = ["CommitRollback", "CommitSnapshot"]
    assert everything == ["BlameReceipts", *commits, "ExpireSnapshots", "StartFold", "StartGenerations"]
    assert set().union(*caught.values()) == {"States.ALL", "DynamoDB.ConditionalCheckFailedException"}


def test_every_update_of_a_held_lease_proves_the_fence() -> None:
    updates = {name: state for name, state in tasks().items() if state["Resource"].endswith("dynamodb:updateItem")}
    del updates["AcquireLease"], updates["PauseForRollback"]  # before a lease is held
    assert len(updates) >= 8
    for name, state in updates.items():
        assert "fence = :" in state["Parameters"]["ConditionExpression"], name


def test_only_the_commits_write_the_pointer() -> None:
    writers = sorted(n for n, s in tasks().items() if "snapshot_id =" in s["Parameters"].get("UpdateExpression", ""))
    assert writers == ["CommitRollback", "CommitSnapshot"]
    rollback, commit = (tasks()[name]["Parameters"]["ConditionExpression"] for name in writers)
    assert rollback == "holder = :me AND fence = :fence AND version = :base AND attribute_exists(paused)"
    assert commit == "holder = :me AND fence = :fence AND version = :base AND attribute_not_exists(paused)"


def test_the_file_stays_within_what_both_interpreters_share() -> None:
    text = ASL.read_text()
    assert "JSONata" not in text
    assert '"Assign"' not in text
    for name, state in states():
        if state["Type"] == "Choice":
            assert "Default" in state, name
            assert "$$." not in json.dumps(state), f"{name}: the local interpreter knows no context object in a Choice"


@pytest.mark.parametrize("service", ["dynamodb", "lambda"])
def test_no_arn_or_table_name_is_written_out(service: str) -> None:
    assert not re.search(rf"arn:aws:{service}:", ASL.read_text())


def test_the_picture_in_the_readme_is_the_one_of_the_file() -> None:
    subprocess.run([sys.executable, str(ROOT / "state_machines/draw.py"), "--check"], check=True)


EVENTS = {"Task": 5, "Map": 4, "Choice": 2, "Pass": 2, "Wait": 2, "Succeed": 2}
"""What a state that does not fail adds to an execution's history."""
A_RETRY = 3
"""What each failed try of a Task adds: scheduled, started, failed."""
LIMIT = 25_000
"""The events at which Step Functions ends an execution."""
A_ROUND = """
    ClearRerun IsTurnAsked IsProjected WhichWork IsPaused PlanCompaction IsPlanReady WaitForInterval PlanCompaction
    IsPlanReady DownloadSnapshot MergeShards AnythingChanged WriteManifest CommitSnapshot SwapPointer
    IsSettling Published SettleChanges ExpireSnapshots IsFoldDue StartFold MoreToPlan ReleaseLease RoundsLeft NextRound
"""
A_WAIT = "AcquireLease InspectHolder HolderState CountWait AskForTurn WaitForHolder"


def events_of(way: str, level: dict[str, Any] = MACHINE) -> int:
    """The events of a way through states, each of which leads to the next and the last to the first."""
    names = way.split()
    for name, following in zip(names, [*names[1:], names[0]], strict=True):
        state = level["States"][name]
        targets = [each.get("Next") for each in (state, *state.get("Choices", ()), *state.get("Catch", ()))]
        assert following in {*targets, state.get("Default")}, name
    return sum(EVENTS[level["States"][name]["Type"]] for name in names)


def test_the_bounds_of_an_execution_keep_its_history_within_what_step_functions_allows() -> None:
    bounds = MACHINE["States"]["RoundsLeft"]["Choices"][0]["And"]
    rounds, shards = (each["NumericLessThan"] for each in bounds if "NumericLessThan" in each)
    waits = next(c for c in MACHINE["States"]["HolderState"]["Choices"] if c["Variable"] == "$.count.waits")
    maps = [state["ItemProcessor"]["States"] for _, state in states() if state["Type"] == "Map"]
    a_shard = 2 + max(sum(EVENTS[s["Type"]] for s in inner.values() if s["Type"] != "Succeed") for inner in maps)
    assert (events_of(A_ROUND), a_shard, events_of(A_WAIT)) == (87, 14, 21), "as RoundsLeft says, about"
    of_the_last_round = 80  # an execution ends after the round in which it passes the bound
    merged = (shards + of_the_last_round) * a_shard
    work = (rounds + 1) * events_of(A_ROUND) + merged + waits["NumericLessThan"] * events_of(A_WAIT)
    a_round = sum(MACHINE["States"][name]["Type"] == "Task" for name in A_ROUND.split()) + 2 * of_the_last_round
    tries = max(retrier["MaxAttempts"] for state in tasks().values() for retrier in state["Retry"])
    assert work + a_round * tries * A_RETRY < LIMIT, "an outage in which all of a round needs every try"


class PathMissing(Exception):
    """What AWS ends an execution for with States.Runtime: a comparison of a variable that is not there."""


def holds(rule: dict[str, Any], data: dict[str, Any]) -> bool:
    """A Choice rule as AWS evaluates it; moto takes a missing variable for one that does not match."""
    if "And" in rule:
        return all(holds(one, data) for one in rule["And"])
    if "Or" in rule:
        return any(holds(one, data) for one in rule["Or"])
    if "Not" in rule:
        return not holds(rule["Not"], data)
    name = rule["Variable"].removeprefix("$.")
    if "IsPresent" in rule:
        return bool((name in data) == rule["IsPresent"])
    if name not in data:
        raise PathMissing(name)
    if "IsString" in rule:
        return isinstance(data[name], str) == rule["IsString"]
    if "StringMatches" in rule:
        return isinstance(data[name], str) and fnmatchcase(data[name], rule["StringMatches"])
    return bool(data[name] == rule["StringEquals"])


def test_the_machine_takes_the_collections_that_there_are_and_names_each_in_one_place() -> None:
    state, refusal = MACHINE["States"]["ValidateInput"], MACHINE["States"]["InvalidInput"]
    listed = re.findall(r'"StringEquals": "(\w+)"', json.dumps(state))
    assert [one for one in listed if one in COLLECTIONS] == list(COLLECTIONS)
    assert all(any(holds(rule, {"collection": one}) for rule in state["Choices"]) for one in COLLECTIONS)
    assert f'"collection": {" or ".join(json.dumps(one) for one in COLLECTIONS)}.' in refusal["Cause"]


@pytest.mark.parametrize("collection", [None, "words", "words-2", "receipts", "receipts-2", 7])
@pytest.mark.parametrize(
    "mode", [None, "compact", "plan", "expire", "fold", "restore", "rollback", "verify", "unheard-of", 7]
)
@pytest.mark.parametrize("snapshot_id", [None, "0000000003-0000000005-0", 7])
def test_an_input_is_refused_by_name_whatever_it_leaves_out(
    collection: object, mode: object, snapshot_id: object
) -> None:
    given = {"collection": collection, "mode": mode, "snapshot_id": snapshot_id}
    data = {name: value for name, value in given.items() if value is not None}
    state = MACHINE["States"]["ValidateInput"]
    taken = next((rule["Next"] for rule in state["Choices"] if holds(rule, data)), state["Default"])
    known = (None, "compact", "plan", "expire", "fold", "restore", "rollback", "verify")
    good = collection in ("words", "words-2") and mode in known
    if mode == "rollback":
        good = good and isinstance(snapshot_id, str)
    if mode == "verify":
        good = good and snapshot_id != 7
    assert taken == ("SetDefaults" if good else "InvalidInput")
