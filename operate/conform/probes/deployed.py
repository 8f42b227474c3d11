"""What CloudFormation says of a deployed stack: its functions with their roles and logs, its topic."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from operate.stack import Stack


@dataclass(frozen=True)
class Deployed:
    """Of a local stack it says nothing."""

    stack: Stack

    @cached_property
    def _resources(self) -> list[Mapping[str, Any]]:
        name = self.stack.connection.stack_name
        if name is None:
            return []
        pages = self.stack.connection.client("cloudformation").get_paginator("list_stack_resources")
        return [row for page in pages.paginate(StackName=name) for row in page["StackResourceSummaries"]]

    def resource(self, kind: str) -> str | None:
        """The physical id of the first resource of a type; None where there is none."""
        return next((row["PhysicalResourceId"] for row in self._resources if row["ResourceType"] == kind), None)

    @cached_property
    def functions(self) -> Mapping[str, Mapping[str, Any]]:
        """The configuration of each of our functions, by the name of its step."""
        client, found = self.stack.connection.client("lambda"), {}
        for row in self._resources:
            if row["ResourceType"] == "AWS::Lambda::Function":
                told = client.get_function_configuration(FunctionName=row["PhysicalResourceId"])
                command = (told.get("ImageConfigResponse") or {}).get("ImageConfig", {}).get("Command") or ()
                handler = str(told.get("Handler") or next(iter(command), ""))
                if handler.startswith("handlers."):
                    found["".join(part.title() for part in handler.split(".")[1].split("_"))] = told
        return found
