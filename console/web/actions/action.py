"""The form that every action has."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from flask import abort
from receipt_dynamo_stream.grain import is_collection

from console.web.site import collections, site
from operate.asked_first import AskedFirst

Given = Mapping[str, str]
"""The parameters of the address."""


@dataclass(frozen=True)
class Question:
    """What is asked before an action, what the button says that does it, and where `no` leads."""

    asked: AskedFirst
    button: str
    back: str


@dataclass(frozen=True)
class Done:
    """What was done, for a notice on the page `to`."""

    notice: str
    to: str


class Action(Protocol):
    """Both calls raise what the stack raises, also where the action may not be done. `ask` changes nothing; `do` gets a
    reason where the question has one."""

    def ask(self, given: Given) -> Question: ...

    def do(self, given: Given, reason: str) -> Done: ...


def collection_of(given: Given) -> str:
    """The collection, or generation of one, that the address names; aborts with 400 when it names none.

    Raises CollectionNotFound for a generation that there never was.
    """
    return asked_collection(given.get("collection", ""))


def asked_collection(name: str) -> str:
    """The same name, as `collection_of` looks at it."""
    if not is_collection(name):
        abort(400, f"Which collection? One of {', '.join(collections())}.")
    return site().stack.collections.known(name)


def needed(given: Given, name: str) -> str:
    """A parameter that must be there; aborts with 400 when it is not."""
    if not given.get(name):
        abort(400, f"The address lacks {name}: go back and follow the link again.")
    return given[name]
