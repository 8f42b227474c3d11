"""The collections: which there are, and for each what one record of it stands for, its grain. All else asks here.

Whoever needs a name for a key, a prefix or a partition uses the name as it is, and compares it with none. Whoever needs
to know what kind of records a collection has asks `grain_of`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from receipt_dynamo_stream import names
from receipt_dynamo_stream.generations import collection_of


@dataclass(frozen=True, slots=True)
class Grain:
    """What one record stands for: an item of its receipt. The item's two keys, joined by `#`, are the record's id, and
    the record may be there only while the receipt and the item are.

    entity_type: of the item, one of those whose ids the facts have. one: what people call it. sort_key: how its key
    goes on after the receipt's, with a place for each of its ids. touched_by: the types of items whose changes may
    change a record.
    """

    entity_type: str
    one: str
    sort_key: str
    touched_by: frozenset[str]


_OF_EVERY: Final = frozenset({names.RECEIPT, names.RECEIPT_PLACE, names.RECEIPT_METADATA, names.COMPACTION_RUN})

_GRAINS: Final[Mapping[str, Grain]] = {
    "lines": Grain(
        names.RECEIPT_LINE,
        one="line",
        sort_key="LINE#{:05d}",
        touched_by=_OF_EVERY | {names.RECEIPT_LINE, names.RECEIPT_WORD_LABEL, names.RECEIPT_SECTION},
    ),
    "words": Grain(
        names.RECEIPT_WORD,
        one="word",
        sort_key="LINE#{:05d}#WORD#{:05d}",
        touched_by=_OF_EVERY | {names.RECEIPT_WORD, names.RECEIPT_WORD_LABEL},
    ),
}

COLLECTIONS: Final = tuple(_GRAINS)
"""The names of the collections, as keys, prefixes, attributes and the state machine's input have them."""

GRAINS: Final[Mapping[str, Grain]] = {grain.entity_type: grain for grain in _GRAINS.values()}
"""By the type of the items that records stand for; each is the grain of one collection."""


def is_collection(name: str) -> bool:
    """Whether this is the name of a collection, or of a generation of one."""
    try:
        return bool(grain_of(name))
    except ValueError:
        return False


def grain_of(name: str) -> Grain:
    """What the records of a collection, or of a generation of one, stand for. Raises ValueError for another name."""
    collection = collection_of(name)
    if collection not in _GRAINS:
        raise ValueError(f"there is no collection {name!r}: there are {' and '.join(COLLECTIONS)}")
    return _GRAINS[collection]


def collection_with(grain: Grain) -> str:
    """The collection whose records are of this grain."""
    return next(collection for collection, one in _GRAINS.items() if one == grain)
