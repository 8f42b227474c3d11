"""The probe's own generation, and the receipts that touch nothing else while a deployment takes probes.

`compaction conform` publishes receipts of its own to see whether the machine does what is said of it. It has a
generation of `words`, with the last number that a name can have: nothing lists, schedules or serves it, since
no HEAD names it among those that are kept up. Its runs have a model of their own, so that a round of another generation
that meets such a receipt finds no vectors of it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from receipt_dynamo_stream.changes import Change
from receipt_dynamo_stream.errors import TransientServiceError
from receipt_dynamo_stream.generations import generation_name
from receipt_dynamo_stream.keys import ReceiptId

PROBE_GENERATION: Final = generation_name("words", 999_999_999)
PROBE_MODEL: Final = "conformance-probe"
PROBE_IMAGES: Final = "conformance-probe-"
"""How the image ids of a probe's receipts begin."""
REFUSED_SECONDS: Final = "conformance_refused_seconds"
"""An attribute of a probe's item: for so long the stream's handler raises whenever its batch has that item."""
MOST_REFUSED_SECONDS: Final = 60.0
"""Longer than that nobody's changes are kept waiting, whatever an item says."""


def is_of_probe(receipt: ReceiptId) -> bool:
    """Whether this is a probe's receipt, by its id."""
    return receipt.image_id.startswith(PROBE_IMAGES)


def turned(change: Change) -> Change:
    """A change of a probe's receipt, turned to the probe's generation alone; any other as it is."""
    return replace(change, collections=frozenset({PROBE_GENERATION})) if is_of_probe(change.receipt) else change


def raise_where_asked(raws: Iterable[Mapping[str, Any]], now: datetime) -> None:
    """Raise TransientServiceError while a record of a probe asks for it, so that its mapping halves the batch.

    A record asks by REFUSED_SECONDS in its new image, counted from its ApproximateCreationDateTime. Others never do,
    and one that cannot be read does not.
    """
    for raw in raws:
        try:
            image = raw["dynamodb"]["NewImage"]
            asked = min(float(image[REFUSED_SECONDS]["S"]), MOST_REFUSED_SECONDS)
            of_probe = image["PK"]["S"].startswith(f"IMAGE#{PROBE_IMAGES}")
            age = now.timestamp() - raw["dynamodb"]["ApproximateCreationDateTime"]
        except (KeyError, TypeError, ValueError, AttributeError):
            continue
        if of_probe and age < asked:
            raise TransientServiceError(f"a probe asks for it, {asked:g} seconds long: {image['SK']['S']}")
