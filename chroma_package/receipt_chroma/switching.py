"""PrepareSwitch: may a generation serve, and does it have what the one that serves has. Reads only."""

from dataclasses import dataclass

from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.control.table import ControlTable
from receipt_dynamo_stream.errors import GenerationRefused

from receipt_chroma.readiness import Readiness, readiness
from receipt_chroma.snapshot.manifest import Manifest, load_manifest


@dataclass(frozen=True)
class PreparedSwitch:
    """generation will serve when `ready`; order: that of the switch, past every one before; active: the generations
    that have to be kept up still when it is committed. outcome: what the execution says of itself, once it is done."""

    generation: str
    ready: bool
    outcome: str
    order: int
    active: str
    readiness: Readiness


def prepare_switch(
    control: ControlTable, bucket: Bucket, collection: str, generation: str, *, when_complete: bool
) -> PreparedSwitch:
    """Under the collection's lease: nothing else switches meanwhile. The generation may publish and pause as it likes.

    when_complete: it must have every receipt of the one that serves, with as many records. Raises GenerationRefused for
    one that is not kept up, that has no snapshot, or whose snapshot readers do not see yet;
    SnapshotDamaged, TransientServiceError.
    """
    now = control.generations(collection).read()
    if generation not in now.active:
        raise GenerationRefused(
            f"{generation} is no generation of {collection} that is kept up: those are {', '.join(now.active)}"
        )
    found = readiness(bucket, _served(control, bucket, now.serving), _served(control, bucket, generation))
    if generation == now.serving:
        return PreparedSwitch(generation, False, "nothing_to_switch", now.order, now.kept_up, found)
    if when_complete and not found.is_complete:
        return PreparedSwitch(generation, False, "not_complete", now.order, now.kept_up, found)
    return PreparedSwitch(generation, True, "switched", now.order + 1, now.kept_up, found)


def _served(control: ControlTable, bucket: Bucket, generation: str) -> Manifest:
    head = control.head(generation).read()
    if head is None or head.pointer is None:
        raise GenerationRefused(f"{generation} has no snapshot yet: it cannot serve before its first publication")
    if head.projected_version < head.version:
        raise GenerationRefused(f"readers do not see version {head.version} of {generation} yet: try again in a minute")
    return load_manifest(bucket, head.pointer)
