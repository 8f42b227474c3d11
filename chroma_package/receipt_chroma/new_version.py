"""What has to hold of a new version, whatever made it: looked at when its manifest is made, before anyone can commit
it. From the numbers that are in memory then, so that it costs nothing."""

from receipt_dynamo_stream.control.head import Pointer, parse_snapshot_id
from receipt_dynamo_stream.invariants import fenced_never_publishes, one_lineage, rows_conserved, versions_only_grow
from receipt_dynamo_stream.round.report import ReceiptContent

from receipt_chroma.segment.places import ShardContent
from receipt_chroma.snapshot.manifest import Manifest


def check_new_version(manifest: Manifest, *, over: Pointer | None, fence: int, wanted: ShardContent) -> None:
    """over: what `HEAD` names until the commit; fence: of the lease that it will be committed under; wanted: what the
    version has to come to. Raises InvariantViolated."""
    name, parent = manifest.snapshot_id, manifest.parent
    named = parse_snapshot_id(name)
    one_lineage(name, parent=_id_of(parent), replaced=_id_of(over))
    versions_only_grow(
        f"the version of {manifest.collection}", over.version if over else 0, named.version, strictly=True
    )
    fenced_never_publishes(name, fence=named.fence, newest=fence)
    rows_conserved(name, wanted=wanted, found=ShardContent(manifest.records, manifest.digest))
    rows_conserved(f"all shards of {name}", wanted=wanted, found=whole_of(manifest))


def whole_of(manifest: Manifest) -> ShardContent:
    """What its shards come to together."""
    return ShardContent.of(ReceiptContent("", shard.records, shard.digest) for shard in manifest.shards)


def _id_of(pointer: Pointer | None) -> str | None:
    return pointer.snapshot_id if pointer else None
