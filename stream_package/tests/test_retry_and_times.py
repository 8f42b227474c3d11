from datetime import datetime, timedelta, timezone

import pytest
from boto3.exceptions import S3UploadFailedError
from botocore import exceptions as botocore_errors
from botocore.parsers import ResponseParserError
from botocore.retries.standard import ThrottledRetryableChecker, TransientRetryableChecker
from hypothesis import given
from hypothesis import strategies as st
from receipt_dynamo_stream import TransientServiceError, is_transient
from receipt_dynamo_stream.retry import client_config, transient_errors
from receipt_dynamo_stream.times import instant, normal_time, seconds_between, utc_text


def client_error(code: str, status: int = 400) -> botocore_errors.ClientError:
    return botocore_errors.ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "X")


def canceled(*reasons: str) -> botocore_errors.ClientError:
    error = client_error("TransactionCanceledException")
    error.response["CancellationReasons"] = [{"Code": reason} for reason in reasons]  # type: ignore[typeddict-unknown-key]
    return error


def upload_failed(cause: botocore_errors.ClientError) -> Exception:
    """As boto3 raises it: made from an error that it only mentions."""
    try:
        try:
            raise cause
        except botocore_errors.ClientError:
            raise S3UploadFailedError("Failed to upload") from None
    except S3UploadFailedError as error:
        return error


TRANSIENT = [
    client_error("ThrottlingException"),
    client_error("ProvisionedThroughputExceededException"),
    client_error("SlowDown", 503),
    client_error("Whatever", 500),
    client_error("503"),
    client_error("429"),
    client_error("TooManyRequests", 429),
    client_error("RequestTimeout", 400),
    client_error("RequestTimeTooSkewed", 403),
    client_error("OperationAborted", 409),
    client_error("IncompleteBody", 400),
    client_error("BadDigest", 400),
    client_error("ExpiredToken", 400),
    client_error("KMS.ThrottlingException", 400),
    client_error("KMS.KMSInternalException", 400),
    client_error("KMS.DependencyTimeoutException", 400),
    client_error("KMS.KeyUnavailableException", 400),
    client_error("KmsThrottled", 400),
    client_error("KMSThrottlingException", 400),
    client_error("ReplicatedWriteConflictException"),
    client_error("ExecutionLimitExceeded"),
    canceled("None", "TransactionConflict"),
    canceled("ThrottlingError", "ProvisionedThroughputExceeded"),
    upload_failed(client_error("SlowDown", 503)),
    botocore_errors.FlexibleChecksumError(error_msg="crc32 differs"),
    ResponseParserError("no element found"),
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
    client_error("NotImplemented", 501),
    client_error("InvalidObjectState", 403),
    client_error("KMS.DisabledException", 400),
    client_error("KMS.KMSInvalidStateException", 400),
    client_error("KMS.NotFoundException", 400),
    client_error("TransactionCanceledException"),
    canceled("None", "ConditionalCheckFailed"),
    canceled("TransactionConflict", "ConditionalCheckFailed"),
    canceled("None", "None"),
    upload_failed(client_error("AccessDenied", 403)),
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


@pytest.mark.parametrize(
    "code",
    sorted(
        {*ThrottledRetryableChecker._THROTTLED_ERROR_CODES, *TransientRetryableChecker._TRANSIENT_ERROR_CODES},
    ),
)
def test_what_boto3_tries_again_by_itself_is_transient(code: str) -> None:
    assert is_transient(client_error(code))


@pytest.mark.parametrize("status", TransientRetryableChecker._TRANSIENT_STATUS_CODES)
def test_so_is_every_status_that_boto3_tries_again(status: int) -> None:
    assert is_transient(client_error("Whatever", status))


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
