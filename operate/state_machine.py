"""The executions of the state machine as Step Functions knows them by now; it forgets them after 90 days."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from operate.errors import ExecutionNotFound
from operate.models import Execution, listed_execution
from operate.services import Services

NEWEST = 100
_PAGE = 100


class StateMachine:
    """An execution is given by its whole name or its ARN. Listings are lazy: what nobody looks at is not asked for.

    `arn` is the machine's, whose listings have the executions of all its versions; `started_as` names the version that
    is started.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self.arn = services.connection.state_machine_arn
        self.started_as = services.connection.live_arn or self.arn

    def arn_of(self, execution: str) -> str:
        """The ARN of an execution, whether there is one or not."""
        if execution.startswith("arn:"):
            return execution
        return f"{self.arn.replace(':stateMachine:', ':execution:')}:{execution}"

    def describe(self, execution: str) -> dict[str, Any]:
        """The answer of DescribeExecution. Raises ExecutionNotFound: there never was one, or it is forgotten."""
        client = self._services.stepfunctions
        try:
            answer: dict[str, Any] = dict(client.describe_execution(executionArn=self.arn_of(execution)))
        except (client.exceptions.ExecutionDoesNotExist, client.exceptions.InvalidArn) as error:
            raise ExecutionNotFound(f"no execution {execution}: `compaction history` lists them") from error
        return answer

    def listed(self, status: str | None = None) -> Iterator[Execution]:
        """The executions, newest first, as far as their names say what they are."""
        wanted: dict[str, Any] = {"stateMachineArn": self.arn, "maxResults": _PAGE}
        if status is not None:
            wanted["statusFilter"] = status.upper()
        while True:
            page = self._services.stepfunctions.list_executions(**wanted)
            yield from map(listed_execution, page["executions"])
            if not page.get("nextToken"):
                return
            wanted["nextToken"] = page["nextToken"]

    def newest_and_running(self) -> list[Execution]:
        """The newest NEWEST, and all that run."""
        return [*islice(self.listed(), NEWEST), *self.listed("running")]
