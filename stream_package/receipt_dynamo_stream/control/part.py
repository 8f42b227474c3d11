"""What every part of the control table is bound to."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Part:
    """The items of one kind and one collection: a client, the control table's name, and the collection's."""

    client: Any
    table: str
    collection: str
