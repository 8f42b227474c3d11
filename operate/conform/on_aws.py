"""Level 0 on AWS: what credentials alone can ask. Nothing of a stack is needed, and nothing is deployed."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from operate.asl.answers import of_test_state
from operate.conform.level_0 import Answerer, case_rows
from operate.conform.rows import Row, Whose
from operate.connection import Connection, client_alone, has_credentials
from operate.errors import AccessMissing

NEEDS = "level 0 needs AWS credentials (docs/conformance.md has their rights) and a region, and no stack"


@dataclass(frozen=True)
class OnAws:
    """`connection` None: no stack is looked at, and this repository's own definition is asked."""

    region: str
    client: Callable[[str], Any]
    connection: Connection | None
    tell: Callable[[str], None]

    @classmethod
    def reach(cls, connection: Connection | None, region: str | None, *, tell: Callable[[str], None]) -> "OnAws":
        """Raises AccessMissing in one line that says what is needed."""
        if connection is not None:
            return cls(connection.region, connection.client, connection, tell)
        if not has_credentials():
            raise AccessMissing(f"no AWS credentials: {NEEDS}")
        found = client_alone("stepfunctions", region).meta.region_name
        return cls(found, lambda service: client_alone(service, found), None, tell)

    def rows(self, machine: Mapping[str, Any]) -> Iterator[Row]:
        """The rows, as they come. `machine` says what is expected."""
        stepfunctions = self.client("stepfunctions")
        yield from case_rows(
            machine,
            self._deployed(stepfunctions) or machine,
            [Answerer(Whose.TEST_STATE, lambda case: of_test_state(stepfunctions, case))],
        )

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
