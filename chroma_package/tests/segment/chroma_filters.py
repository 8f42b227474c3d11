"""Random records and random filters of every operator and type, also such that Chroma refuses."""

from typing import Any

from hypothesis import strategies as st
from receipt_chroma.records import normal_metadata

KEYS = ["k", "z", "ключ", "a b"]
ODD_KEYS = ["", "missing", "chroma:document", "#document", "#embedding", "$k", "$eq"]
LETTERS = "aAbB1ßäÄ %_\\'\"\n\0ſK"

small_numbers = st.sampled_from([-2, -1, 0, 1, 2, -1.5, -1.0, 0.0, 0.5, 1.0, 1.5, 2.0, 0.1, 0.3])
large_numbers = st.sampled_from([2**53, 2**53 + 1, -(2**63), 2**63 - 1, float(2**53), 9.2e18, -9.3e18, 1e300, -1e300])
texts = st.one_of(st.sampled_from(["", "a", "A", "1", "true", "ß", "a\0b", "日本"]), st.text(LETTERS, max_size=3))

stored_floats = st.floats(1e-6, 1e12).flatmap(lambda number: st.sampled_from([number, -number]))
scalars = st.one_of(small_numbers, large_numbers, stored_floats, st.booleans(), texts)
lists = st.one_of(
    st.lists(st.integers(-2, 2), min_size=1, max_size=3),
    st.lists(st.sampled_from([-1.5, 0.0, 1.0, 1.5]), min_size=1, max_size=3),
    st.lists(st.booleans(), min_size=1, max_size=2),
    st.lists(texts, min_size=1, max_size=3),
)
metadata = st.dictionaries(st.sampled_from(KEYS), st.one_of(scalars, lists), max_size=4).map(normal_metadata)
documents = st.one_of(st.none(), st.text(LETTERS, max_size=6))
rows = st.tuples(documents, metadata)

operands = st.one_of(scalars, st.floats(allow_nan=False, allow_infinity=False), st.integers(-(2**70), 2**70))
odd_operands = st.sampled_from(
    [None, [], [1], {}, {"$eq": 1}, float("nan"), float("inf"), "\ud800", 2**63, 2**64, 10**400, [None], (1, 2), b"a"]
)
one_kind = st.one_of(
    *(st.lists(kind, min_size=1, max_size=3) for kind in (st.integers(-2, 2), st.booleans(), texts, stored_floats)),
    st.lists(large_numbers.filter(lambda number: isinstance(number, int)), min_size=1, max_size=3),
    st.lists(small_numbers.map(float), min_size=1, max_size=3),
)
mixed = st.lists(st.one_of(scalars, odd_operands), max_size=3)


def comparison(operand: Any) -> Any:
    """One of the operators that take a value, or the value alone."""
    names = ["$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$contains", "$not_contains"]
    return st.one_of(st.just(operand), st.sampled_from(names).map(lambda name: {name: operand}))


def any_of(values: list[Any]) -> Any:
    """$in or $nin."""
    return st.sampled_from(["$in", "$nin"]).map(lambda name: {name: values})


def composed(leaves: Any) -> Any:
    """Filters of filters."""
    return st.recursive(
        leaves,
        lambda inner: st.builds(
            lambda name, parts: {name: parts}, st.sampled_from(["$and", "$or"]), st.lists(inner, min_size=2, max_size=3)
        ),
        max_leaves=5,
    )


good_leaves = st.builds(
    lambda key, value: {key: value},
    st.sampled_from([*KEYS, *KEYS, "missing", "chroma:document"]),
    st.one_of(operands.flatmap(comparison), one_kind.flatmap(any_of)),
)
where = composed(good_leaves)

odd_expressions = st.one_of(
    st.one_of(operands, odd_operands).flatmap(comparison),
    st.one_of(one_kind, mixed).flatmap(any_of),
    st.sampled_from([{"$regex": "a"}, {"$foo": 1}, {"$eq": 1, "$ne": 2}, {"$in": "ab"}, {"$gt": "a"}, {1: 1}]),
)
odd_where = composed(
    st.one_of(
        st.builds(lambda key, value: {key: value}, st.sampled_from(KEYS + ODD_KEYS), odd_expressions),
        st.sampled_from(
            [
                {},
                {"k": 1, "z": 1},
                {1: 1},
                {"$and": []},
                {"$or": [{"k": 1}]},
                {"$and": {"k": 1}},
                [],
                0,
                "k",
                {"\ud800": 1},
            ]
        ),
    )
)

characters = st.sampled_from(
    [*"aAbB1ßäÄ %_'\"KſsSkK", r"\\", r"\n", r"\x00", r"\d", r"\w", r"\s", r"\W", r"\S", r"\D", "."]
)
classes = st.builds(
    lambda negated, members: f"[{negated}{''.join(members)}]",
    st.sampled_from(["", "^"]),
    st.lists(
        st.sampled_from(["a", "B", "ß", r"\w", r"\d", r"\s", "a-c", "A-Z", r"\]", r"\-", "ä", "_"]),
        min_size=1,
        max_size=3,
    ),
)
atoms = st.one_of(characters, classes)
repeats = st.sampled_from(["", "", "", "*", "+", "?", "*?", "+?", "??", "{1}", "{0,1}", "{2,}", "{1,2}?"])
pieces = st.one_of(st.builds(str.__add__, atoms, repeats), st.sampled_from(["^", "$", r"\b", r"\B", r"\A", r"\z"]))
regexes = st.builds(
    str.__add__,
    st.sampled_from(["", "", "(?i)", "(?s)", "(?m)", "(?im)"]),
    st.recursive(
        st.lists(pieces, min_size=1, max_size=4).map("".join),
        lambda inner: st.one_of(
            st.builds(lambda one, other: f"{one}|{other}", inner, inner),
            st.builds(lambda head, one, repeat: f"{head}{one}){repeat}", st.sampled_from(["(", "(?:"]), inner, repeats),
        ),
        max_leaves=4,
    ),
)
odd_regexes = st.text("a(|)[]{}*+?^$\\-12,&~dwsSbzAxp:<>P", min_size=1, max_size=6)

document_leaves = st.one_of(
    st.builds(
        lambda name, text: {name: text},
        st.sampled_from(["$contains", "$not_contains"]),
        st.one_of(st.text(LETTERS, min_size=1, max_size=3), st.sampled_from(["a", "b", "\0", "a\0"])),
    ),
    st.builds(lambda name, text: {name: text}, st.sampled_from(["$regex", "$not_regex"]), regexes),
)
where_document = composed(document_leaves)
odd_where_document = composed(
    st.one_of(
        st.builds(
            lambda name, text: {name: text},
            st.sampled_from(["$contains", "$not_contains", "$regex", "$not_regex", "$eq", "k"]),
            st.one_of(odd_regexes, texts, odd_operands),
        ),
        st.sampled_from(
            [{}, {"$and": []}, {"$or": [{"$contains": "a"}]}, [], "a", {"$contains": "a", "$regex": "a"}, {1: "a"}]
        ),
    )
)
