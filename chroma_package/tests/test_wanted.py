import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from receipt_chroma.errors import DeltaMetadataInvalid, RunTimeInvalid
from receipt_chroma.records import Record
from receipt_chroma.wanted import VANISHED, RunDelta, wanted_records
from receipt_dynamo_stream.facts import LabelFact, ReceiptFacts

from .samples import facts, label, receipt, row, run, section, word


def wanted(of: ReceiptFacts, *records: Record, collection: str = "words") -> Mapping[str, Record]:
    return wanted_records([RunDelta(run(1), records)], of, collection).records


def metadata_of_word(*labels: LabelFact, **more: Any) -> dict[str, Any]:
    (record,) = wanted(facts([(1, 1)], labels=labels, **more), word(1, 1)).values()
    return dict(record.metadata)


def metadata_of_row(delta: Record, of: ReceiptFacts) -> dict[str, Any]:
    (record,) = wanted(of, delta, collection="lines").values()
    return dict(record.metadata)


def names(records: Sequence[Record]) -> set[str]:
    return {record.id for record in records}


def test_a_record_needs_its_receipt() -> None:
    assert wanted(facts(exists=False), word(1, 1)) == {}


def test_a_word_needs_its_word_item_and_a_row_its_primary_line() -> None:
    kept = wanted(facts([(1, 1)]), word(1, 1), word(1, 2), word(2, 1))
    assert set(kept) == {word(1, 1).id}
    rows = wanted(facts([], lines=[1]), row(1), row(2, members="[1,2]"), collection="lines")
    assert set(rows) == {row(1).id}


def test_a_word_without_its_line_item_stays() -> None:
    assert set(wanted(facts([(1, 1)], lines=[]), word(1, 1))) == {word(1, 1).id}


def test_records_of_another_receipt_or_collection_are_never_wanted() -> None:
    assert wanted(facts([(1, 1)]), word(1, 1, of=receipt(2)), row(1)) == {}
    assert wanted(facts([(1, 1)]), word(1, 1), collection="lines") == {}


def test_later_runs_win_record_by_record_in_any_order_of_arrival() -> None:
    old = RunDelta(run(1), [word(1, 1, 10), word(1, 2, 11)])
    new = RunDelta(run(2), [word(1, 2, 21), word(2, 1, 22)])
    for deltas in ([old, new], [new, old]):
        found = wanted_records(deltas, facts(), "words")
        assert found.records[word(1, 1).id].same_vector(word(1, 1, 10))
        assert found.records[word(1, 2).id].same_vector(word(1, 2, 21))
        assert found.sources == {word(1, 1).id: "run-01", word(1, 2).id: "run-02", word(2, 1).id: "run-02"}


def test_runs_of_one_moment_are_ordered_by_their_id_and_other_spellings_of_time_compare() -> None:
    same = [run(1, created_at="2026-01-05T00:00:00Z"), run(2, created_at="2026-01-05T01:00:00+01:00")]
    for pair in (same, same[::-1]):
        found = wanted_records([RunDelta(one, [word(1, 1, int(one.run_id[-2:]))]) for one in pair], facts(), "words")
        assert found.sources == {word(1, 1).id: "run-02"}


def test_failed_runs_are_ignored() -> None:
    deltas = [RunDelta(run(1), [word(1, 1, 5)]), RunDelta(run(2, state="FAILED"), [word(1, 1, 6), word(1, 2, 6)])]
    found = wanted_records(deltas, facts(), "words").records
    assert set(found) == {word(1, 1).id}
    assert found[word(1, 1).id].same_vector(word(1, 1, 5))


@pytest.mark.parametrize("added", ["2026-01-02T00:00:00+00:00", "2026-01-02T00:00:00Z", "2026-01-02T00:00:00"])
def test_runs_older_than_the_receipt_belong_to_an_earlier_one(added: str) -> None:
    before = RunDelta(run(1, created_at="2026-01-01T23:59:59.999999Z"), [word(1, 1)])
    at = RunDelta(run(2, created_at="2026-01-02T00:00:00Z"), [word(1, 2)])
    assert set(wanted_records([before, at], facts(added=added), "words").records) == {word(1, 2).id}


def test_without_a_time_of_the_receipt_no_run_is_too_old() -> None:
    assert set(wanted(facts(added=None), word(1, 1))) == {word(1, 1).id}


def test_a_run_without_a_readable_time_has_no_place() -> None:
    with pytest.raises(RunTimeInvalid, match="run-01"):
        wanted_records([RunDelta(run(1, created_at="yesterday"), [])], facts(), "words")


