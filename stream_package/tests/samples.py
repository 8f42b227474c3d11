"""Stream records and items as AWS writes them, for tests."""

from typing import Any

IMAGE = "3f52804b-2fad-4e00-92c8-b593da3a8ed3"
RUN = "7b1f7c1e-6f0a-4a3b-9a53-0d2b8f6a1c11"
NOW = "2026-07-28T12:00:00+00:00"
LATER = "2026-07-28T12:05:00+00:00"

SORT_KEYS = {
    "RECEIPT": "RECEIPT#00001",
    "RECEIPT_LINE": "RECEIPT#00001#LINE#00002",
    "RECEIPT_WORD": "RECEIPT#00001#LINE#00002#WORD#00003",
    "RECEIPT_WORD_LABEL": "RECEIPT#00001#LINE#00002#WORD#00003#LABEL#GRAND_TOTAL",
    "RECEIPT_PLACE": "RECEIPT#00001#PLACE",
    "RECEIPT_METADATA": "RECEIPT#00001#METADATA",
    "RECEIPT_SECTION": "RECEIPT#00001#SECTION#HEADER",
    "COMPACTION_RUN": f"RECEIPT#00001#COMPACTION_RUN#{RUN}",
}

NULL = {"NULL": True}


def text(value: str) -> dict[str, Any]:
    return {"S": value}


def number(value: object) -> dict[str, Any]:
    return {"N": str(value)}


def item(sk: str, *, image: str = IMAGE, **attributes: Any) -> dict[str, Any]:
    """A table item; text may be given bare."""
    typed = {name: text(value) if isinstance(value, str) else value for name, value in attributes.items()}
    return {"PK": text(f"IMAGE#{image}"), "SK": text(sk), **typed}


def stream_record(
    event: str,
    sk: str,
    *,
    old: dict[str, Any] | None = None,
    new: dict[str, Any] | None = None,
    image: str = IMAGE,
    number: int = 1,
) -> dict[str, Any]:
    """A record as a Lambda event has it; old and new are the attributes beside the keys."""
    keys = {"PK": text(f"IMAGE#{image}"), "SK": text(sk)}
    change: dict[str, Any] = {
        "ApproximateCreationDateTime": 1785240000,
        "Keys": keys,
        "SequenceNumber": f"{4421584500000000017450439090 + number}",
        "SizeBytes": 9600,
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    }
    if event != "INSERT":
        change["OldImage"] = item(sk, image=image, **(old or {}))
    if event != "REMOVE":
        change["NewImage"] = item(sk, image=image, **(new or {}))
    return {
        "eventID": f"c81e728d9d4c2f636f067f89cc1{number:05d}",
        "eventName": event,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": change,
        "eventSourceARN": "arn:aws:dynamodb:us-east-1:123456789012:table/receipts/stream/2026-07-28T00:00:00.000",
    }


def run_item(*, sk: str = SORT_KEYS["COMPACTION_RUN"], image: str = IMAGE, **attributes: Any) -> dict[str, Any]:
    """A COMPACTION_RUN item as a producer writes it."""
    run_id = sk.rpartition("#")[2]
    defaults: dict[str, Any] = {
        "TYPE": "COMPACTION_RUN",
        "run_id": run_id,
        "image_id": image,
        "receipt_id": number(1),
        "lines_delta_prefix": f"lines/delta/{run_id}/",
        "words_delta_prefix": f"words/delta/{run_id}/",
        "lines_state": "PENDING",
        "words_state": "PENDING",
        "lines_merged_vectors": number(0),
        "words_merged_vectors": number(0),
        "created_at": NOW,
        "lines_started_at": NULL,
        "lines_error": NULL,
    }
    return item(sk, image=image, **(defaults | attributes))
