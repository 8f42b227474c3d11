"""What differs between two versions agrees with a naive model: everything is read with plain chromadb, and compared as
dicts. The histories are made by the real merge."""

import itertools
import shutil
from collections.abc import Iterable
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from receipt_chroma.folding import FoldBound
from receipt_chroma.records import Record
from receipt_chroma.snapshot.download import shard_files
from receipt_chroma.snapshot.manifest import Manifest, ManifestShard
from receipt_chroma.snapshot.published_shard import PublishedShard
from receipt_dynamo_stream.control.head import Pointer, snapshot_id_of
from rich.console import Console

from console.cli.render_comparison import changes_table
from operate.connection import save_local
from operate.contents.models import KINDS, Comparison, RecordChange
from operate.errors import DimensionsDiffer, UsageError, VersionNotFound, VersionRefused
from operate.stored import Stored

from ...snapshots.test_rows_conserved import BEGINNING, CHANGES, WORDS, happen
from ...toy_stack.toy import toy_manifest
from ...toy_stack.version_histories import (
    A,
    Content,
    History,
    NewHistory,
    contents_of,
    segments_and_a_fold,
    three_versions,
)

COLLECTIONS = ("words", "lines")
EVENTS = st.one_of(
    CHANGES,
    CHANGES,
    CHANGES,
    st.just(("merge all",)),
    st.just(("merge all",)),
    st.tuples(st.just("rollback"), st.integers(0, 5)),
    st.tuples(st.just("bound"), st.sampled_from([0, 5, 100])),
    st.just(("fold",)),
    st.tuples(st.just("reshard"), st.integers(1, 4)),
    st.just(("version 1",)),
)
HISTORIES = st.lists(EVENTS, min_size=4, max_size=12)
SETTINGS: dict[str, Any] = {
    "phases": [phase for phase in Phase if phase is not Phase.shrink],
    "suppress_health_check": list(HealthCheck),
    "deadline": None,
    "database": None,
}


def naive(older: Content, newer: Content) -> dict[str, Any]:
    both = sorted(older.keys() & newer.keys())
    changed = [one for one in both if older[one] != newer[one]]
    return {
        "added": sorted(newer.keys() - older.keys()),
        "removed": sorted(older.keys() - newer.keys()),
        "changed": {
            one: {
                "document": None if older[one][0] == newer[one][0] else (older[one][0], newer[one][0]),
                "vector": older[one][2] != newer[one][2],
                "metadata": {
                    key: (older[one][1].get(key), newer[one][1].get(key))
                    for key in older[one][1].keys() | newer[one][1].keys()
                    if older[one][1].get(key) != newer[one][1].get(key)
                },
            }
            for one in changed
        },
        "unchanged": len(both) - len(changed),
    }


def said(found: Comparison, older: Content, newer: Content) -> dict[str, Any]:
    """What a comparison lists, once it is checked that it contradicts neither itself nor the contents."""
    assert (found.added, found.removed, found.changed) == (
        *(len(found.added_records), len(found.removed_records), len(found.changed_records)),
    )
    for records, content in ((found.added_records, newer), (found.removed_records, older)):
        assert all((record.document, record.metadata) == content[record.id][:2] for record in records)
    changes = found.changed_records
    assert found.documents == sum(change.document is not None for change in changes)
    assert found.vectors == sum(change.vector for change in changes)
    keys = [key for change in changes for key in change.metadata]
    assert found.keys == {key: keys.count(key) for key in keys}
    return {
        "added": sorted(record.id for record in found.added_records),
        "removed": sorted(record.id for record in found.removed_records),
        "changed": {
            one.id: {"document": one.document, "vector": one.vector, "metadata": dict(one.metadata)} for one in changes
        },
        "unchanged": found.unchanged,
    }


def check(history: History, events: list[tuple[Any, ...]]) -> None:
    for event in [*BEGINNING, ("merge all",), *events, ("merge all",)]:
        match event:
            case ("merge all",):
                history.merge_all()
            case "rollback", number:
                history.planned.clear()  # they would build on what is no longer current
                for collection in COLLECTIONS:
                    history.rollback(collection, number % len(history.versions[collection]))
            case "bound", records:
                history.bound = FoldBound(least=records, most=records)
            case "reshard", into:
                history.planned.clear()
                for collection in COLLECTIONS:
                    history.reshard(collection, into)
            case ("fold",) | ("version 1",):
                history.planned.clear()
                for collection in COLLECTIONS:
                    history.fold(collection)
                    if event == ("version 1",):
                        history.publish_as_version_1(collection)
            case _:
                happen(history, event)
    check_every_pair(history)


