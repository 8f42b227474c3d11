"""How a text becomes a vector: by a named embedder, or on a local stack as the sample producers embed theirs."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Final

from operate.connection import Connection
from operate.contents.embedder import Embedder
from operate.errors import UsageError

SAMPLES: Final = "local.demo.samples.embedding:embed_text"
_HOW: Final = "name it as module:function, a function of a list of texts that returns a vector for each"


def embedder_of(connection: Connection, given: str | None = None) -> Embedder | None:
    """The named embedder; without a name the samples' on a local stack, None on AWS. Raises UsageError."""
    if given is not None:
        return named_embedder(given)
    return None if connection.efs_root is None else sample_embedder()


def sample_embedder() -> Embedder:
    """As the sample receipts are embedded: without a model, by what texts look like."""
    from local.demo.samples.embedding import DIMENSION, embed_text

    def make(texts: Sequence[str], dimension: int | None) -> list[list[float]]:
        return [[float(value) for value in embed_text(text, dimension or DIMENSION)] for text in texts]

    return Embedder(SAMPLES, make)


def named_embedder(given: str) -> Embedder:
    """An embedder by name; modules of the current folder count. Raises UsageError when there is none."""
    if given == SAMPLES:
        return replace(sample_embedder(), chosen=True)
    module, colon, name = given.partition(":")
    if not module or not colon or not name:
        raise UsageError(f"{given!r} is no embedder: {_HOW}")
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    try:
        function = getattr(import_module(module), name)
    except Exception as error:  # whatever somebody else's module raises
        said = f"{type(error).__name__}: {error}"
        raise UsageError(f"the embedder {given} cannot be loaded ({said}): {_HOW}") from error
    if not callable(function):
        raise UsageError(f"{given} is no function: {_HOW}")
    return Embedder(given, lambda texts, _dimension: function(list(texts)), chosen=True)
