"""Each law has facts that hold and facts that do not, and whoever looks on is told of both."""

from collections.abc import Callable

import pytest
from receipt_dynamo_stream import invariants
from receipt_dynamo_stream.errors import InvariantViolated
from receipt_dynamo_stream.invariants import Invariant, observed, violation_as

EXAMPLES: dict[Invariant, tuple[Callable[..., None], dict[str, object], dict[str, object]]] = {
    Invariant.VERSIONS_ONLY_GROW: (invariants.versions_only_grow, {"before": 4, "after": 4}, {"before": 4, "after": 3}),
    Invariant.ROWS_CONSERVED: (
        invariants.rows_conserved,
        {"wanted": (3, "digest"), "found": (3, "digest")},
        {"wanted": (3, "digest"), "found": (3, "another")},
    ),
    Invariant.ONE_LINEAGE: (
        invariants.one_lineage,
        {"parent": None, "replaced": None},
        {"parent": "3-5-0", "replaced": "4-6-0"},
    ),
    Invariant.FENCED_NEVER_PUBLISHES: (
        invariants.fenced_never_publishes,
        {"fence": 7, "newest": 7},
        {"fence": 6, "newest": 7},
    ),
    Invariant.READERS_NEVER_MIX: (
        invariants.readers_never_mix,
        {"shown": "4-6-0", "named": "4-6-0"},
        {"shown": "3-5-0", "named": "4-6-0"},
    ),
    Invariant.NO_CHANGE_LOST: (
        invariants.no_change_lost,
        {"changed": ["a", "b", "c"], "published": ["a"], "pending": ["b"], "quarantined": ["c"]},
        {"changed": ["a", "b"], "published": ["a"]},
    ),
    Invariant.CRASH_LEAVES_GARBAGE_ONLY: (
        invariants.crash_leaves_garbage_only,
        {"holder": None},
        {"holder": "words-stream-1"},
    ),
    Invariant.RETAINED_IS_READABLE: (
        invariants.retained_is_readable,
        {"broken": []},
        {"broken": ["shards/000/chroma.sqlite3"]},
    ),
    Invariant.PAUSED_PUBLISHES_NOTHING: (
        invariants.paused_publishes_nothing,
        {"paused": "looking", "kind": "rollback"},
        {"paused": "looking", "kind": "merge"},
    ),
}


def test_every_invariant_has_its_examples_and_its_law() -> None:
    assert list(EXAMPLES) == list(Invariant)
    assert all(len(invariant.law.split()) > 5 for invariant in Invariant)


@pytest.mark.parametrize("invariant", Invariant)
def test_what_holds_says_nothing_and_what_does_not_is_named_with_the_law_first(invariant: Invariant) -> None:
    check, holds, does_not = EXAMPLES[invariant]
    told: list[tuple[Invariant, bool]] = []
    with observed(lambda *one: told.append(one)):
        check("it", **holds)
        with pytest.raises(InvariantViolated, match=f"^{invariant}: .*it") as violated:
            check("it", **does_not)
    check("it", **holds)  # nobody looks on any more
    assert told == [(invariant, True), (invariant, False)]
    assert violated.value.invariant == invariant


def test_a_step_over_itself_is_refused_only_where_it_has_to_be_another_one() -> None:
    invariants.versions_only_grow("CURRENT", (4, 6), (4, 7), strictly=True)
    with pytest.raises(InvariantViolated, match="CURRENT went from"):
        invariants.versions_only_grow("CURRENT", (4, 6), (4, 6), strictly=True)


def test_a_difference_is_told_by_whoever_knows_how() -> None:
    with pytest.raises(InvariantViolated, match=r"^RowsConserved: words: 1 is not there$"):
        invariants.rows_conserved(
            "words", wanted={1}, found=set(), difference=lambda a, b: f"{(a - b).pop()} is not there"
        )


def test_of_many_names_five_are_told() -> None:
    with pytest.raises(InvariantViolated, match=r"a, b, c, d, e and 1 more$"):
        invariants.retained_is_readable("version 4", list("fedcba"))


def test_a_violation_may_leave_under_a_name_that_says_what_to_do() -> None:
    class Wrong(Exception):
        pass

    with pytest.raises(Wrong, match=r"^OneLineage: ") as wrong, violation_as(Wrong):
        invariants.one_lineage("5-7-0", parent="3-5-0", replaced="4-6-0")
    assert isinstance(wrong.value.__cause__, InvariantViolated)


def test_who_looks_on_within_another_looks_on_with_it() -> None:
    outer: list[bool] = []
    inner: list[bool] = []
    with observed(lambda _, held: outer.append(held)):
        with observed(lambda _, held: inner.append(held)):
            invariants.crash_leaves_garbage_only("words", holder=None)
        invariants.crash_leaves_garbage_only("words", holder=None)
    assert (outer, inner) == ([True, True], [True])
