"""Which errors of AWS heal by themselves, and how clients retry them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from receipt_dynamo_stream.errors import TransientServiceError

if TYPE_CHECKING:
    from botocore.config import Config
    from botocore.exceptions import ClientError

TRANSIENT_CODES = frozenset(
    {
        # DynamoDB
        "InternalServerError",
        "ProvisionedThroughputExceededException",
        "ReplicatedWriteConflictException",
        "RequestLimitExceeded",
        "TransactionConflictException",
        "TransactionInProgressException",
        # S3: also a body that arrived there damaged or cut off, and a request that was signed long ago
        "BadDigest",
        "BandwidthLimitExceeded",
        "ConditionalRequestConflict",
        "IncompleteBody",
        "InternalError",
        "OperationAborted",
        "RequestTimeTooSkewed",
        "SlowDown",
        "XAmzContentChecksumMismatch",
        "XAmzContentSHA256Mismatch",
        # KMS, which S3 answers for with status 400
        "DependencyTimeoutException",
        "KMSInternalException",
        "KeyUnavailableException",
        # SQS, SNS, Step Functions
        "ConcurrentAccess",
        "ExecutionLimitExceeded",
        "OverLimit",
        # every service
        "ExpiredToken",
        "ExpiredTokenException",
        "InternalFailure",
        "InternalServerException",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "RequestExpired",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "TooManyRequests",
        "TooManyRequestsException",
    }
)
"""What AWS documents as "try again", beside the statuses below and every code that speaks of throttling. S3 puts the
service that it asked before the code: `KMS.ThrottlingException`."""
TRANSIENT_STATUSES = frozenset({408, 429, 500, 502, 503, 504, 507, 509})
"""HTTP statuses that pass whatever the code; 501 and 505 do not."""
_PASSING_REASONS = frozenset(
    {"None", "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded", "RequestLimitExceeded"}
)


def is_transient(error: BaseException) -> bool:
    """True when the same call may work later: throttling, 5xx, timeouts, broken connections, damaged transfers."""
    if isinstance(error, TransientServiceError | ConnectionError | TimeoutError):
        return True
    # Imported here: an error of botocore exists only where botocore is loaded already.
    from boto3.exceptions import S3UploadFailedError
    from botocore import exceptions as botocore_errors
    from botocore.parsers import ResponseParserError

    if isinstance(error, botocore_errors.ClientError):
        return _passes(error)
    if isinstance(error, S3UploadFailedError):  # made from a ClientError, which it mentions
        return error.__context__ is not None and is_transient(error.__context__)
    transient_types = (
        botocore_errors.ConnectionError,  # endpoint not reachable, connect timeouts
        botocore_errors.HTTPClientError,  # read timeouts, connections that break off, proxies
        botocore_errors.IncompleteReadError,
        botocore_errors.ResponseStreamingError,
        botocore_errors.FlexibleChecksumError,  # the body differs from its checksum: the transfer was damaged
        botocore_errors.ChecksumError,
        botocore_errors.CredentialRetrievalError,  # the container's credential endpoint was not reachable
        ResponseParserError,  # an answer that was cut off
    )
    return isinstance(error, transient_types)


def _passes(error: "ClientError") -> bool:
    """What an answer of AWS says. A transaction passes when nothing but conflicts and throttling stood in its way."""
    code = str(error.response.get("Error", {}).get("Code", "")).rpartition(".")[2]
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code == "TransactionCanceledException":
        reasons = {str(reason.get("Code")) for reason in error.response.get("CancellationReasons", ())}
        return bool(reasons - {"None"}) and reasons <= _PASSING_REASONS
    if code.isdecimal():
        status = int(code)
    return code in TRANSIENT_CODES or status in TRANSIENT_STATUSES or "throttl" in code.lower()


@contextmanager
def transient_errors() -> Iterator[None]:
    """Raise TransientServiceError for a transient error of AWS in the block; everything else passes as it is."""
    try:
        yield
    except TransientServiceError:
        raise
    except Exception as error:
        if is_transient(error):
            raise TransientServiceError(f"{type(error).__name__}: {error}") from error
        raise


def client_config(
    *, connect_timeout: float = 2.0, read_timeout: float = 10.0, pool: int = 32, attempts: int = 6
) -> "Config":
    """Configuration for the low-level clients: so many attempts with exponential backoff and full jitter.

    Timeouts are in seconds. `pool` is the number of connections; the parallel functions here use up to 16.
    """
    from botocore.config import Config

    return Config(
        retries={"mode": "standard", "total_max_attempts": attempts},
        connect_timeout=connect_timeout,
        read_timeout=read_timeout,
        max_pool_connections=pool,
    )
