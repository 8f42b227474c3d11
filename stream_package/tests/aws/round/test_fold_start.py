"""Who starts a fold when: one at a time, and one that failed is tried again for the schedule only."""

import json
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from receipt_dynamo_stream.control.head import CollectionHead
from receipt_dynamo_stream.round.fold_start import start_fold

from ...samples import number, text
from ..conftest import Tables

_names = count()


class Machine:
    """A state machine of moto, whose executions run until they are stopped, and the HEAD beside it."""

    def __init__(self, sfn: Any, tables: Tables) -> None:
        definition = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Wait", "Seconds": 600, "End": True}}})
        self.sfn = sfn
        self.arn = sfn.create_state_machine(
            name=f"m{next(_names)}", definition=definition, roleArn="arn:aws:iam::123456789012:role/r"
        )["stateMachineArn"]
        self.tokens = count()
        self.head = CollectionHead(tables.client, tables.control, "words")
        self.tables = tables

    def put_head(self, **attributes: Any) -> None:
        self.tables.put_control("COLLECTION#words", "HEAD", fence=number(1), **attributes)

    def ask(self, *, trigger: str = "stream", asked_by: str = "arn:me") -> bool:
        return start_fold(
            self.head,
            self.sfn,
            self.arn,
            trigger=trigger,
            asked_by=asked_by,
            new_token=lambda: f"{next(self.tokens):032d}",
        )

    @property
    def fold(self) -> str | None:
        head = self.head.read()
        assert head is not None
        return head.fold

    def started(self) -> list[dict[str, Any]]:
        found = self.sfn.list_executions(stateMachineArn=self.arn)["executions"]
        return [json.loads(self.sfn.describe_execution(executionArn=one["executionArn"])["input"]) for one in found]


@pytest.fixture
def machine(aws: dict[str, Any], tables: Tables) -> Iterator[Machine]:
    made = Machine(aws["stepfunctions"], tables)
    made.put_head()
    yield made
    made.sfn.delete_state_machine(stateMachineArn=made.arn)


def test_a_fold_is_started_under_the_name_that_head_has_of_it(machine: Machine) -> None:
    assert machine.ask()
    assert machine.started() == [{"collection": "words", "mode": "fold", "trigger": "stream"}]
    assert machine.fold is not None
    assert machine.sfn.describe_execution(executionArn=machine.fold)["name"] == f"words-stream-{0:032d}"


def test_no_second_one_is_started_while_it_runs(machine: Machine) -> None:
    assert machine.ask()
    assert not machine.ask()
    assert not machine.ask(trigger="schedule")
    assert len(machine.started()) == 1


def test_one_that_failed_is_tried_again_for_the_schedule_only(machine: Machine) -> None:
    machine.ask()
    machine.sfn.stop_execution(executionArn=machine.fold)
    assert not machine.ask()
    assert machine.ask(trigger="schedule")


def test_one_that_asks_as_it_ends_may_be_followed(machine: Machine) -> None:
    machine.ask()
    assert machine.ask(asked_by=str(machine.fold))


def test_one_that_step_functions_does_not_know_is_made_up_for(machine: Machine) -> None:
    machine.put_head(fold=text(f"{machine.arn.replace(':stateMachine:', ':execution:')}:words-stream-never"))
    assert machine.ask()


def test_none_is_started_of_a_paused_collection_or_before_there_is_a_head(machine: Machine) -> None:
    machine.put_head(paused=text("a test"))
    assert not machine.ask()
    other = CollectionHead(machine.tables.client, machine.tables.control, "lines")
    assert not start_fold(other, machine.sfn, machine.arn, trigger="stream", asked_by="me", new_token=lambda: "x")
    assert machine.started() == []


def test_of_two_that_ask_at_once_one_starts_it(machine: Machine) -> None:
    """The other saw the same HEAD, and finds another fold named when it wants to name its own."""
    assert machine.head.claim_fold("arn:first", instead_of=None)
    assert not machine.head.claim_fold("arn:second", instead_of=None)
    assert machine.head.claim_fold("arn:second", instead_of="arn:first")
    assert machine.fold == "arn:second"
