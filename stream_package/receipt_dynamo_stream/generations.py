"""Generations of a collection: the records of one embedding model each, side by side.

The first has the collection's own name, `words`; later ones `words-2`, `words-3`, whose numbers are never used again.
For the machine each is a collection: its own HEAD, lease, pending receipts, versions, folder and prefixes. What they
share is the collection that they are generations of: the kind of records, and the attributes of runs.
"""

import re

_NAME = re.compile(r"(?P<collection>[a-z]+)(?:-(?P<number>[1-9]\d{0,8}))?", re.ASCII)


def generation_name(collection: str, number: int) -> str:
    """The name of a collection's generation, from 1 on. Raises ValueError."""
    if number < 1 or collection_of(collection) != collection:
        raise ValueError(f"there is no generation {number} of {collection!r}: they count from 1")
    return collection if number == 1 else f"{collection}-{number}"


def collection_of(name: str) -> str:
    """The collection of which this is the name of a generation. Raises ValueError for what is no such name."""
    return _match(name)[0]


def number_of(name: str) -> int:
    """Which of its collection's generations this is: 1 for the collection's own name. Raises ValueError."""
    return _match(name)[1]


def _match(name: str) -> tuple[str, int]:
    match = _NAME.fullmatch(name)
    number = int(match["number"] or 1) if match else 0
    if match is None or (match["number"] and number < 2):
        raise ValueError(f"{name!r} is no collection and no generation of one, such as words or words-2")
    return match["collection"], number
