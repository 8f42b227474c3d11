from datetime import datetime, timedelta, timezone

import pytest
from botocore import exceptions as botocore_errors
from hypothesis import given
from hypothesis import strategies as st
from receipt_dynamo_stream import TransientServiceError, is_transient
from receipt_dynamo_stream.retry import client_config, transient_errors
from receipt_dynamo_stream.times import instant, normal_time, seconds_between, utc_text


def client_error(code: str, status: int = 400) -> botocore_errors.ClientError:
    return botocore_errors.ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "X")


TRANSIENT = [
    client_error("ThrottlingException"),
    client_error("ProvisionedThroughputExceededException"),
    client_error("SlowDown", 503),
    client_error("Whatever", 500),
    client_error("503"),
    client_error("TransactionConflictException"),
    botocore_errors.EndpointConnectionError(endpoint_url="https://x"),
    botocore_errors.ReadTimeoutError(endpoint_url="https://x"),
    botocore_errors.ConnectTimeoutError(endpoint_url="https://x"),
    botocore_errors.ConnectionClosedError(endpoint_url="https://x"),
    botocore_errors.IncompleteReadError(actual_bytes=1, expected_bytes=2),
    ConnectionResetError(),
    TimeoutError(),
    TransientServiceError("x"),
]
LASTING = [
    client_error("AccessDeniedException"),
    client_error("ValidationException"),
    client_error("ConditionalCheckFailedException"),
    client_error("NoSuchKey", 404),
    botocore_errors.NoCredentialsError(),
    botocore_errors.ParamValidationError(report="x"),
    ValueError("x"),
    KeyError("x"),
]


@pytest.mark.parametrize("error", TRANSIENT, ids=repr)
def test_what_heals_by_itself_is_transient(error: Exception) -> None:
    assert is_transient(error)
    with pytest.raises(TransientServiceError) as caught, transient_errors():
        raise error
    assert error in (caught.value, caught.value.__cause__)


@pytest.mark.parametrize("error", LASTING, ids=repr)
def test_what_does_not_heal_passes_as_it_is(error: Exception) -> None:
    assert not is_transient(error)
    with pytest.raises(type(error)) as caught, transient_errors():
        raise error
    assert caught.value is error


def test_clients_retry_with_backoff_and_jitter() -> None:
    config = client_config()
    assert config.retries == {"mode": "standard", "total_max_attempts": 6}
    assert config.max_pool_connections >= 16


@given(st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1)), st.integers(-12, 14))
def test_times_compare_as_text_in_whatever_zone_they_were_written(moment: datetime, hours: int) -> None:
    here = moment.replace(tzinfo=timezone(timedelta(hours=hours)))
    normal = normal_time(here.isoformat())
    assert normal.endswith("+00:00")
    assert datetime.fromisoformat(normal) == here
    assert normal_time(normal) == normal == utc_text(here)
    later = normal_time((here + timedelta(microseconds=1)).isoformat())
    assert normal < later


def test_a_time_that_utc_does_not_have_stays_as_it_is() -> None:
    assert normal_time("9999-12-31T23:59:59-12:00") == "9999-12-31T23:59:59-12:00"


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01T00:00:00+00:00"])
def test_an_unreadable_time_stays_as_it_is(text: str) -> None:
    assert normal_time(text) == text
    assert seconds_between(text, "2026-07-28T12:00:00+00:00") is None


def test_seconds_between_two_times_are_never_negative() -> None:
    assert seconds_between("2026-07-28T12:00:00Z", "2026-07-28T14:01:00+02:00") == 60.0
    assert seconds_between("2026-07-28T12:00:01+00:00", "2026-07-28T12:00:00+00:00") == 0.0


def test_a_moment_is_aware_and_what_is_none_is_none() -> None:
    noon = datetime.fromisoformat("2026-07-28T12:00:00+00:00")
    assert [instant(text) for text in ("2026-07-28T12:00:00", "2026-07-28T14:00:00+02:00")] == [noon, noon]
    assert [instant(text) for text in (None, "", "yesterday")] == [None, None, None]