def test_the_delta_s_own_values_of_derived_keys_are_ignored_and_its_other_metadata_kept() -> None:
    delta = word(
        1, 1, merchant_name="OLD", label_status="validated", valid_labels_array=["X"], section_label="own", x=0.5
    )
    (record,) = wanted(facts(), delta).values()
    assert record.metadata == {"text": "MILK", "x": 0.5, "section_label": "own", "label_status": "unvalidated"}


def test_the_place_item_decides_alone_when_it_is_there() -> None:
    place = {"merchant_name": "Trader Joe's", "formatted_address": "1 Main St"}
    older = {"merchant_name": "TJ", "phone_number": "555", "address": "elsewhere"}
    derived = metadata_of_word(place=place, metadata=older)
    assert derived == {
        "text": "MILK",
        "label_status": "unvalidated",
        "merchant_name": "Trader Joe's",
        "address": "1 Main St",
    }


def test_metadata_s_canonical_twins_come_first_unless_they_are_empty() -> None:
    older = {
        "merchant_name": "sprouts",
        "canonical_merchant_name": "Sprouts",
        "phone_number": "555",
        "canonical_phone_number": "",
        "address": "a",
        "canonical_address": "b",
    }
    derived = metadata_of_word(metadata=older)
    assert (derived["merchant_name"], derived["phone_number"], derived["address"]) == ("Sprouts", "555", "b")


def test_an_empty_value_of_the_facts_clears_the_key() -> None:
    assert "merchant_name" not in metadata_of_word(place={"merchant_name": ""})


def test_labels_of_a_word_are_sorted_by_status() -> None:
    derived = metadata_of_word(
        label(1, 1, "TOTAL"), label(1, 1, "DATE"), label(1, 1, "TAX", "INVALID"), label(1, 1, "TIME", "PENDING"),
        label(1, 1, "NONE", ""),
    )  # fmt: skip
    assert derived["valid_labels_array"] == ["DATE", "TOTAL"]
    assert derived["invalid_labels_array"] == ["TAX"]
    assert derived["label_status"] == "validated"


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ((), "unvalidated"),
        (("INVALID",), "unvalidated"),
        (("NEEDS_REVIEW",), "unvalidated"),
        (("INVALID", "PENDING"), "auto_suggested"),
        (("PENDING", "VALID"), "validated"),
    ],
)
def test_label_status_is_that_of_the_strongest_label(statuses: tuple[str, ...], expected: str) -> None:
    labels = [label(1, 1, f"L{index}", status) for index, status in enumerate(statuses)]
    assert metadata_of_word(*labels)["label_status"] == expected


def test_the_latest_pending_label_says_who_proposed_and_the_latest_valid_one_when() -> None:
    derived = metadata_of_word(
        label(1, 1, "A", "PENDING", at="2026-01-01T00:00:00Z", by="early"),
        label(1, 1, "B", "PENDING", at="2026-01-01T00:00:00+00:00", by="same moment, later name"),
        label(1, 1, "C", "VALID", at="2026-01-03T00:00:00+00:00", by="validator"),
        label(1, 1, "D", "VALID", at=""),
    )
    assert derived["label_proposed_by"] == "same moment, later name"
    assert derived["label_validated_at"] == "2026-01-03T00:00:00+00:00"


def test_a_row_has_the_labels_of_all_words_of_its_members_and_invalid_only_what_is_valid_nowhere() -> None:
    labels = [
        label(1, 1, "TOTAL", "INVALID"),
        label(2, 1, "TOTAL", "VALID"),
        label(2, 1, "TAX", "INVALID"),
        label(3, 1, "DATE", "VALID"),
        label(1, 9, "GONE", "VALID"),
    ]
    of = facts([(1, 1), (2, 1), (3, 1)], labels=labels)
    derived = metadata_of_row(row(1, members="[2,1]"), of)
    assert derived["valid_labels_array"] == ["TOTAL"]
    assert derived["invalid_labels_array"] == ["TAX"]
    assert derived["label_status"] == "validated"
    assert derived["row_line_ids"] == "[1,2]"
    assert not {"label_proposed_by", "label_validated_at"} & set(derived)


@pytest.mark.parametrize(
    ("said", "expected"), [(None, [1]), ("", [1]), ("[]", [1]), ("[3, 1]", [1, 3]), ("[1,9]", [1]), ("[3,3]", [1, 3])]
)
def test_the_members_of_a_row_are_those_that_exist(said: str | None, expected: list[int]) -> None:
    of = facts([], lines=[1, 2, 3])
    assert json.loads(metadata_of_row(row(1, members=said), of)["row_line_ids"]) == expected


