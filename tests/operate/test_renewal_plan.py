"""What a renewal is said to take, from a manifest alone."""

import pytest
from receipt_chroma.snapshot.manifest import Manifest, ManifestShard
from receipt_dynamo_stream.round.report import FileEntry

from operate.renewal_plan import RenewalPlan, bytes_a_record, plan_renewal

from ..toy_stack.toy import toy_manifest

RECORDS, BYTES = 10_000, 9_600


def manifest(*, dimension: int = 1536) -> Manifest:
    files = (FileEntry("data", BYTES * RECORDS, "0"),)
    shard = ManifestShard(0, "shards/0", files, RECORDS, base_records=RECORDS)
    return toy_manifest("words", "0000000007-0000000007-0", shard, dimension=dimension)


def planned(dimension: int, receipts: int = 1_000, shards: int = 1) -> RenewalPlan:
    return plan_renewal(
        manifest(),
        collection="words",
        receipts=receipts,
        generation="words-2",
        model="model-b",
        dimension=dimension,
        shards=shards,
    )


@pytest.mark.parametrize(("dimension", "more"), [(1536, 0), (3072, 4 * 1536), (512, -4 * 1024)])
def test_a_record_of_another_dimension_differs_by_its_vector_alone(dimension: int, more: int) -> None:
    assert bytes_a_record(manifest(), dimension) == BYTES + more
    assert planned(dimension).vector_bytes == RECORDS * dimension * 4
    assert planned(dimension).stored_bytes == RECORDS * (BYTES + more)


def test_every_receipt_is_one_run_and_a_round_takes_250() -> None:
    assert (planned(8).runs, planned(8).rounds, planned(8, receipts=1_001).rounds) == (1_000, 4, 5)


def test_longer_vectors_more_receipts_and_more_shards_cost_more() -> None:
    assert 0 < planned(1536).dollars < planned(3072).dollars
    assert planned(1536).dollars < planned(1536, receipts=5_000).dollars
    assert planned(1536).dollars < planned(1536, shards=8).dollars