def check_every_pair(history: History) -> None:
    for collection in COLLECTIONS:
        versions = history.versions[collection]
        content = {pointer: history.content(collection, pointer) for pointer in versions}
        with contents_of(history) as contents:
            for older, newer in itertools.product(versions, repeat=2):
                found = contents.compare(collection, older.snapshot_id, str(newer.version), limit=1_000)
                assert said(found, content[older], content[newer]) == naive(content[older], content[newer])


@pytest.mark.slow
@pytest.mark.timeout(1_200)
@settings(max_examples=60, **SETTINGS)
@given(shards=st.sampled_from([1, 2, 3]), events=HISTORIES)
def test_a_comparison_agrees_with_the_naive_model_in_tens_of_histories(
    new_history: NewHistory, shards: int, events: list[tuple[Any, ...]]
) -> None:
    check(new_history(shards), events)


@pytest.mark.slow
def test_document_vector_value_and_list_are_told_apart(new_history: NewHistory) -> None:
    history = new_history(1)
    words = WORDS[:2]
    history.create(A, words)
    word = "#LINE#00001#WORD#00001#LABEL#"
    valid = {"validation_status": "VALID", "timestamp_added": history.time()}
    for change in (
        lambda: history.announce(A, words, seed=1, document="milk"),
        lambda: history.announce(A, words, seed=1, document="bread"),
        lambda: history.announce(A, words, seed=2, document="bread"),
        lambda: history.put(A, f"{word}TOTAL", "RECEIPT_WORD_LABEL", label="TOTAL", **valid),
        lambda: history.put(A, f"{word}TAX", "RECEIPT_WORD_LABEL", label="TAX", **valid),
    ):
        change()
        history.merge_all()
    check_every_pair(history)
    with contents_of(history) as contents:
        steps = [contents.compare("words", str(n), str(n + 1)) for n in range(1, 5)]
    first, second, _, last = ([*step.changed_records] for step in steps)
    assert [(one.document, one.vector, one.metadata) for one in first] == [(("milk", "bread"), False, {})] * 2
    assert [(one.document, one.vector, one.metadata) for one in second] == [(None, True, {"seed": (1, 2)})] * 2
    assert [(one.document, one.vector) for one in last] == [(None, False)]
    assert last[0].metadata["valid_labels_array"] == (["TOTAL"], ["TAX", "TOTAL"])
    assert [(step.documents, step.vectors, step.changed) for step in steps] == [
        (2, 0, 2),
        (0, 2, 2),
        (0, 0, 1),
        (0, 0, 1),
    ]


def test_shards_that_both_versions_have_are_skipped_unread(history: History) -> None:
    _, second, third = (history.manifest(pointer) for pointer in history.versions["words"][:3])
    (shared,) = {shard.path for shard in second.shards} & {shard.path for shard in third.shards} - {None}
    elsewhere = shutil.move(history.efs / "words" / str(shared), history.folder / "elsewhere")
    with contents_of(history) as contents:
        found = contents.compare("words", "2", "3")
        assert (found.shards, found.skipped) == (4, 3)
        assert (found.added, found.removed, found.changed) == (0, 1, len(WORDS) - 1)
        assert found.unchanged == len(WORDS)
        assert found.keys == {"merchant_name": len(WORDS) - 1}
        assert dict(found.changed_records[0].metadata) == {"merchant_name": (None, "Sprouts")}
        assert contents.compare("words", "3", "3").skipped == 4
    shutil.move(elsewhere, history.efs / "words" / str(shared))
    assert not (history.folder / "cache").exists()


@pytest.mark.slow
def test_the_same_records_in_another_directory_are_skipped_too(new_history: NewHistory) -> None:
    history = new_history(4, three_versions)
    history.remove(A, "#PLACE")
    history.merge_all()
    history.put(A, "#PLACE", "RECEIPT_PLACE", merchant_name="Sprouts")
    history.merge_all()
    with contents_of(history) as contents:
        assert contents.compare("words", "4", "5").changed == len(WORDS) - 1
        found = contents.compare("words", "3", "5")
        assert (found.skipped, found.differs, found.unchanged) == (4, False, 2 * len(WORDS) - 1)