@pytest.mark.parametrize("said", ["[1", "1", "{}", '["1"]', "[true]", "[1.0]", "null", "x", "[" * 100_000])
def test_malformed_members_are_refused_by_name(said: str) -> None:
    with pytest.raises(DeltaMetadataInvalid, match="row_line_ids"):
        metadata_of_row(row(1, members=said), facts([], lines=[1]))


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        ([section("HEADER", [1]), section("ITEMS", [2, 3])], "ITEMS"),
        ([section("HEADER", [1]), section("ITEMS", [2])], None),
        ([section("HEADER", [1, 2, 3], "INVALID")], None),
        ([section("HEADER", [1, 2, 3], "PENDING", 0.9), section("ITEMS", [1, 2, 3], "VALID", 0.1)], "ITEMS"),
        ([section("HEADER", [1, 2, 3], "", 0.9), section("ITEMS", [1, 2, 3], "PENDING", 0.1)], "ITEMS"),
        ([section("HEADER", [1, 2, 3], "VALID", 0.9), section("ITEMS", [1, 2, 3], "VALID", 0.1)], "HEADER"),
        ([section("HEADER", [1, 2, 3]), section("ITEMS", [1, 2, 3])], None),
        ([section("HEADER", [1, 2]), section("ITEMS", [1, 2]), section("TOTALS", [3], "PENDING")], "TOTALS"),
        ([section("FOOTER", [8, 9])], None),
        ([], None),
    ],
    ids=[
        "most members win",
        "a tie clears it",
        "INVALID is ignored",
        "VALID before PENDING",
        "PENDING before others",
        "then confidence",
        "a line with a tie has no vote",
        "lines without a vote do not count",
        "sections of other lines do not count",
        "no sections",
    ],
)  # fmt: skip
def test_the_section_of_a_row_is_the_plurality_of_its_members(sections: list[Any], expected: str | None) -> None:
    derived = metadata_of_row(row(1, members="[1,2,3]"), facts([], lines=[1, 2, 3], sections=sections))
    assert derived.get("section_label") == expected


class TestVanished:
    """The delta of a COMPLETED run is gone: the snapshot is asked for what it brought."""

    done = RunDelta(run(2, state="COMPLETED"), VANISHED)

    def resolved(self, *deltas: RunDelta, of: ReceiptFacts, existing: Sequence[Record]) -> dict[str, Record]:
        return wanted_records(deltas, of, "words").resolve({record.id: record for record in existing})

    def test_what_the_snapshot_has_stays_with_new_metadata(self) -> None:
        kept = self.resolved(
            self.done, of=facts(place={"merchant_name": "New"}), existing=[word(1, 1, 5, merchant_name="Old")]
        )
        assert kept[word(1, 1).id].same_vector(word(1, 1, 5))
        assert kept[word(1, 1).id].metadata["merchant_name"] == "New"

    def test_existence_still_counts(self) -> None:
        assert names(
            list(self.resolved(self.done, of=facts([(1, 1)]), existing=[word(1, 1), word(1, 2)]).values())
        ) == {word(1, 1).id}

    def test_it_wins_over_older_runs_where_the_snapshot_has_the_record(self) -> None:
        older = RunDelta(run(1), [word(1, 1, 10), word(1, 2, 10)])
        kept = self.resolved(older, self.done, of=facts(), existing=[word(1, 1, 20)])
        assert kept[word(1, 1).id].same_vector(word(1, 1, 20))
        assert kept[word(1, 2).id].same_vector(word(1, 2, 10))

    def test_newer_runs_win_over_it(self) -> None:
        newer = RunDelta(run(3), [word(1, 1, 30)])
        kept = self.resolved(newer, self.done, of=facts(), existing=[word(1, 1, 20), word(1, 2, 20)])
        assert kept[word(1, 1).id].same_vector(word(1, 1, 30))
        assert kept[word(1, 2).id].same_vector(word(1, 2, 20))

    def test_without_one_the_snapshot_is_no_input(self) -> None:
        assert self.resolved(RunDelta(run(1), [word(1, 1, 1)]), of=facts(), existing=[word(1, 2)]).keys() == {
            word(1, 1).id
        }

    def test_one_older_than_the_receipt_keeps_nothing(self) -> None:
        gone = RunDelta(run(2, state="COMPLETED", created_at="2025-12-31T00:00:00Z"), VANISHED)
        assert self.resolved(gone, of=facts(), existing=[word(1, 1)]) == {}
