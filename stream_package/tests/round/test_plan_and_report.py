import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from receipt_dynamo_stream import ReceiptId, SchemaUnsupported
from receipt_dynamo_stream.control.head import Pointer
from receipt_dynamo_stream.errors import StoredObjectDamaged
from receipt_dynamo_stream.facts import ReceiptFacts
from receipt_dynamo_stream.round.plan import Plan, PlannedReceipt
from receipt_dynamo_stream.round.report import (
    FileEntry,
    MergeCounts,
    Note,
    ReceiptReport,
    Refusal,
    ShardReport,
    StagedShard,
)

from ..samples import NOW
from ..test_facts import short, some_facts

A = ReceiptId("a", 1)
POINTER = Pointer(3, "0000000003-0000000007-0", "snapshots/words/manifests/x.json", "ab" * 32)
PLAN = Plan(
    collection="words",
    execution="words-1",
    execution_arn="arn:aws:states:us-east-1:123456789012:execution:compaction:words-1",
    trigger="stream",
    round=0,
    fence=8,
    base=POINTER,
    snapshot_id="0000000004-0000000008-0",
    shards=4,
    planned_at=NOW,
    receipts=(PlannedReceipt(2, "t1", 0, NOW, ReceiptFacts(A)), PlannedReceipt(0, "t2", 1, NOW, ReceiptFacts(A))),
)
REPORT = ShardReport(
    collection="words",
    execution="words-1",
    round=0,
    shard=2,
    attempt="request-1",
    plan_key="plans/words/words-1/0-request-0.json.gz",
    changed=True,
    staged=StagedShard(
        "staging/words-1/0/0002/request-1", "v", (FileEntry("chroma.sqlite3", 10, "cd" * 32),), 7, 0, "0f", 1536
    ),
    counts=MergeCounts(added=2, unchanged=5),
    receipts=(ReceiptReport(A, {"run-1": 2}, MergeCounts(added=2)),),
    refusals=(Refusal(A, "run-2", "DeltaCorrupt", "bad"),),
    notes=(Note(A, "run-1", "RecordsLeftOut", "one"),),
    seconds={"merge": 0.5},
)


def test_keys_carry_the_attempt_so_that_a_late_one_overwrites_nothing() -> None:
    assert PLAN.plan_key("request-0") == "plans/words/words-1/0-request-0.json.gz"
    assert REPORT.report_key == "reports/words/words-1/0/0002-request-1.json.gz"
    assert PLAN.touched_shards() == (0, 2)


@given(st.lists(st.builds(PlannedReceipt, st.integers(0, 9), short, st.integers(0, 9), short, some_facts), max_size=3))
def test_a_plan_is_read_back_exactly_and_equal_plans_have_equal_bytes(receipts: list[PlannedReceipt]) -> None:
    plan = Plan(**{**{name: getattr(PLAN, name) for name in Plan.__slots__}, "receipts": tuple(receipts)})
    data = plan.encode()
    assert Plan.decode(data) == plan
    assert Plan.decode(data).encode() == data


@pytest.mark.parametrize("base", [None, POINTER])
def test_a_plan_of_a_first_version_has_no_base(base: Pointer | None) -> None:
    plan = Plan(**{**{name: getattr(PLAN, name) for name in Plan.__slots__}, "base": base})
    assert Plan.decode(plan.encode()).base == base


counts = st.builds(MergeCounts, *[st.integers(0, 99)] * 5)


@given(
    st.none() | st.just(REPORT.staged),
    st.lists(
        st.builds(ReceiptReport, st.just(A), st.dictionaries(short, st.integers(0), max_size=2), counts), max_size=2
    ).map(tuple),
    st.lists(st.builds(Refusal, st.just(A), short, short, short), max_size=2).map(tuple),
    st.dictionaries(short, st.floats(0, 900), max_size=2),
)
def test_a_report_is_read_back_exactly(
    staged: StagedShard | None,
    receipts: tuple[ReceiptReport, ...],
    refusals: tuple[Refusal, ...],
    seconds: dict[str, float],
) -> None:
    changes = {"staged": staged, "receipts": receipts, "refusals": refusals, "seconds": seconds}
    report = ShardReport(**{**{name: getattr(REPORT, name) for name in ShardReport.__slots__}, **changes})
    assert ShardReport.decode(report.encode()) == report
    assert ShardReport.decode(report.encode()).encode() == report.encode()


def test_the_stored_form_is_gzip_json_with_a_schema_version_and_no_clock() -> None:
    data = PLAN.encode()
    assert data[4:8] == bytes(4)  # gzip's mtime
    assert json.loads(gzip.decompress(data))["schema_version"] == 1


@pytest.mark.parametrize("kind", [Plan, ShardReport])
def test_what_another_release_wrote_is_refused_by_name(kind: type[Plan] | type[ShardReport]) -> None:
    for version in (0, 2, None, "1"):
        data = gzip.compress(json.dumps({"schema_version": version}).encode())
        with pytest.raises(SchemaUnsupported, match="deploy the newer release"):
            kind.decode(data)


@pytest.mark.parametrize("kind", [Plan, ShardReport])
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"plain",
        gzip.compress(b"{"),
        PLAN.encode()[:-9],
        PLAN.encode()[:20] + b"\xff\xff\xff" + PLAN.encode()[23:],
        gzip.compress(b'{"schema_version": 1}'),
        gzip.compress(b'{"schema_version": 1, "base": null, "receipts": [], "staged": null, "unknown": 5}'),
    ],
)
def test_damaged_bytes_are_refused_by_name(kind: type[Plan] | type[ShardReport], data: bytes) -> None:
    with pytest.raises(StoredObjectDamaged):
        kind.decode(data)


@given(counts, counts)
def test_counts_add_up_by_name(one: MergeCounts, other: MergeCounts) -> None:
    total = (one + other).to_json()
    assert total == {name: one.to_json()[name] + other.to_json()[name] for name in one.to_json()}
    assert (one + other).changed == sum(value for name, value in total.items() if name != "unchanged")
