"""What follows from a function's answer to a batch."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.lambdas.invocation import InvocationResult
from local.mapping.delivery import Batch, Verdict, failure_message, first_failure, judge


def records(*numbers: int) -> tuple[dict[str, Any], ...]:
    return tuple(
        {"dynamodb": {"SequenceNumber": str(n), "ApproximateCreationDateTime": 1785240000 + n}} for n in numbers
    )


def answer(content: Any) -> InvocationResult:
    return InvocationResult("r", json.dumps(content).encode())


def failures(*numbers: Any) -> InvocationResult:
    return answer({"batchItemFailures": [{"itemIdentifier": n} for n in numbers]})


ERROR = InvocationResult("r", b"{}", "Unhandled")


@pytest.mark.parametrize("content", [None, {}, {"batchItemFailures": []}, {"batchItemFailures": None}, "done", 3, [1]])
def test_an_answer_without_failures_is_success(content: Any) -> None:
    assert judge(Batch(records(1, 2)), answer(content), retry_attempts=1, bisect=True) == Verdict()


@pytest.mark.parametrize("named", [(None,), ("",), ("9",), ("2", "nonsense")])
def test_a_failure_that_names_no_record_fails_the_whole_batch(named: tuple[Any, ...]) -> None:
    verdict = judge(Batch(records(1, 2)), failures(*named), retry_attempts=1, bisect=True)
    assert verdict.again == (Batch(records(1, 2), failures=1),)


def test_a_failure_without_an_identifier_fails_the_whole_batch() -> None:
    assert first_failure(records(1, 2), b'{"batchItemFailures": [{"id": "2"}]}') == 0


def test_an_answer_that_is_no_json_fails_the_whole_batch() -> None:
    assert first_failure(records(1, 2), b"<html>") == 0


def test_everything_from_the_lowest_failure_on_is_tried_again() -> None:
    verdict = judge(Batch(records(1, 2, 3, 4)), failures("4", "2"), retry_attempts=1, bisect=True)
    assert verdict == Verdict(again=(Batch(records(2, 3, 4), failures=1),))


def test_progress_begins_the_count_of_attempts_anew() -> None:
    verdict = judge(Batch(records(1, 2), failures=1), failures("2"), retry_attempts=1, bisect=False)
    assert verdict == Verdict(again=(Batch(records(2), failures=1),))


def test_a_function_error_halves_the_batch_at_no_cost_in_attempts() -> None:
    verdict = judge(Batch(records(1, 2, 3), failures=1), ERROR, retry_attempts=1, bisect=True)
    assert verdict == Verdict(again=(Batch(records(1), failures=1), Batch(records(2, 3))))


def test_without_bisect_a_function_error_costs_an_attempt() -> None:
    verdict = judge(Batch(records(1, 2)), ERROR, retry_attempts=1, bisect=False)
    assert verdict == Verdict(again=(Batch(records(1, 2), failures=1),))


def test_a_batch_out_of_attempts_is_discarded_whole() -> None:
    verdict = judge(Batch(records(1, 2), failures=1), ERROR, retry_attempts=1, bisect=False)
    assert verdict == Verdict(discarded=Batch(records(1, 2), failures=2))


def test_attempts_may_be_unlimited() -> None:
    verdict = judge(Batch(records(1), failures=10_000), ERROR, retry_attempts=-1, bisect=True)
    assert verdict == Verdict(again=(Batch(records(1), failures=10_001),))


@given(
    size=st.integers(1, 12),
    poison=st.sets(st.integers(0, 11)),
    reports=st.booleans(),
    retry_attempts=st.integers(0, 3),
)
def test_every_record_is_handled_or_discarded_and_in_order(
    size: int, poison: set[int], reports: bool, retry_attempts: int
) -> None:
    """Law: no record is lost, and each one's first handling comes in the shard's order.

    Model: with a handler that raises, bisecting isolates the poison, so exactly the poison is discarded. With one that
    reports, what is discarded goes from the first poison to the end of its batch, as documented for AWS.
    """
    handled: list[int] = []
    discarded: list[int] = []
    waiting = [Batch(records(*range(size)))]
    for _ in range(10_000):
        if not waiting:
            break
        batch = waiting.pop(0)
        numbers = [int(record["dynamodb"]["SequenceNumber"]) for record in batch.records]
        bad = [n for n in numbers if n in poison]
        if bad and not reports:
            result = ERROR
        else:
            result = failures(*map(str, bad))
            handled += [n for n in numbers if not bad or n < bad[0]]
        verdict = judge(batch, result, retry_attempts=retry_attempts, bisect=True)
        waiting[:0] = verdict.again
        if verdict.discarded is not None:
            discarded += [int(record["dynamodb"]["SequenceNumber"]) for record in verdict.discarded.records]
    here = {n for n in poison if n < size}
    assert handled == sorted(handled)
    assert sorted(handled + discarded) == list(range(size))
    assert discarded == (list(range(min(here, default=size), size)) if reports else sorted(here))


def test_the_failure_message_says_where_the_records_are() -> None:
    message = failure_message(
        Batch(records(5, 6), failures=3),
        result=ERROR,
        function_arn="arn:f",
        stream_arn="arn:s",
        shard_id="shard",
        timestamp="2026-07-28T12:00:00+00:00",
    )
    assert json.loads(json.dumps(message)) == {
        "requestContext": {
            "requestId": "r",
            "functionArn": "arn:f",
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 3,
        },
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "version": "1.0",
        "timestamp": "2026-07-28T12:00:00+00:00",
        "DDBStreamBatchInfo": {
            "shardId": "shard",
            "startSequenceNumber": "5",
            "endSequenceNumber": "6",
            "approximateArrivalOfFirstRecord": "2026-07-28T12:00:05+00:00",
            "approximateArrivalOfLastRecord": "2026-07-28T12:00:06+00:00",
            "batchSize": 2,
            "streamArn": "arn:s",
        },
    }
