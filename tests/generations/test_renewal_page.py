"""The page of a renewal, and what the others say of generations, on the local stack and without a browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from receipt_dynamo_stream.keys import ReceiptId

from console.embedding import embedder_of
from operate.contents.contents import Contents
from operate.stack import Stack

from ..console.web.conftest import Visitor, visitor_of
from .world import GenerationWorld, should_be

A, B = ReceiptId("aaaa", 1), ReceiptId("bbbb", 1)


@pytest.fixture
def visitor(world: GenerationWorld, tmp_path: Path) -> Iterator[Visitor]:
    operator = Stack(world.stack.connection)
    with Contents(operator, cache=tmp_path, embedder=embedder_of(operator.connection)) as contents:
        yield visitor_of(operator, contents)


def ended(world: GenerationWorld, visitor: Visitor, question: str, **fields: str) -> None:
    """Answer a question whose execution is waited for."""
    name = visitor.confirm(question, **fields).rpartition("/")[2]
    world.until(lambda: Stack(world.stack.connection).executions.describe(name).status != "running", "its end")


@pytest.mark.slow
def test_without_a_renewal_the_page_says_how_one_is_begun_and_no_other_page_speaks_of_it(
    world: GenerationWorld, visitor: Visitor
) -> None:
    world.published(A)
    assert "compaction renew words --model" in visitor.open("/renewal/words")
    assert "renewal" not in visitor.open("/")
    for address in ("/renewal/words-2", "/snapshots/words-2", "/search?collection=words-2", "/renewal/pages"):
        assert "generation" in visitor.open(address, status=404) or "no collection" in visitor.open(address, status=404)
    assert "no generation words-2" in visitor.open("/do/pause?collection=words-2", status=404)


@pytest.mark.slow
def test_the_page_shows_how_far_it_is_what_is_missing_and_offers_what_can_be_done(
    world: GenerationWorld, visitor: Visitor
) -> None:
    world.published(A, B)
    world.begin()
    assert "words-2 has 0 of 2 receipts" in visitor.open("/renewal/words")
    assert "/do/switch?" not in visitor.open("/renewal/words"), "what has no snapshot cannot serve"
    world.renewed(A)
    visitor = fresh(visitor)
    page = visitor.open("/renewal/words-2")
    for part in ('<progress class="ready" max="2" value="1"', "/receipts/bbbb/1", "model-b", "Switch to words-2"):
        assert part in page
    overview = visitor.open("/")
    assert 'id="card-words-2"' in overview
    assert overview.count("/renewal/words") == 4
    for address in ("/snapshots/words-2", "/search?collection=words-2", "/executions?collection=words-2", "/pending"):
        assert "words-2" in visitor.open(address)
    assert "1 receipt lacks records in words-2" in visitor.open("/do/switch?collection=words&generation=words-2")


@pytest.mark.slow
def test_switch_back_and_finish_by_their_questions(world: GenerationWorld, visitor: Visitor) -> None:
    world.published(A)
    world.begin()
    visitor.confirm("/do/switchwhencomplete?collection=words&generation=words-2")
    assert (world.generations.switching or "").startswith("words-2 ")
    world.renewed(A)
    ended(world, visitor, "/do/switch?collection=words&generation=words-2")
    assert (world.generations.serving, world.generations.switching) == ("words-2", None)
    assert "Switch back to words" in visitor.open("/renewal/words")
    ended(world, visitor, "/do/switch?collection=words&generation=words")
    assert "serves words already" in visitor.open("/do/switch?collection=words&generation=words", status=409)
    assert "the way back ends" in visitor.open("/do/finish?collection=words")
    visitor.confirm("/do/finish?collection=words")
    assert world.generations.active == ("words",)
    assert "Only words is kept up" in visitor.open("/renewal/words")
    assert world.content("words") == should_be([A])
    assert "version" in visitor.open("/snapshots/words-2").lower(), "the versions of what is left are still shown"


def fresh(visitor: Visitor) -> Visitor:
    """The same visitor, and nothing that pages remember from before."""
    visitor.client.application.extensions["site"].watch.forget()
    return visitor
