"""Level 0 on AWS: what credentials alone can ask. Nothing of a stack is needed, and nothing stays."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from operate.asl.answers import came_of_test_state, of_test_state
from operate.conform import change_set, quotas, validation
from operate.conform.level_0 import Answerer, case_rows
from operate.conform.rows import Row, Whose
from operate.conform.services import Patient, asked
from operate.connection import Connection, client_alone, has_credentials
from operate.errors import AccessMissing

NEEDS = "level 0 needs AWS credentials (docs/deploy.md has their rights) and a region, and no stack"
CASES = "Cases of the state machine"


@dataclass(frozen=True)
class OnAws:
    """`connection` None: no stack is looked at, and this repository's own definition is asked. tell: hears of waits."""

    region: str
    client: Callable[[str], Any]
    connection: Connection | None
    tell: Callable[[str], None]
    unique: str

    @classmethod
    def reach(
        cls, connection: Connection | None, region: str | None, *, tell: Callable[[str], None], unique: str
    ) -> "OnAws":
        """Raises AccessMissing in one line that says what is needed."""
        if connection is not None:
            return cls(connection.region, connection.client, connection, tell, unique)
        if not has_credentials():
            raise AccessMissing(f"no AWS credentials: {NEEDS}")
        found = client_alone("stepfunctions", region).meta.region_name
        return cls(found, lambda service: client_alone(service, found), None, tell, unique)

    def rows(self, machine: Mapping[str, Any], template: str | None, stack_name: str | None) -> Iterator[Row]:
        """The rows, as they come. `machine` says what is expected."""
        stepfunctions = Patient(self.client("stepfunctions"), self.tell)
        validates, tests = "states:ValidateStateMachineDefinition", "states:TestState"
        if self.connection is not None:
            looks = "states:DescribeStateMachine, states:DescribeStateMachineAlias"
            validates, tests = f"{validates}, {looks}", f"{tests}, {looks}"
        yield from asked(validation.DEFINITION, validates, Whose.AWS, self._definition_rows(stepfunctions, machine))
        matches = validation.matches_on_aws(Patient(self.client("events"), self.tell))
        patterns = validation.pattern_rows(matches, Whose.AWS)
        yield from asked(validation.PATTERN, "events:TestEventPattern", Whose.AWS, patterns)
        quota_rows = quotas.quota_rows(Patient(self.client("service-quotas"), self.tell))
        yield from asked(quotas.PART, "servicequotas:GetServiceQuota", Whose.AWS, quota_rows)
        if template is not None:
            changes = change_set.change_set_rows(
                self.client, template, region=self.region, stack_name=stack_name, unique=self.unique
            )
            yield from asked(change_set.PART, change_set.RIGHTS, Whose.AWS, changes)
        yield from asked(CASES, tests, Whose.TEST_STATE, self._case_rows(stepfunctions, machine))

    def _definition_rows(self, stepfunctions: Any, machine: Mapping[str, Any]) -> Iterator[Row]:
        yield from validation.definition_rows(stepfunctions, self._deployed(stepfunctions) or machine)

    def _case_rows(self, stepfunctions: Any, machine: Mapping[str, Any]) -> Iterator[Row]:
        answerer = Answerer(
            Whose.TEST_STATE,
            lambda case: of_test_state(stepfunctions, case),
            lambda case: came_of_test_state(stepfunctions, case),
        )
        yield from case_rows(machine, self._deployed(stepfunctions) or machine, [answerer])

    def _deployed(self, stepfunctions: Any) -> Mapping[str, Any] | None:
        """The definition that is started on the stack."""
        if self.connection is None:
            return None
        arn = self.connection.state_machine_arn
        if self.connection.live_arn is not None:
            alias = stepfunctions.describe_state_machine_alias(stateMachineAliasArn=self.connection.live_arn)
            arn = alias["routingConfiguration"][0]["stateMachineVersionArn"]
        found: Mapping[str, Any] = json.loads(stepfunctions.describe_state_machine(stateMachineArn=arn)["definition"])
        return found
