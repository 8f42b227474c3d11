"""Which names there are, what is kept up, and what may be begun, switched and finished, on the toy stack."""

import pytest

from operate.errors import CollectionNotFound, GenerationUnready, SnapshotNotFound, UsageError
from operate.generations import every_name
from operate.history import Wanted
from operate.renewal_plan import RenewalPlan
from operate.stack import Stack

from ..toy_stack.toy import ToyStack


def planned(operator: Stack, model: str = "model-b") -> RenewalPlan:
    return operator.renewing.to_begin("words", model=model, dimension=4)


@pytest.mark.parametrize("name", ["pages", "pages-2", "words-1", "words-02", "words-2-3", "Words", ""])
def test_what_can_be_no_name_is_refused_and_says_which_there_are(operator: Stack, name: str) -> None:
    with pytest.raises(CollectionNotFound, match="there are lines and words"):
        operator.collections.known(name)


def test_a_generation_is_known_once_it_was_made_and_as_long_as_there_are_rows_of_it(
    stack: ToyStack, operator: Stack
) -> None:
    stack.published("words", 1)
    with pytest.raises(CollectionNotFound, match="words has no generation words-2: the newest is words"):
        operator.collections.known("words-2")
    operator.renewing.begin(planned(operator))
    assert operator.collections.known("words-2") == "words-2"
    assert operator.collections.names() == ("lines", "words", "words-2")
    operator.renewing.finish("words")
    assert operator.collections.names() == ("lines", "words")
    assert list(every_name(stack.control)) == ["lines", "words", "words-2"]
    assert operator.collections.known("words-2") == "words-2"


def test_the_first_collection_is_known_before_anything_ran(operator: Stack) -> None:
    assert operator.collections.known("words") == "words"
    assert operator.collections.names() == ("lines", "words")
    found = operator.renewing.stands("words")
    assert (found.serving, found.beside, found.readiness, found.switching) == ("words", None, None, None)


def test_beginning_marks_every_receipt_starts_an_execution_and_may_be_repeated(
    stack: ToyStack, operator: Stack
) -> None:
    stack.published("words", 1)
    stack.receipt("aaaa", 1)
    plan = planned(operator)
    begun = operator.renewing.begin(plan)
    assert (begun.generation, begun.receipts, stack.pending("words-2")) == ("words-2", 1, ["aaaa"])
    assert operator.executions.describe(begun.arn).collection == "words-2"
    assert operator.renewing.begin(planned(operator)).generation == "words-2", "what broke off is gone on with"
    (first, second) = operator.renewing.stands("words").generations
    assert (first.serves, first.model, second.serves, second.model, second.dimension) == (True, "", False, "model-b", 4)


def test_a_later_renewal_takes_the_next_number(stack: ToyStack, operator: Stack) -> None:
    stack.published("words", 1)
    for name in ("words-2", "words-3"):
        assert operator.renewing.begin(planned(operator)).generation == name
        operator.renewing.finish("words")


@pytest.mark.parametrize("model", ["", " ", " model-b", "model\nb"])
def test_a_model_that_no_run_could_say_is_refused(stack: ToyStack, operator: Stack, model: str) -> None:
    stack.published("words", 1)
    with pytest.raises(UsageError):
        planned(operator, model)


def test_what_cannot_be_begun_switched_or_finished_is_refused_by_name(stack: ToyStack, operator: Stack) -> None:
    with pytest.raises(SnapshotNotFound):
        planned(operator)
    stack.published("words", 1)
    for refused in (
        lambda: operator.renewing.to_switch("words"),
        lambda: operator.renewing.to_finish("words"),
        lambda: operator.renewing.switch_when_complete("words", "words-2"),
    ):
        with pytest.raises(GenerationUnready):
            refused()
    operator.renewing.begin(planned(operator))
    with pytest.raises(GenerationUnready, match="beside words"):
        planned(operator, "another")
    with pytest.raises(GenerationUnready, match="no snapshot yet"):
        operator.renewing.to_switch("words")
    with pytest.raises(GenerationUnready, match="serves words already"):
        operator.renewing.to_switch("words", "words")
    with pytest.raises(GenerationUnready, match="words-7 is not kept up: of words words and words-2 are"):
        operator.renewing.to_switch("words", "words-7")
    with pytest.raises(UsageError, match="words-2 is a generation"):
        operator.renewing.stands("words-2")
    with pytest.raises(UsageError, match="no generations of one collection"):
        operator.renewing.across("words", "lines")


def test_quarantine_and_history_are_of_all_that_is_kept_up(stack: ToyStack, operator: Stack) -> None:
    stack.published("words", 1)
    operator.renewing.begin(planned(operator))
    stack.quarantine("words-2", "run-2")
    assert [name for name, _ in operator.quarantine.runs()] == ["words-2"]
    assert [name for name, _ in operator.quarantine.runs(["words"])] == []
    assert {row.execution.collection for row in operator.executions.history.page(Wanted(idle=True)).rows} == {"words-2"}
