"""Deltas of strangers among good ones: each costs its own run, in the one merge that all of them share."""

from dataclasses import replace

import pytest
from receipt_chroma.delta import read as delta_read
from receipt_chroma.run_deltas import DeltaSource
from receipt_dynamo_stream.errors import TransientServiceError
from receipt_dynamo_stream.facts import ReceiptFacts
from receipt_dynamo_stream.keys import parse_record_id

from .delta.strangers import GOOD, good_directory, raw_tar, tar_header, with_sql
from .samples import RECEIPT, facts, receipt, run, word
from .world import World

VIEW = "CREATE VIEW segments AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i AS id FROM n"


def of_receipt(number: int, prefix: str | None = None) -> ReceiptFacts:
    own = replace(run(1), run_id=f"run-{number}", delta_prefix=prefix or f"words/delta/{number}/")
    return facts([(1, 1), (1, 2)], of=receipt(number), runs=[own])


def upload(world: World, of: ReceiptFacts) -> None:
    world.upload(of.runs[0], [word(1, one, of=of.receipt) for one in (1, 2)])


def test_hostile_deltas_among_forty_good_ones_cost_their_own_runs_with_their_reasons(world: World) -> None:
    good = [of_receipt(number) for number in range(40)]
    for of in good:
        upload(world, of)
    hostile = {
        50: ({"delta.tar.gz": b"\x1f\x8b"}, "DeltaCorrupt"),
        51: (raw_tar(tar_header("x", b"x", 4 << 30), bytes(1 << 16)), "DeltaCorrupt"),
        52: (with_sql(good_directory(), "DROP TABLE segments", VIEW), "DeltaCorrupt"),
        53: ({"delta.arrow": b"ARROW1"}, "DeltaCorrupt"),
        54: ({**good_directory(), ".": b"x"}, "UnsafeTarMember"),
        55: (good_directory(), "ForeignRecord"),
    }
    for number, (files, _) in hostile.items():
        for name, content in files.items():
            world.s3.put_object(Bucket=world.bucket, Key=f"words/delta/{number}/{name}", Body=content)
    (report,) = world.publish(*good[:20], *map(of_receipt, hostile), *good[20:])
    assert {one.run_id: one.error for one in report.refusals} == {
        f"run-{number}": error for number, (_, error) in hostile.items()
    }
    assert all(one.message for one in report.refusals)
    assert {parse_record_id(one).receipt for one in world.records()} == {of.receipt for of in good}


@pytest.mark.parametrize(
    ("prefix", "error"),
    [
        ("snapshots/words/shards/0000/x/", "DeltaPrefixForbidden"),
        ("/plans/words/", "DeltaPrefixForbidden"),
        ("s3://BUCKET/reports/words/x/delta.arrow", "DeltaPrefixForbidden"),
        ("s3://another-bucket/words/delta/1/", "DeltaPrefixForbidden"),
        ("words/delta/1/", "ForeignRecord"),
        ("words/delta/\x00\n#é/", "DeltaMissing"),
    ],
)
def test_a_prefix_where_no_delta_of_this_run_may_lie_is_refused_by_name(world: World, prefix: str, error: str) -> None:
    other = of_receipt(1)
    upload(world, other)
    bad = of_receipt(2, prefix.replace("BUCKET", world.bucket))
    (report,) = world.publish(other, bad)
    assert [(one.run_id, one.error) for one in report.refusals] == [("run-2", error)]
    assert {parse_record_id(one).receipt for one in world.records()} == {other.receipt}


def test_a_bucket_with_leave_is_read(world: World) -> None:
    world.delta_buckets = (world.bucket,)
    source = DeltaSource(replace(world.store, name="the-pipelines-own"), "words", world.delta_buckets)
    of = facts(runs=[replace(run(1), delta_prefix=f"s3://{world.bucket}/delta/")])
    world.upload(replace(run(1), delta_prefix="delta/"), GOOD)
    assert len(source.read(of, of.runs[0], None)) == len(GOOD)
    assert of.receipt == RECEIPT


def test_what_may_work_later_is_never_a_refusal(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def later(*_: object, **__: object) -> None:
        raise TransientServiceError("try again")

    of = of_receipt(1)
    upload(world, of)
    monkeypatch.setattr(delta_read, "read_object", later)
    with pytest.raises(TransientServiceError):
        world.publish(of)
