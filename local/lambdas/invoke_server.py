"""The Lambda API as far as Step Functions needs it: `Invoke`, synchronous.

https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html. moto's interpreter finds it by AWS_ENDPOINT_URL_LAMBDA.
"""

import uuid
from collections.abc import Callable
from urllib.parse import unquote

from local.errors import InvokesRefused, TooManyRequests, UnknownFunction
from local.lambdas.invocation import MAX_PAYLOAD_BYTES, InvocationResult
from local.lambdas.loopback import LoopbackHandler, LoopbackServer

_PREFIX = "/2015-03-31/functions/"
_SUFFIX = "/invocations"
_CLOSE = {"Connection": "close"}  # the interpreter makes a client per call and would leave each connection lying about


Invoke = Callable[[str, bytes], InvocationResult]
"""(function name or ARN, event) -> result. Raises UnknownFunction, TooManyRequests, InvokesRefused."""


def invoke_server(invoke: Invoke) -> LoopbackServer:
    """A server, not started yet, that passes invocations on."""

    class Handler(LoopbackHandler):
        def do_POST(self) -> None:  # noqa: N802 (http.server's name)
            body = self.read_body()
            path = self.path.partition("?")[0]
            if not (path.startswith(_PREFIX) and path.endswith(_SUFFIX)):
                return self._fail(404, "UnknownOperationException", f"no {path} here")
            if self.headers.get("X-Amz-Invocation-Type", "RequestResponse") != "RequestResponse":
                return self._fail(400, "InvalidParameterValueException", "only synchronous invocations are served here")
            if len(body) > MAX_PAYLOAD_BYTES:
                return self._fail(413, "RequestTooLargeException", f"the event has {len(body)} bytes")
            return self._invoke(unquote(path.removeprefix(_PREFIX).removesuffix(_SUFFIX)), body or b"{}")

        def _invoke(self, function: str, event: bytes) -> None:
            try:
                result = invoke(function, event)
            except UnknownFunction as error:
                return self._fail(404, "ResourceNotFoundException", str(error))
            except TooManyRequests as error:
                return self._fail(429, "TooManyRequestsException", str(error))
            except InvokesRefused as error:
                return self._fail(503, "ServiceException", str(error))
            headers = {**_CLOSE, "x-amzn-RequestId": result.request_id, "X-Amz-Executed-Version": "$LATEST"}
            if result.function_error is not None:
                headers["X-Amz-Function-Error"] = result.function_error
            return self.answer(200, result.payload, headers)

        def _fail(self, status: int, error_type: str, message: str) -> None:
            headers = {**_CLOSE, "x-amzn-RequestId": str(uuid.uuid4()), "x-amzn-ErrorType": error_type}
            self.answer_json(status, {"Type": "User", "Message": message}, headers)

    return LoopbackServer(Handler, name="lambda-invoke")
