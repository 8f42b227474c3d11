"""A sample receipt as the items of the receipts table: one function per entity, with the attributes producers write."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime

from local.demo.samples.attributes import Item, item
from local.demo.samples.model import Box, Label, Line, Receipt, Section, Word


def receipt_items(receipt: Receipt) -> list[Item]:
    """Every item of a receipt but its runs: the receipt, its lines, words, labels, sections and place items."""
    items = [receipt_item(receipt)]
    items += [line_item(receipt, line) for line in receipt.lines]
    items += [word_item(receipt, word) for word in receipt.words]
    items += [label_item(receipt, label) for label in receipt.labels]
    items += [section_item(receipt, section) for section in receipt.sections]
    items += [] if receipt.place is None else [place_item(receipt, receipt.place)]
    items += [] if receipt.metadata is None else [metadata_item(receipt, receipt.metadata)]
    return items


def receipt_item(receipt: Receipt) -> Item:
    """RECEIPT: the photo's size, corners and where it is kept."""
    return item(
        {
            "PK": receipt.pk,
            "SK": receipt.sk,
            "TYPE": "RECEIPT",
            "GSI1PK": receipt.pk,
            "GSI1SK": receipt.sk,
            "width": 1728,
            "height": 3072,
            "timestamp_added": receipt.added_at,
            "raw_s3_bucket": "raw-receipts",
            "raw_s3_key": f"raw/{receipt.image_id}_{receipt.sk}.png",
            "top_left": {"x": 0.0, "y": 1.0},
            "top_right": {"x": 1.0, "y": 1.0},
            "bottom_left": {"x": 0.0, "y": 0.0},
            "bottom_right": {"x": 1.0, "y": 0.0},
            "sha256": None,
            "cdn_s3_bucket": None,
            "cdn_s3_key": None,
        }
    )


def line_item(receipt: Receipt, line: Line) -> Item:
    """RECEIPT_LINE: one OCR line."""
    confidence = min(word.confidence for word in line.words)
    return item(
        {
            **_keys(receipt, f"LINE#{line.line_id:05d}", "RECEIPT_LINE"),
            "text": line.text,
            **_geometry(line.box),
            "confidence": confidence,
            "embedding_status": "SUCCESS",
        }
    )


def word_item(receipt: Receipt, word: Word) -> Item:
    """RECEIPT_WORD: one OCR word."""
    return item(
        {
            **_keys(receipt, f"LINE#{word.line_id:05d}#WORD#{word.word_id:05d}", "RECEIPT_WORD"),
            "text": word.text,
            **_geometry(word.box),
            "confidence": word.confidence,
            "extracted_data": None,
            "embedding_status": "SUCCESS",
            "is_noise": word.noise,
        }
    )


def label_item(receipt: Receipt, label: Label) -> Item:
    """RECEIPT_WORD_LABEL. The label's name is in the key only, so that another name is another item."""
    place = f"LINE#{label.line_id:05d}#WORD#{label.word_id:05d}#LABEL#{label.label}"
    return item(
        {
            **_keys(receipt, place, "RECEIPT_WORD_LABEL"),
            "reasoning": label.reasoning,
            "timestamp_added": label.timestamp_added,
            "validation_status": label.status,
            "label_proposed_by": label.proposed_by,
            "label_consolidated_from": None,
        }
    )


def section_item(receipt: Receipt, section: Section) -> Item:
    """RECEIPT_SECTION: a named part of the receipt."""
    return item(
        {
            **_keys(receipt, f"SECTION#{section.section_type}", "RECEIPT_SECTION"),
            "section_type": section.section_type,
            "line_ids": list(section.line_ids),
            "confidence": section.confidence,
            "validation_status": section.status,
            "model_source": "section-classifier-v3",
            "created_at": receipt.added_at,
        }
    )


def place_item(receipt: Receipt, place: Mapping[str, str]) -> Item:
    """RECEIPT_PLACE: which shop it is, from a places service."""
    return item(
        {
            **_keys(receipt, "PLACE", "RECEIPT_PLACE"),
            **place,
            "matched_fields": ["name", "phone"],
            "confidence": 0.93,
            "validation_status": "MATCHED",
            "timestamp": receipt.added_at,
        }
    )


def metadata_item(receipt: Receipt, metadata: Mapping[str, str]) -> Item:
    """RECEIPT_METADATA: the older name of the place. Empty optionals are NULL."""
    fields = {name: value or None for name, value in metadata.items()}
    return item({**_keys(receipt, "METADATA", "RECEIPT_METADATA"), **fields, "validated_by": "PHONE_LOOKUP"})


def run_item(receipt: Receipt, run_id: str, prefixes: Mapping[str, str], created_at: datetime) -> Item:
    """COMPACTION_RUN: the announcement that a delta exists under each collection's prefix."""
    per_collection: dict[str, str | int | None] = {}
    for collection, prefix in prefixes.items():
        per_collection |= {
            f"{collection}_delta_prefix": prefix,
            f"{collection}_state": "PENDING",
            f"{collection}_merged_vectors": 0,
            f"{collection}_started_at": None,
            f"{collection}_finished_at": None,
            f"{collection}_error": None,
        }
    return item(
        {
            **_keys(receipt, f"COMPACTION_RUN#{run_id}", "COMPACTION_RUN"),
            "run_id": run_id,
            "image_id": receipt.image_id,
            "receipt_id": receipt.receipt_id,
            **per_collection,
            "created_at": created_at,
            "updated_at": created_at,
        }
    )


def _keys(receipt: Receipt, rest: str, entity_type: str) -> dict[str, str]:
    return {"PK": receipt.pk, "SK": f"{receipt.sk}#{rest}", "TYPE": entity_type}


def _geometry(box: Box) -> dict[str, dict[str, float] | float]:
    degrees = round(math.degrees(math.atan2(box.height, 40.0)), 6)
    return {
        "bounding_box": {"x": box.x, "y": box.y, "width": box.width, "height": box.height},
        "angle_degrees": degrees,
    }
