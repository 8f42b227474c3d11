"""What an adopted run is called: one for a receipt and collection, the same whenever it is adopted."""

from hashlib import sha256
from typing import Final

from receipt_dynamo_stream.generations import collection_of
from receipt_dynamo_stream.grain import COLLECTIONS
from receipt_dynamo_stream.keys import ReceiptId

_BEGINS: Final = "0-adopted-"
"""Sorts before every id of hexadecimal digits: where times are equal, the adopted run is the older one."""


def adopted_run_id(receipt: ReceiptId, collection: str) -> str:
    """The id of the run by which a receipt's records of a collection are adopted."""
    return f"{_BEGINS}{collection_of(collection)}-{sha256(receipt.key.encode()).hexdigest()[:24]}"


def is_of_another_collection(run_id: str, collection: str) -> bool:
    """Whether a run adopted another collection's records, so that it says nothing of this one."""
    own = collection_of(collection)
    return any(run_id.startswith(f"{_BEGINS}{other}-") for other in COLLECTIONS if other != own)
