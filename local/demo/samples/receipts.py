"""Seeded sample receipts that read like real ones and are as large as real ones."""

from __future__ import annotations

import random
import uuid
from datetime import datetime, timedelta

from local.demo.samples.catalog import MERCHANTS, Merchant
from local.demo.samples.layout import lay_out
from local.demo.samples.model import Receipt
from local.demo.samples.opinions import draw_labels, draw_sections
from local.demo.samples.printing import Sizes, draw_sizes, print_receipt

# Which of the two place items the n-th receipt has; the older METADATA lives on beside its successor in real tables.
_PLACE_ITEMS = (("place",), ("metadata",), (), ("place", "metadata"), ("place",), ("place",), ("metadata",), ("place",))


def sample_receipts(rng: random.Random, count: int, added_at: datetime, sizes: Sizes | None = None) -> list[Receipt]:
    """`count` receipts on fewer images: mostly one on an image, up to seven, and always two on the second image.

    The same `rng` state and `added_at` give the same receipts, ids included. `added_at` is the `timestamp_added` of
    all of them; their labels come in the minutes after it. `sizes` is drawn for each one unless given.
    """
    receipts: list[Receipt] = []
    images = 0
    while len(receipts) < count:
        images += 1
        image_id = draw_uuid(rng)
        on_image = 2 if images == 2 else rng.choices((1, 2, 3, 7), (90, 7, 2, 1))[0]
        for receipt_id in range(1, min(on_image, count - len(receipts)) + 1):
            receipts.append(sample_receipt(rng, image_id, receipt_id, added_at, sizes, len(receipts)))
    return receipts


def sample_receipt(
    rng: random.Random, image_id: str, receipt_id: int, added_at: datetime, sizes: Sizes | None = None, index: int = 0
) -> Receipt:
    """One receipt. `index` chooses which of the place items it has (0: PLACE, 1: METADATA, 2: none, 3: both)."""
    merchant = rng.choice(MERCHANTS)
    page = lay_out(rng, print_receipt(rng, merchant, sizes or draw_sizes(rng)))
    items = _PLACE_ITEMS[index % len(_PLACE_ITEMS)]
    return Receipt(
        image_id=image_id,
        receipt_id=receipt_id,
        added_at=added_at,
        rows=page.rows,
        lines=page.lines,
        labels=draw_labels(rng, page.tags, added_at + timedelta(minutes=1)),
        sections=draw_sections(rng, page.rows),
        place=place_attributes(merchant) if "place" in items else None,
        metadata=metadata_attributes(merchant, rng) if "metadata" in items else None,
    )


def place_attributes(merchant: Merchant) -> dict[str, str]:
    """The string attributes of a RECEIPT_PLACE item."""
    return {
        "merchant_name": merchant.name,
        "merchant_category": merchant.category,
        "formatted_address": merchant.address,
        "phone_number": merchant.phone,
        "place_id": merchant.place_id,
    }


def metadata_attributes(merchant: Merchant, rng: random.Random) -> dict[str, str]:
    """The string attributes of a RECEIPT_METADATA item: as read, and canonical twins that may be empty."""
    consolidated = rng.random() < 0.5
    return {
        "merchant_name": merchant.name.upper(),
        "merchant_category": merchant.category,
        "address": f"{merchant.street} {merchant.city}".upper(),
        "phone_number": merchant.phone.replace(" ", ""),
        "place_id": merchant.place_id,
        "canonical_merchant_name": merchant.name if consolidated else "",
        "canonical_address": merchant.address if consolidated else "",
        "canonical_phone_number": merchant.phone if consolidated else "",
        "canonical_place_id": merchant.place_id if consolidated else "",
    }


def draw_uuid(rng: random.Random) -> str:
    """A version 4 UUID from the seed."""
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))
