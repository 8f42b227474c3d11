"""For the workers of these tests: every request says which process of which function makes it, and an AWS client tries
as often as ever, waiting a tenth of a second at most in between."""

import os
import select
import time

os.environ["AWS_SDK_UA_APP_ID"] = f"{os.environ.get('AWS_LAMBDA_FUNCTION_NAME', 'none')}-{os.getpid()}"

from botocore.retries import standard

_delay = standard.ExponentialBackoff.delay_amount


def _soon(self: standard.ExponentialBackoff, context: object) -> float:
    return min(0.1, float(_delay(self, context)))


standard.ExponentialBackoff.delay_amount = _soon

if "FAKETIME_TIMESTAMP_FILE" in os.environ:  # libfaketime has time.sleep wait for a deadline that it makes wrong
    time.sleep = lambda seconds: select.select([], [], [], seconds) and None  # type: ignore[assignment]
