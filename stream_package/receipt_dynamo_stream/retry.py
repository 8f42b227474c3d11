"""Which errors of AWS heal by themselves, and how clients retry them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from receipt_dynamo_stream.errors import TransientServiceError

if TYPE_CHECKING:
    from botocore.config import Config

# Codes that DynamoDB, S3, SQS and Step Functions document as "try again"; every 5xx status counts as well.
TRANSIENT_CODES = frozenset(
    {
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "InternalError",
        "InternalFailure",
        "InternalServerError",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionConflictException",
        "TransactionInProgressException",
    }
)


def is_transient(error: BaseException) -> bool:
    """True when the same call may work later: throttling, 5xx, timeouts, broken connections."""
    if isinstance(error, TransientServiceError):
        return True
    # Imported here: an error of botocore exists only where botocore is loaded already.
    from botocore import exceptions as botocore_errors

    if isinstance(error, botocore_errors.ClientError):
        code = str(error.response.get("Error", {}).get("Code", ""))
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return code in TRANSIENT_CODES or status >= 500 or code in {"500", "502", "503", "504"}
    transient_types = (
        botocore_errors.ConnectionError,  # endpoint not reachable, connect timeouts
        botocore_errors.HTTPClientError,  # read timeouts, connections that break off, proxies
        botocore_errors.IncompleteReadError,
        botocore_errors.ResponseStreamingError,
        botocore_errors.CredentialRetrievalError,  # the container's credential endpoint was not reachable
    )
    return isinstance(error, (*transient_types, ConnectionError, TimeoutError))


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
