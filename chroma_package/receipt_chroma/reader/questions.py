"""What a caller asks, checked before anything is read: chromadb would cut it off, guess, or answer with NaN."""

import operator
from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from receipt_dynamo_stream.generations import collection_of
from receipt_dynamo_stream.grain import COLLECTIONS

from receipt_chroma.errors import QuestionInvalid, UnknownCollection, WrongModel
from receipt_chroma.records import Vector

GET_COLUMNS: Final = ("documents", "metadatas", "embeddings")
QUERY_COLUMNS: Final = (*GET_COLUMNS, "distances")

Vectors = NDArray[np.float32]


def check_collection(collection: str, root: object) -> None:
    """Raise UnknownCollection unless this is the name of a collection."""
    if collection not in COLLECTIONS:
        known = " and ".join(COLLECTIONS)
        raise UnknownCollection(f"there is no collection {collection!r} in {root}: the collections are {known}")


def check_generation(generation: str, collection: str) -> None:
    """Raise UnknownCollection unless this can be the name of a generation of the collection."""
    try:
        known = collection_of(generation) == collection
    except ValueError:
        known = False
    if not known:
        raise UnknownCollection(
            f"{generation!r} is no generation of {collection}: these are {collection}, {collection}-2, {collection}-3 …"
        )


def check_model(model: str | None, generation: str, serves: str) -> None:
    """Raise WrongModel unless the vectors of a question, if it says of which model they are, are of the one that
    answers."""
    if model is not None and model != serves:
        raise WrongModel(model, generation, serves)


def one_vector(vector: Any, dimension: int | None) -> Vector:
    """The vector of a question, as float32. Raises QuestionInvalid."""
    values = _numbers(vector)
    if values.ndim != 1:
        raise QuestionInvalid(
            f"one vector is wanted, this has the shape {values.shape}: query() takes many at once"
            if values.ndim == 2
            else f"a vector is a list of numbers, not {type(vector).__name__}"
        )
    checked: Vector = _checked(values[np.newaxis], dimension)[0]
    return checked


def one_or_many_vectors(vectors: Any, dimension: int | None) -> Vectors:
    """The vectors of a question as a matrix, one row each. Raises QuestionInvalid."""
    values = _numbers(vectors)
    if values.ndim not in (1, 2) or not len(values):
        raise QuestionInvalid(f"query_embeddings is a vector or a list of vectors, not one of the shape {values.shape}")
    return _checked(values if values.ndim == 2 else values[np.newaxis], dimension)


def check_ids(ids: Any) -> list[str] | None:
    """The ids, each once. Raises QuestionInvalid for a string: its characters would be taken for ids."""
    if ids is None:
        return None
    if isinstance(ids, (str, bytes)) or not isinstance(ids, Iterable):
        raise QuestionInvalid(f"ids is a list of ids, not {ids!r}: for one record pass [id]")
    unique = dict.fromkeys(ids)
    for one in unique:
        if not isinstance(one, str):
            raise QuestionInvalid(f"an id is a text, not {one!r}")
    return list(unique)


def check_include(include: Sequence[str], columns: Sequence[str]) -> list[str]:
    """The columns to answer. Raises QuestionInvalid."""
    if isinstance(include, str) or not isinstance(include, Sequence):
        raise QuestionInvalid(f"include is a list of {', '.join(columns)}, not {include!r}")
    for one in include:
        if one not in columns:
            raise QuestionInvalid(f"{one!r} cannot be included here: only {', '.join(columns)} can")
    return list(include)


def check_number(name: str, value: Any, *, least: int) -> int:
    """A whole number, not less than that. Raises QuestionInvalid."""
    try:
        number = operator.index(value)
    except TypeError as error:
        raise QuestionInvalid(f"{name} is a whole number, not {value!r}") from error
    if number < least:
        raise QuestionInvalid(f"{name} is at least {least}, not {number}")
    return number


def _numbers(values: Any) -> NDArray[np.float32]:
    try:
        with np.errstate(over="ignore"):
            return np.asarray(values, dtype=np.float32)
    except (ValueError, TypeError, OverflowError) as error:
        raise QuestionInvalid(f"a vector is a list of numbers, and all have one length: {error}") from error


def _checked(vectors: Vectors, dimension: int | None) -> Vectors:
    if dimension is not None and vectors.shape[1] != dimension:
        raise QuestionInvalid(f"the query has {vectors.shape[1]} dimensions, the snapshot has {dimension}")
    if not np.isfinite(vectors).all():
        raise QuestionInvalid("a vector has a value that is not finite (NaN, or beyond 32 bits): nothing is near it")
    return vectors