@pytest.mark.slow
@pytest.mark.parametrize("which", ["segmented", "mixed"])
def test_every_version_is_compared_with_every_other_one(request: pytest.FixtureRequest, which: str) -> None:
    check_every_pair(request.getfixturevalue(which))


def test_a_fold_differs_in_nothing_and_nothing_of_it_is_read(
    segmented: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    brought = count_what_comes(monkeypatch)
    with contents_of(segmented, local=False) as contents:
        for collection in COLLECTIONS:
            found = contents.compare(collection, "3", "4")
            assert (found.differs, found.skipped, found.shards) == (False, 2, 2)
    assert brought == []


@pytest.mark.slow
def test_what_neither_side_needs_of_a_base_stays_where_it_is(
    new_history: NewHistory, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = new_history(1, segments_and_a_fold)
    brought = count_what_comes(monkeypatch)
    with contents_of(history, local=False) as contents:
        assert contents.compare("words", "1", "2").added == len(WORDS)
        names = [Path(path).name for path in brought]
        assert [name for name in names if not name.endswith(".arrow")] == ["receipts.json"]
        assert len(names) == 2
        assert contents.compare("words", "2", "3").changed == len(WORDS) - 1
        assert "data_level0.bin" in {Path(path).name for path in brought}


def test_of_two_bases_only_the_receipts_that_differ_are_read(
    new_history: NewHistory, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = new_history(1, three_versions)
    read: list[str] = []
    records = PublishedShard.records

    def counted(self: PublishedShard, key: str) -> dict[str, Record]:
        read.append(key)
        return records(self, key)

    monkeypatch.setattr(PublishedShard, "records", counted)
    with contents_of(history) as contents:
        assert contents.compare("words", "2", "3").changed == len(WORDS) - 1
    assert read == [A.key] * 2


def count_what_comes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of all files that are fetched from S3 from now on."""
    brought: list[str] = []
    bring_files = Stored.bring_files

    def counted(self: Stored, root: Path, collection: str, shards: Iterable[ManifestShard]) -> None:
        shards = list(shards)
        brought.extend(
            path for shard in shards for path, _ in shard_files(shard) if not (root / collection / path).exists()
        )
        bring_files(self, root, collection, shards)

    monkeypatch.setattr(Stored, "bring_files", counted)
    return brought


@pytest.mark.slow
def test_versions_before_and_after_a_reshard_are_compared_record_by_record_wherever_these_lie(
    new_history: NewHistory, monkeypatch: pytest.MonkeyPatch, run, tmp_path: Path
) -> None:
    history = new_history(1, three_versions)
    history.reshard("words", 3)
    history.put(A, "#PLACE", "RECEIPT_PLACE", merchant_name="Costco")
    history.merge_all()
    history.reshard("words", 2)
    check_every_pair(history)
    brought = count_what_comes(monkeypatch)
    with contents_of(history, local=False) as contents:
        same = contents.compare("words", "3", "4")
        assert (same.differs, same.unchanged, same.skipped, same.older_shards, same.shards) == (False, 11, 3, 1, 3)
        assert brought == [], "all records together are the same: nothing is read"
        later = contents.compare("words", "3", "5")
        assert (later.changed, later.skipped) == (len(WORDS) - 1, 0)
        assert "Version 3 has 1 shard, version 5 has 3" in (later.across_shards or "")
        assert contents.compare("words", "4", "5").across_shards is None
    monkeypatch.chdir(tmp_path)
    save_local(history.connection())
    said = run("compare", "words", "5", "6")
    assert (said.code, said.err) == (0, "")
    assert "Version 5 has 3 shards, version 6 has 2: records are compared wherever they lie" in " ".join(
        said.out.split()
    )
    assert "3, then 2" in said.out
    assert "re-shard" in run("versions", "words").out


def test_a_rollback_is_equal_to_what_it_took_up(history: History) -> None:
    history.rollback("words", 0)
    newest = history.versions["words"][-1].snapshot_id
    with contents_of(history) as contents:
        assert not contents.compare("words", "1", newest).differs
        assert contents.compare("words", "3", None).removed == len(WORDS)
        assert contents.compare("words", newest, "3").added == len(WORDS)


def test_each_kind_is_listed_in_pages_and_counted_as_a_whole(history: History) -> None:
    with contents_of(history) as contents:
        whole = contents.compare("words", "1", "3", limit=100)
        pages = [contents.compare("words", "1", "3", offset=offset, limit=2) for offset in range(0, 8, 2)]
        for kind in KINDS:
            listed = [record for page in pages for record in getattr(page, f"{kind}_records")]
            assert listed == list(getattr(whole, f"{kind}_records"))
            assert {getattr(page, kind) for page in pages} == {getattr(whole, kind)}
        only = contents.compare("words", "1", "3", kinds=["added"])
        assert (len(only.added_records), only.changed_records, only.changed) == (6, (), 5)
        for wrong in ({"kinds": ["other"]}, {"offset": -1}, {"limit": 1_001}):
            with pytest.raises(UsageError):
                contents.compare("words", "1", "3", **wrong)


def test_a_version_without_files_has_nothing_and_another_number_of_shards_is_no_hindrance(history: History) -> None:
    newest = history.versions["lines"][-1]
    empty = by_hand("lines", newest, ManifestShard(0))
    history.publish(empty)
    other = by_hand("lines", empty.pointer, ManifestShard(0))
    history.publish(other)
    with contents_of(history) as contents:
        found = contents.compare("lines", empty.snapshot_id, "3")
        assert (found.added, found.removed, found.changed, found.unchanged) == (6, 0, 0, 0)
        assert contents.compare("lines", "3", empty.snapshot_id).removed == 6
        found = contents.compare("lines", empty.snapshot_id, other.snapshot_id)
        assert (found.differs, found.skipped) == (False, 1)


def test_vectors_of_another_length_cannot_be_compared(history: History) -> None:
    third = history.manifest(history.versions["lines"][2])
    other = by_hand("lines", history.versions["lines"][-1], *third.shards, dimension=5)
    history.publish(other)
    with contents_of(history) as contents, pytest.raises(DimensionsDiffer, match=r"have 4 numbers, .* have 5"):
        contents.compare("lines", "3", other.snapshot_id)


def test_only_retained_versions_are_compared(history: History) -> None:
    history.rollback("words", 0)
    again = history.versions["words"][-1].snapshot_id
    with contents_of(history) as contents:
        assert contents.compare("words", again, "2").added == len(WORDS)
        assert history.control.versions("words").mark_expired(again)
        with pytest.raises(VersionRefused, match="EXPIRED"):
            contents.compare("words", again, "2")
        with pytest.raises(VersionNotFound):
            contents.compare("words", "2", "999")


def by_hand(collection: str, parent: Pointer, *shards: ManifestShard, dimension: int | None = None) -> Manifest:
    """A manifest of shards that are there already, after `parent`."""
    version = parent.version + 1
    made = toy_manifest(collection, snapshot_id_of(version, 900 + version, 0), *shards, dimension=dimension)
    return replace(made, parent=parent)


def test_the_command_counts_what_differs_and_shows_the_first_changes(
    run, history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    save_local(history.connection())
    said = run("compare", "words", "1", "3", "--limit", "2")
    assert (said.code, said.err) == (0, "")
    assert "words, from version 1 to version 3" in said.out
    assert "merchant_name - → Sprouts" in said.out
    assert "Not shown: 4 added, 3 changed (--limit)." in said.out
    assert all(len(line) <= 80 for line in said.out.splitlines())
    answer = run("compare", "words", "1", "3", "--json").json
    assert (answer["added"], answer["removed"], answer["changed"], answer["skipped"]) == (6, 1, 5, 2)
    assert "Not shown" not in run("compare", "words", "3", "3").out
    said = run("compare", "words", "1", "999")
    assert (said.code, said.error_line) == (
        2,
        "compaction: no version 999 of words: `compaction versions words` lists them",
    )


def test_a_list_and_a_long_text_are_said_in_a_line() -> None:
    change = RecordChange("odd", 0, ("a" * 100, None), True, {"labels": (["A", "B"], None), "n": (1, True)})
    nothing = dict.fromkeys(
        ("added", "removed", "unchanged", "offset", "limit", "shards", "older_shards", "skipped"), 0
    )
    found = Comparison(
        *("words", 1, "a", 2, "b"),
        **nothing,
        **{"changed": 1, "documents": 1, "vectors": 1, "keys": {"labels": 1, "n": 1}},
        **{"added_records": (), "removed_records": (), "changed_records": (change,)},
    )
    console = Console(file=StringIO(), width=120)
    console.print(changes_table(found, width=120))
    text = console.file.getvalue()
    for part in (f"document {'a' * 59}… → -", "vector", "labels A, B → -", "n 1 → True"):
        assert part in text
