"""What a till prints: the rows of one receipt, before a camera and an OCR engine make lines and words of them."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from dataclasses import dataclass

from local.demo.samples.catalog import CARDS, CASHIERS, FOOTERS, GOODS, SAVINGS, Merchant

_FIXED_ROWS = 13  # header 6, totals 3, payment 3, one closing row
_FIXED_PAIRS = 7  # of which so many have a left and a right cell
_TAX_PERCENT = 7.25


@dataclass(frozen=True)
class Cell:
    """Words that stand close together, so that OCR sees one line; each with the label a person would give it."""

    words: tuple[tuple[str, str | None], ...]


@dataclass(frozen=True)
class PrintedRow:
    """One visual row: its section, and its cells from left to right."""

    section: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Sizes:
    """How many visual rows a receipt has, and how many OCR lines (a row of two cells is two lines)."""

    rows: int
    lines: int


def draw_sizes(rng: random.Random) -> Sizes:
    """Draw the size of one receipt: rows p50 33, p90 55, max 92; lines p50 49, p90 82, max 148."""
    rows = min(92, max(_FIXED_ROWS + 3, round(33 * math.exp(0.4 * rng.gauss(0, 1)))))
    pairs = min(rows - _FIXED_ROWS, max(2, round(rows * rng.uniform(0.42, 0.58)) - _FIXED_PAIRS))
    return Sizes(rows, rows + _FIXED_PAIRS + pairs)


def print_receipt(rng: random.Random, merchant: Merchant, sizes: Sizes) -> list[PrintedRow]:
    """Print a receipt of `merchant` with exactly `sizes` rows and lines, whose prices add up."""
    pairs = sizes.lines - sizes.rows - _FIXED_PAIRS
    singles = sizes.rows - _FIXED_ROWS - pairs
    details = min(pairs, singles * 2 // 3)
    items, subtotal = _items(rng, merchant, pairs, details)
    footer = [_row("FOOTER", _plain(rng.choice(FOOTERS))) for _ in range(singles - details)]
    website = _row("FOOTER", _cell([merchant.website], "WEBSITE"))
    return [*_header(rng, merchant), *items, *_totals_and_payment(rng, subtotal), *footer, website]


def _header(rng: random.Random, merchant: Merchant) -> Iterable[PrintedRow]:
    date = f"{rng.randint(1, 12):02d}/{rng.randint(1, 28):02d}/2026"
    time = f"{rng.randint(7, 21):02d}:{rng.randint(0, 59):02d}"
    yield _row("HEADER", _cell(merchant.name.upper().split(), "MERCHANT_NAME"))
    yield _row("HEADER", _cell(merchant.street.split(), "ADDRESS_LINE"))
    yield _row("HEADER", _cell(merchant.city.split(), "ADDRESS_LINE"))
    yield _row("HEADER", _cell([merchant.phone.replace(" ", "")], "PHONE_NUMBER"))
    yield _row("HEADER", _plain(f"REG {rng.randint(1, 12)}"), _plain(f"CASHIER {rng.choice(CASHIERS)}"))
    yield _row("HEADER", _cell([date], "DATE"), _cell([time], "TIME"))


def _items(rng: random.Random, merchant: Merchant, count: int, details: int) -> tuple[list[PrintedRow], int]:
    rows: list[PrintedRow] = []
    subtotal = 0
    detailed = set(rng.sample(range(count), details))
    for index in range(count):
        good = rng.choice(GOODS[merchant.category])
        quantity = rng.randint(2, 6) if index in detailed and rng.random() < 0.5 else 1
        subtotal += quantity * good.cents
        price = _cell([money(quantity * good.cents)], "LINE_TOTAL")
        rows.append(_row("ITEMS", _cell(good.name.split(), "PRODUCT_NAME"), price))
        if index not in detailed:
            continue
        if quantity > 1:
            detail = ((str(quantity), "QUANTITY"), ("@", None), (money(good.cents), "UNIT_PRICE"))
            rows.append(_row("ITEMS", Cell(detail)))
        else:
            rows.append(_row("ITEMS", _cell(rng.choice(SAVINGS).split(), "DISCOUNT")))
    return rows, subtotal


def _totals_and_payment(rng: random.Random, subtotal: int) -> Iterable[PrintedRow]:
    tax = round(subtotal * _TAX_PERCENT / 100)
    card = rng.choice(CARDS)
    yield _row("TOTALS", _plain("SUBTOTAL"), _cell([money(subtotal)], "SUBTOTAL"))
    yield _row("TOTALS", _plain(f"TAX {_TAX_PERCENT}%"), _cell([money(tax)], "TAX"))
    yield _row("TOTALS", _plain(rng.choice(("TOTAL", "BALANCE DUE"))), _cell([money(subtotal + tax)], "GRAND_TOTAL"))
    yield _row(
        "PAYMENT", _cell([card, f"****{rng.randint(0, 9999):04d}"], "PAYMENT_METHOD"), _plain(money(subtotal + tax))
    )
    yield _row("PAYMENT", _plain("AUTH CODE"), _plain(f"{rng.randint(0, 999999):06d}"))
    yield _row("PAYMENT", _plain("APPROVED"))


def money(cents: int) -> str:
    """Print cents as tills do: `1299` as `12.99`."""
    return f"{cents // 100}.{cents % 100:02d}"


def _row(section: str, *cells: Cell) -> PrintedRow:
    return PrintedRow(section, cells)


def _cell(words: Iterable[str], label: str) -> Cell:
    return Cell(tuple((word, label) for word in words))


def _plain(text: str) -> Cell:
    return Cell(tuple((word, None) for word in text.split()))
