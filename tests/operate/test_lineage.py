"""Versions in their lineage: which are listed, published and found."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from receipt_dynamo_stream.control.head import Head, Pointer, snapshot_id_of
from receipt_dynamo_stream.control.versions import VersionRow

from operate.errors import VersionNotFound, VersionRefused
from operate.lineage import find_version, lineage


def row(version: int, parent: int | None = None, *, fence: int = 0, state: str = "committed") -> VersionRow:
    parent_id = snapshot_id_of(parent, parent, 0) if parent is not None else None
    return VersionRow(snapshot_id_of(version, fence or version, 0), state=state, parent=parent_id)


def head(version: int, *, projected: int | None = None) -> Head:
    pointer = Pointer(version, snapshot_id_of(version, version, 0), "manifest", "sha")
    return Head(
        "words", pointer=pointer, version=version, projected_version=version if projected is None else projected
    )


def seen(rows: Sequence[VersionRow], at: Head | None) -> list[tuple[int, str]]:
    return [(version.version, version.state) for version in lineage(at, rows)]


def test_the_chain_goes_from_head_back_and_lost_attempts_come_after_it() -> None:
    rows = [row(1), row(2, 1), row(2, 1, fence=9, state="candidate"), row(3, 2), row(4, 3, state="candidate")]
    assert seen(rows, head(3)) == [
        (3, "current"),
        (2, "committed"),
        (1, "committed"),
        (4, "candidate"),
        (2, "candidate"),
    ]


def test_a_published_version_whose_row_was_never_settled_is_published_all_the_same() -> None:
    assert seen([row(1, state="candidate"), row(2, 1, state="candidate")], head(2)) == [
        (2, "current"),
        (1, "committed"),
    ]


def test_before_the_first_version_nothing_is_published() -> None:
    assert seen([row(1, state="candidate")], None) == [(1, "candidate")]
    assert seen([], Head("words")) == []


def test_readers_see_the_projected_version_until_the_newest_is_swapped_in() -> None:
    versions = lineage(head(2, projected=1), [row(1), row(2, 1)])
    assert [(version.version, version.readers) for version in versions] == [(2, False), (1, True)]


@given(st.data())
def test_every_row_is_listed_once_and_the_published_ones_are_heads_ancestors(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 8))
    parents = {1: None} | {n: data.draw(st.integers(1, n - 1)) for n in range(2, count + 1)}
    rows = data.draw(st.permutations([row(n, parent) for n, parent in parents.items()]))
    current = data.draw(st.integers(1, count))
    ancestors, at = [], current
    while at is not None:
        ancestors.append(at)
        at = parents[at]
    versions = lineage(head(current), rows)
    assert sorted(version.version for version in versions) == sorted(parents)
    assert [version.version for version in versions if version.published] == ancestors


@pytest.mark.parametrize(("given", "found"), [(None, 3), ("2", 2), ("0002", 2), (snapshot_id_of(2, 2, 0), 2), ("3", 3)])
def test_a_version_is_found_by_number_by_snapshot_id_and_as_the_current_one(given: str | None, found: int) -> None:
    versions = lineage(head(3), [row(1, state="EXPIRED"), row(2, 1), row(2, 1, fence=9), row(3, 2)])
    assert find_version("words", versions, given).snapshot_id == snapshot_id_of(found, found, 0)


@pytest.mark.parametrize("given", ["4", "", "x", "²", snapshot_id_of(2, 9, 0), "-1"])
def test_what_was_never_published_is_not_found(given: str) -> None:
    versions = lineage(head(3), [row(1), row(2, 1), row(2, 1, fence=9, state="EXPIRED"), row(3, 2)])
    with pytest.raises(VersionNotFound, match="compaction versions words"):
        find_version("words", versions, given)


def test_an_expired_version_is_refused() -> None:
    with pytest.raises(VersionRefused, match="EXPIRED for ever"):
        find_version("words", lineage(head(2), [row(1, state="EXPIRED"), row(2, 1)]), "1")
