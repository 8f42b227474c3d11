import random
import statistics
import uuid
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from local.demo.samples.model import Receipt
from local.demo.samples.receipts import sample_receipts

ADDED = datetime(2026, 7, 28, tzinfo=UTC)


@pytest.fixture(scope="module")
def many() -> list[Receipt]:
    return sample_receipts(random.Random(1), 600, ADDED)


def test_the_same_seed_gives_the_same_receipts_and_another_seed_gives_others() -> None:
    first, again, other = (sample_receipts(random.Random(seed), 5, ADDED) for seed in (1, 1, 2))
    assert first == again
    assert {receipt.key for receipt in first}.isdisjoint(receipt.key for receipt in other)


def test_the_global_random_state_is_left_alone() -> None:
    before = random.getstate()
    sample_receipts(random.Random(1), 3, ADDED)
    assert random.getstate() == before


def test_sizes_are_those_of_a_real_table(many: list[Receipt]) -> None:
    rows, lines, words = (sorted(map(len, sizes)) for sizes in zip(*map(_parts, many), strict=True))
    assert rows[300] == pytest.approx(33, abs=3)
    assert rows[540] == pytest.approx(55, abs=6)
    assert rows[-1] <= 92
    assert lines[300] == pytest.approx(49, abs=4)
    assert lines[540] == pytest.approx(82, abs=9)
    assert lines[-1] <= 148
    assert statistics.mean(words) == pytest.approx(87, abs=6)


def _parts(receipt: Receipt) -> tuple[object, object, object]:
    return receipt.rows, receipt.lines, receipt.words


def test_ids_are_uuids_and_mostly_one_receipt_is_on_an_image(many: list[Receipt]) -> None:
    on_image = Counter(receipt.image_id for receipt in many)
    assert all(uuid.UUID(image_id).version == 4 for image_id in on_image)
    assert len({receipt.key for receipt in many}) == len(many)
    assert statistics.median(on_image.values()) == 1
    assert 2 <= max(on_image.values()) <= 7


def test_even_three_receipts_have_an_image_with_two() -> None:
    first, second, third = sample_receipts(random.Random(5), 3, ADDED)
    assert second.image_id == third.image_id != first.image_id
    assert (second.receipt_id, third.receipt_id) == (1, 2)


def test_receipts_have_a_place_the_older_metadata_both_or_neither(many: list[Receipt]) -> None:
    kinds = Counter((receipt.place is not None, receipt.metadata is not None) for receipt in many)
    assert set(kinds) == {(True, False), (False, True), (True, True), (False, False)}


def test_every_line_is_in_one_row_and_lines_are_numbered_from_one(many: list[Receipt]) -> None:
    for receipt in many[:100]:
        in_rows = sorted(line_id for row in receipt.rows for line_id in row.line_ids)
        assert in_rows == [line.line_id for line in receipt.lines] == list(range(1, len(receipt.lines) + 1))


def test_the_leftmost_line_of_a_row_need_not_have_its_smallest_id(many: list[Receipt]) -> None:
    for receipt in many[:100]:
        for row in receipt.rows:
            lefts = [receipt.line(line_id).box.x for line_id in row.line_ids]
            assert lefts == sorted(lefts)
    assert any(min(row.line_ids) != row.line_ids[0] for receipt in many for row in receipt.rows)


def test_prices_add_up_to_the_total(many: list[Receipt]) -> None:
    for receipt in many[:50]:
        amounts: dict[str, list[Decimal]] = {}
        for row in receipt.rows:
            if row.section in ("ITEMS", "TOTALS") and len(row.line_ids) == 2:
                name, price = (receipt.line(line_id).text for line_id in row.line_ids)
                amounts.setdefault(name if row.section == "TOTALS" else "ITEMS", []).append(Decimal(price))
        total = amounts.get("TOTAL") or amounts["BALANCE DUE"]
        assert sum(amounts["ITEMS"]) == sum(amounts["SUBTOTAL"])
        assert sum(amounts["SUBTOTAL"] + amounts["TAX 7.25%"]) == sum(total)


def test_labels_and_sections_are_about_what_is_there(many: list[Receipt]) -> None:
    for receipt in many[:100]:
        words = {(word.line_id, word.word_id) for word in receipt.words}
        assert {(label.line_id, label.word_id) for label in receipt.labels} <= words
        names = [(label.line_id, label.word_id, label.label) for label in receipt.labels]
        assert len(names) == len(set(names))
        lines = {line.line_id for line in receipt.lines}
        assert all(set(section.line_ids) <= lines for section in receipt.sections)
        assert len({section.section_type for section in receipt.sections}) == len(receipt.sections)


def test_labels_of_every_status_and_every_usual_name_occur(many: list[Receipt]) -> None:
    labels = [label for receipt in many for label in receipt.labels]
    assert {label.status for label in labels} == {"VALID", "PENDING", "INVALID", "NEEDS_REVIEW"}
    usual = {"MERCHANT_NAME", "PRODUCT_NAME", "LINE_TOTAL", "GRAND_TOTAL", "DATE", "PHONE_NUMBER", "ADDRESS_LINE"}
    assert usual <= {label.label for label in labels}
    assert all(label.timestamp_added > ADDED and label.proposed_by for label in labels)


def test_some_words_have_two_opinions_and_some_rows_two_sections(many: list[Receipt]) -> None:
    opinions = Counter((receipt.key, label.line_id, label.word_id) for receipt in many for label in receipt.labels)
    assert max(opinions.values()) == 2
    assert {"HEADER", "ITEMS", "TOTALS", "PAYMENT", "FOOTER", "AMOUNTS", "COUPONS", "STORE_INFO"} == {
        section.section_type for receipt in many for section in receipt.sections
    }
