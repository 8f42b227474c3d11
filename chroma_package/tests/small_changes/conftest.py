"""A collection whose small changes are segments."""

import pytest
from receipt_chroma.folding import FoldBound

from ..uploads import publish_receipts
from ..world import World


@pytest.fixture
def world(world: World) -> World:
    """A base of three receipts; from then on small changes are segments."""
    publish_receipts(world, [1, 2, 3])
    world.bound = FoldBound(least=100)
    return world
