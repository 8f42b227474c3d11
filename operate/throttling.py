"""What throttling is: AWS asks for fewer calls, and the same question may be put again a while later."""

from typing import Any, Final

THROTTLED: Final = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
"""Error codes with which AWS asks for fewer calls."""


def is_throttled(error: BaseException) -> bool:
    """Whether AWS asked for fewer calls, told by boto3's error or by one of ours that it is the cause of."""
    cause: BaseException | None = error
    while cause is not None:
        response: dict[str, Any] = getattr(cause, "response", None) or {}
        if response.get("Error", {}).get("Code") in THROTTLED:
            return True
        cause = cause.__cause__
    return False
