"""The runbook: a section for every alarm's and every error's name, each with its four parts."""

import importlib
import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from receipt_chroma import errors as heavy
from receipt_dynamo_stream import errors as light

from handlers.settings import SettingsError

ROOT = Path(__file__).parents[1]
RUNBOOK = (ROOT / "docs/runbook.md").read_text()
MACHINE = json.loads((ROOT / "state_machines/compaction.asl.json").read_text())
PARTS = ("**You see**", "**It means**", "**Do this**", "**Escalate**")

END_NO_EXECUTION = {
    "CompactionError": "the root of all",
    "StreamRecordError": "the stream function sets the record aside: FailureQueue",
    "MessageInvalid": "of who reads messages",
    "PublishFailed": "the stream function counts it: PublishFailures",
    "RegexUnsupported": "of a reader",
    "ExportRefused": "of a command",
    "NoSnapshotYet": "of a reader",
    "CurrentGone": "of a reader: SnapshotUnavailable says what brings it back",
    "VersionNotServed": "of a reader",
    "QuestionInvalid": "of a reader",
    "UnknownCollection": "of a reader",
    "WrongModel": "of a reader",
    "RunRefused": "of who waits for a run",
    "RunInvalid": "of a producer",
    "RunAnnounced": "of a producer",
    "RecordsInvalid": "of a producer",
    "PlanMissing": "in the section of ObjectMissing",
    "ReportMissing": "in the section of ObjectMissing",
}


def sections() -> dict[str, str]:
    parts = re.split(r"^### (\S+)$", RUNBOOK, flags=re.MULTILINE)
    return {name: text.partition("\n## ")[0] for name, text in zip(parts[1::2], parts[2::2], strict=True)}


SECTIONS = sections()


def classes() -> Iterator[type[Exception]]:
    for module in (heavy, light):
        for _, found in inspect.getmembers(module, inspect.isclass):
            if issubclass(found, light.CompactionError):
                yield found
    yield SettingsError


ENDING = {c.__name__ for c in classes() if not issubclass(c, heavy.DeltaRefused)} - set(END_NO_EXECUTION)


def test_every_section_has_its_four_parts_in_order() -> None:
    for name, text in SECTIONS.items():
        if name != "DeltaRefused":
            found = [text.find(f"- {part}") for part in PARTS]
            assert -1 not in found, name
            assert found == sorted(found), name


@pytest.mark.parametrize("name", sorted(ENDING))
def test_every_error_class_that_can_end_an_execution_has_its_section(name: str) -> None:
    assert name in SECTIONS


def test_every_fail_state_has_its_section() -> None:
    fails = {state["Error"] for state in MACHINE["States"].values() if "Error" in state}
    assert len(fails) >= 6
    assert fails <= set(SECTIONS)


def test_every_error_that_is_tried_again_is_named() -> None:
    named = set(re.findall(r'"((?:Lambda|DynamoDB|Runtime|Sandbox|States)\.\w+)"', json.dumps(MACHINE)))
    named -= {"States.ALL", "DynamoDB.ConditionalCheckFailedException"}  # which are caught
    assert len(named) > 20
    assert [name for name in sorted(named) if name not in RUNBOOK] == []


def test_every_refusal_of_a_delta_is_explained() -> None:
    refusals = {c.__name__ for c in classes() if issubclass(c, heavy.DeltaRefused)} - {"DeltaRefused"}
    assert refusals == set(re.findall(r"^\| `(\w+)` \|", SECTIONS["DeltaRefused"], re.MULTILINE))


def test_every_command_of_the_runbook_is_one() -> None:
    table = importlib.import_module("console.cli.command_table")
    known = {command.name.split()[0] for command in table.COMMANDS}
    used = set(re.findall(r"`compaction (?:--stack \S+ )?([a-z]+)", RUNBOOK))
    assert used - {"status"}
    assert used <= known


def test_every_link_within_the_runbook_leads_somewhere() -> None:
    targets = {name.lower().replace(".", "") for name in SECTIONS}
    assert set(re.findall(r"\]\(#([\w-]+)\)", RUNBOOK)) <= targets
