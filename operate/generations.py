"""The names that an operator may give: the collections, and the generations of each that were ever made."""

from collections.abc import Iterator

from receipt_dynamo_stream.control.generations import Generations
from receipt_dynamo_stream.control.table import ControlTable
from receipt_dynamo_stream.generations import collection_of, generation_name, number_of
from receipt_dynamo_stream.grain import COLLECTIONS, is_collection

from operate.errors import CollectionNotFound


def generations_of(control: ControlTable, name: str) -> Generations:
    """Those of the collection that this is the name of, or of a generation of."""
    return control.generations(collection_of(name)).read()


def active_names(control: ControlTable) -> tuple[str, ...]:
    """What is kept up: of each collection its active generations, the oldest first. One read for each collection."""
    return tuple(name for one in COLLECTIONS for name in generations_of(control, one).active)


def every_name(control: ControlTable) -> Iterator[str]:
    """All that there ever were, also those that are not kept up any more: their history stays."""
    for one in COLLECTIONS:
        for number in range(1, generations_of(control, one).newest + 1):
            yield generation_name(one, number)


def known_name(control: ControlTable, given: str) -> str:
    """The same name. Raises CollectionNotFound for what is no collection, and no generation that was ever made."""
    if given in COLLECTIONS:
        return given
    if not is_collection(given):
        raise CollectionNotFound(f"there is no collection {given!r}: there are {' and '.join(COLLECTIONS)}")
    newest = generations_of(control, given).newest
    if number_of(given) > newest:
        collection = collection_of(given)
        there = generation_name(collection, newest)
        raise CollectionNotFound(f"{collection} has no generation {given}: the newest is {there}")
    return given
