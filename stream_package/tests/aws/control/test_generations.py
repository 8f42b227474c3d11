"""The generations of a collection on its HEAD: made, kept up, left; the switch itself is the machine's."""

import pytest
from receipt_dynamo_stream.control.generations import Generations, GenerationsOf
from receipt_dynamo_stream.errors import GenerationRefused

from ..conftest import Tables

NOW = "2026-07-28T12:00:00+00:00"
HEAD = ("COLLECTION#words", "HEAD")


def published(tables: Tables, **more: dict[str, str]) -> None:
    pointer = {"snapshot_id": {"S": "0000000001-0000000001-1"}, "version": {"N": "1"}, "fence": {"N": "1"}}
    tables.put_control(*HEAD, **pointer, **more)


def begin(tables: Tables, model: str = "new") -> Generations:
    return tables.control_table.generations("words").begin(model=model, dimension=12, shards=4, now=NOW)


def test_a_collection_that_never_changed_its_model_has_itself(tables: Tables) -> None:
    of = tables.control_table.generations("words")
    assert of.read() == Generations("words", ("words",), "words")
    published(tables)
    assert of.read() == Generations("words", ("words",), "words")
    assert of.read().beside is None


def test_a_new_generation_is_kept_up_beside_the_one_that_serves(tables: Tables) -> None:
    published(tables)
    now = begin(tables)
    assert (now.active, now.serving, now.beside, now.newest) == (("words", "words-2"), "words", "words-2", 2)
    head = tables.control_table.head("words-2").read()
    assert head is not None
    assert (head.model, head.dimension, head.shards, head.pointer, head.version) == ("new", 12, 4, None, 0)


def test_there_are_two_at_most(tables: Tables) -> None:
    published(tables)
    begin(tables)
    with pytest.raises(GenerationRefused, match="words-2 beside words"):
        begin(tables)


def test_a_collection_without_a_snapshot_has_nothing_to_renew(tables: Tables) -> None:
    with pytest.raises(GenerationRefused, match="no snapshot"):
        begin(tables)


def test_a_beginning_that_is_refused_makes_nothing(tables: Tables) -> None:
    with pytest.raises(GenerationRefused):
        begin(tables, "first")
    assert tables.control_table.head("words-2").read() is None


def test_of_two_who_begin_at_once_the_model_is_that_of_the_one_who_does(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    published(tables)
    of = tables.control_table.generations("words")
    before = of.read()
    begin(tables, "quick")
    monkeypatch.setattr(GenerationsOf, "read", lambda _self: before)  # as the slow one has read it
    with pytest.raises(GenerationRefused, match="somebody changes"):
        of.begin(model="slow", dimension=12, shards=1, now=NOW)
    head = tables.control_table.head("words-2").read()
    assert head is not None
    assert head.model == "quick"


def test_one_that_an_execution_has_had_is_not_made_again(tables: Tables) -> None:
    published(tables)
    tables.put_control("COLLECTION#words-2", "HEAD", fence={"N": "3"})
    with pytest.raises(GenerationRefused, match="does not know it"):
        begin(tables)


def test_only_what_serves_can_be_kept_alone_and_the_next_number_is_a_new_one(tables: Tables) -> None:
    published(tables)
    begin(tables)
    of = tables.control_table.generations("words")
    with pytest.raises(GenerationRefused, match="does not serve"):
        of.finish("words-2")
    assert of.finish("words").active == ("words",)
    assert begin(tables).active == ("words", "words-3")


def test_after_a_switch_the_first_one_can_be_left_and_a_third_begun(tables: Tables) -> None:
    published(tables)
    begin(tables)
    switched = {"serving": {"S": "words-2"}, "serving_order": {"N": "1"}}
    item = tables.control_item(*HEAD) or {}
    tables.put_control(*HEAD, **{k: v for k, v in item.items() if k not in ("PK", "SK")}, **switched)
    of = tables.control_table.generations("words")
    assert (of.read().beside, of.read().order) == ("words", 1)
    with pytest.raises(GenerationRefused):
        of.finish("words")
    assert of.finish("words-2").active == ("words-2",)
    now = begin(tables)
    assert (now.active, now.serving, now.beside) == (("words-2", "words-3"), "words-2", "words-3")


def test_a_switch_that_waits_is_written_down_and_ends_with_the_campaign(tables: Tables) -> None:
    published(tables)
    begin(tables)
    of = tables.control_table.generations("words")
    of.switch_when_complete("words-2", now=NOW)
    assert of.read().switching == f"words-2 {NOW}"
    assert of.finish("words").switching is None
    of.switch_when_complete("words-2", now=NOW)
    assert of.read().switching is None, "it is not kept up any more"


def test_a_switch_is_seen_by_its_order(tables: Tables) -> None:
    published(tables, serving={"S": "words-2"}, serving_order={"N": "3"}, serving_unseen={"S": NOW})
    of = tables.control_table.generations("words")
    of.note_seen(2)
    assert of.read().unseen == NOW
    of.note_seen(3)
    assert of.read().unseen is None


def test_a_head_that_went_back_goes_past_what_readers_have_seen_and_only_under_its_lease(tables: Tables) -> None:
    published(tables, holder={"S": "me"})
    of = tables.control_table.generations("words")
    of.pass_by(4, holder="another", fence=1)
    of.pass_by(4, holder="me", fence=2)
    assert of.read().order == 0
    of.pass_by(4, holder="me", fence=1)
    of.pass_by(3, holder="me", fence=1)  # late
    assert (of.read().order, of.read().serving) == (5, "words")
