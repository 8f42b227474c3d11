"""The Runtime API, spoken to directly."""

import http.client
import json
import threading
from collections.abc import Iterator

import pytest

from local.lambdas.invocation import MAX_PAYLOAD_BYTES, Invocation
from local.lambdas.runtime_api import RuntimeApi


class Runtime:
    """A runtime client by hand."""

    def __init__(self, api: RuntimeApi) -> None:
        self._connection = http.client.HTTPConnection(api.address, timeout=10)

    def call(self, method: str, path: str, body: bytes = b"", **options: object) -> tuple[int, dict[str, str], bytes]:
        self._connection.request(method, "/2018-06-01/runtime" + path, body, **options)
        response = self._connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def api() -> Iterator[RuntimeApi]:
    api = RuntimeApi("Echo")
    api.start()
    yield api
    api.close()


@pytest.fixture
def runtime(api: RuntimeApi) -> Iterator[Runtime]:
    runtime = Runtime(api)
    yield runtime
    runtime.close()


def invocation(request_id: str) -> Invocation:
    return Invocation(request_id=request_id, function_arn="arn:f", payload=b'{"a": 1}', timeout_seconds=60)


def test_next_gives_the_event_with_the_headers_of_lambda(api: RuntimeApi, runtime: Runtime) -> None:
    first = invocation("r1")
    api.offer(first)
    status, headers, body = runtime.call("GET", "/invocation/next")
    assert (status, body) == (200, b'{"a": 1}')
    assert headers["Lambda-Runtime-Aws-Request-Id"] == "r1"
    assert headers["Lambda-Runtime-Invoked-Function-Arn"] == "arn:f"
    assert int(headers["Lambda-Runtime-Deadline-Ms"]) > 1_700_000_000_000
    assert first.wait_taken(0)
    assert not first.wait_done(0)


def test_an_answer_ends_the_invocation(api: RuntimeApi, runtime: Runtime) -> None:
    first = invocation("r1")
    api.offer(first)
    runtime.call("GET", "/invocation/next")
    assert runtime.call("POST", "/invocation/r1/response", b'"done"')[0] == 202
    assert first.result is not None
    assert (first.result.payload, first.result.function_error) == (b'"done"', None)


def test_an_error_ends_it_as_unhandled(api: RuntimeApi, runtime: Runtime) -> None:
    first = invocation("r1")
    api.offer(first)
    runtime.call("GET", "/invocation/next")
    runtime.call("POST", "/invocation/r1/error", b'{"errorType": "OddError"}')
    assert first.result is not None
    assert first.result.function_error == "Unhandled"


def test_a_late_answer_of_an_earlier_request_is_not_the_present_ones(api: RuntimeApi, runtime: Runtime) -> None:
    api.offer(invocation("r1"))
    runtime.call("GET", "/invocation/next")
    runtime.call("POST", "/invocation/r1/response", b"1")
    second = invocation("r2")
    api.offer(second)
    runtime.call("GET", "/invocation/next")
    status, _, body = runtime.call("POST", "/invocation/r1/response", b'"late"')
    assert (status, json.loads(body)["errorType"]) == (400, "InvalidRequestID")
    assert second.result is None
    runtime.call("POST", "/invocation/r2/response", b'"right"')
    assert second.result is not None
    assert second.result.payload == b'"right"'


def test_an_answer_in_chunks_is_put_together(api: RuntimeApi, runtime: Runtime) -> None:
    first = invocation("r1")
    api.offer(first)
    runtime.call("GET", "/invocation/next")
    runtime.call("POST", "/invocation/r1/response", iter([b"[1,", b"2]"]), encode_chunked=True)  # type: ignore[arg-type]
    assert first.result is not None
    assert first.result.payload == b"[1,2]"


def test_an_answer_over_the_limit_is_an_error(api: RuntimeApi, runtime: Runtime) -> None:
    first = invocation("r1")
    api.offer(first)
    runtime.call("GET", "/invocation/next")
    runtime.call("POST", "/invocation/r1/response", b"x" * (MAX_PAYLOAD_BYTES + 1))
    assert first.result is not None
    assert json.loads(first.result.payload)["errorType"] == "Function.ResponseSizeTooLarge"


def test_closing_lets_a_waiting_runtime_go(api: RuntimeApi) -> None:
    other = RuntimeApi("Other")
    other.start()
    runtime = Runtime(other)
    gone = threading.Event()

    def ask() -> None:
        with pytest.raises((ConnectionError, http.client.HTTPException)):
            runtime.call("GET", "/invocation/next")
        gone.set()

    asking = threading.Thread(target=ask)
    asking.start()
    other.close()
    assert gone.wait(10)
    asking.join()
    runtime.close()


def test_only_the_first_result_of_an_invocation_counts() -> None:
    first = invocation("r1")
    assert first.finish(b"1")
    assert not first.finish(b"2", "Unhandled")
    assert first.result is not None
    assert first.result.payload == b"1"
