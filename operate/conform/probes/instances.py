"""The probe function: asked by invocations, two at once where two instances are to meet."""

import json
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from operate.conform.probes.errors import ProbeFailed
from operate.stack import Stack

MEET_SECONDS = 40.0
"""How long one instance waits for another: long enough for the cold start of a container, below the function's own."""


@dataclass(frozen=True)
class Answer:
    """error: the name of what the function ended with, or None; seen: what it told."""

    instance: str | None
    seen: dict[str, Any]
    error: str | None = None
    message: str = ""

    def __getitem__(self, name: str) -> Any:
        """Part of what was seen. Raises ProbeFailed where the function failed."""
        if self.error is not None:
            raise ProbeFailed(f"the probe function ended with {self.error}: {self.message}")
        return self.seen[name]


@dataclass(frozen=True)
class Instances:
    """folder: below `.probe` on the file system; of this report alone."""

    stack: Stack
    folder: str
    _threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(6, thread_name_prefix="probe"))

    @cached_property
    def _client(self) -> Any:
        return self.stack.connection.client("lambda")

    def ask(self, command: str, **more: Any) -> Answer:
        """One invocation, to its end. Raises what boto3 raises."""
        function = self.stack.connection.probe_function
        event = {"command": command, "folder": self.folder, "seconds": MEET_SECONDS, **more}
        answer = self._client.invoke(FunctionName=function, Payload=json.dumps(event).encode())
        told = json.loads(answer["Payload"].read() or b"{}")
        if "FunctionError" in answer:
            return Answer(None, {}, str(told.get("errorType")), str(told.get("errorMessage")))
        return Answer(told["instance"], told["seen"])

    def remove(self, command: str, **more: Any) -> None:
        """Remove files, by `clean` or `forget`. Raises ProbeFailed where some are left."""
        if left := self.ask(command, **more)["left"]:
            raise ProbeFailed(f"files of a probe are still there: {', '.join(left)}")

    def begin(self, command: str, **more: Any) -> "Future[Answer]":
        """The same beside what follows."""
        return self._threads.submit(self.ask, command, **more)

    def meet(self, one: dict[str, Any], other: dict[str, Any]) -> tuple[Answer, Answer]:
        """Two commands at once, each in an instance of its own. Raises ProbeFailed where they were one."""
        pair = self.begin(**one), self.begin(**other)
        first, second = pair[0].result(), pair[1].result()
        if first.instance is not None and first.instance == second.instance:
            raise ProbeFailed("both invocations had one instance: they did not run at once")
        return first, second


@contextmanager
def instances(stack: Stack, folder: str) -> Iterator[Instances]:
    """The probe function, with a folder of its own that is removed in the end."""
    asked = Instances(stack, folder)
    try:
        yield asked
    finally:
        asked.ask("put", name="ended", text="")
        asked._threads.shutdown(wait=True)
        asked.remove("clean")
