"""The probe's own generation, and the receipts that touch nothing else while a deployment takes probes.

`compaction conform` publishes receipts of its own to see whether the machine does what is said of it. It has a
generation of `words`, with the last number that a name can have: nothing lists, schedules or serves it, since
no HEAD names it among those that are kept up. Its runs have a model of their own, so that a round of another generation
that meets such a receipt finds no vectors of it.
"""

from dataclasses import replace
from typing import Final

from receipt_dynamo_stream.changes import Change
from receipt_dynamo_stream.generations import generation_name
from receipt_dynamo_stream.keys import ReceiptId

PROBE_GENERATION: Final = generation_name("words", 999_999_999)
PROBE_MODEL: Final = "conformance-probe"
PROBE_IMAGES: Final = "conformance-probe-"
"""How the image ids of a probe's receipts begin."""


def is_of_probe(receipt: ReceiptId) -> bool:
    """Whether this is a probe's receipt, by its id."""
    return receipt.image_id.startswith(PROBE_IMAGES)


def turned(change: Change) -> Change:
    """A change of a probe's receipt, turned to the probe's generation alone; any other as it is."""
    return replace(change, collections=frozenset({PROBE_GENERATION})) if is_of_probe(change.receipt) else change
