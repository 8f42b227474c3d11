"""The proxy passes everything on as it is, and what it makes up looks like AWS and like a broken network."""

import os
from collections.abc import Iterator
from http.client import HTTPConnection, RemoteDisconnected
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

from local.lambdas.loopback import LoopbackHandler, LoopbackServer

from .proxy import DYNAMODB, FAULTS, LOST, RESET, S3, SERVICES, STATES, Proxy, Refusal, Request, Storm, request_of

Asked = list[tuple[str, str, bytes]]
CONFIG = Config(retries={"total_max_attempts": 1}, read_timeout=5)
CALLS: dict[str, tuple[str, Any]] = {
    "s3": ("s3", lambda s3: s3.put_object(Bucket="b", Key="k", Body=b"content")),
    "dynamodb": ("dynamodb", lambda dynamodb: dynamodb.list_tables()),
    "states": ("stepfunctions", lambda states: states.list_state_machines()),
    "sqs": ("sqs", lambda sqs: sqs.list_queues()),
}


@pytest.fixture(scope="module")
def upstream() -> Iterator[tuple[str, Asked]]:
    """A service that remembers what it was asked, and answers with it."""
    asked: Asked = []

    class Handler(LoopbackHandler):
        def _serve(self) -> None:
            asked.append((self.command, self.path, self.read_body()))
            self.send_response_only(201)
            self.send_header("Content-Length", "7")
            self.send_header("x-own", "header")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(b'{"a":1}')

        do_GET = do_PUT = do_POST = do_HEAD = _serve  # noqa: N815 (http.server's names)

    server = LoopbackServer(Handler, name="upstream")
    server.start()
    yield f"http://{server.address}", asked
    server.stop()


@pytest.fixture
def proxy(upstream: tuple[str, Asked]) -> Iterator[Proxy]:
    upstream[1].clear()
    proxy = Proxy(seed=3)
    proxy.upstream = upstream[0]
    proxy.start()
    yield proxy
    proxy.stop()


def client(proxy: Proxy, service: str) -> Any:
    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
    return boto3.client(service, endpoint_url=proxy.url, region_name="us-east-1", config=CONFIG, **keys)


def ask(proxy: Proxy, method: str, body: Any = None) -> tuple[int, Any, bytes]:
    connection = HTTPConnection(proxy.url.removeprefix("http://"))
    connection.request(method, "/a/b?c=d", body)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, answer.headers, content


@pytest.mark.parametrize("body", [b"plain", iter([b"in ", b"chunks"])], ids=["with a length", "in chunks"])
def test_what_nothing_strikes_arrives_and_comes_back_as_it_was(
    proxy: Proxy, upstream: tuple[str, Asked], body: Any
) -> None:
    whole = body if isinstance(body, bytes) else b"in chunks"
    status, headers, content = ask(proxy, "PUT", body)
    assert upstream[1] == [("PUT", "/a/b?c=d", whole)]
    assert (status, headers["x-own"], content) == (201, "header", b'{"a":1}')


def test_the_answer_to_a_head_has_the_length_and_no_body(proxy: Proxy) -> None:
    _, headers, content = ask(proxy, "HEAD")
    assert (headers["Content-Length"], content) == ("7", b"")


REFUSALS = [(name, fault) for name in SERVICES for fault in FAULTS[name] if isinstance(fault, Refusal)]


@pytest.mark.parametrize(("service", "refusal"), REFUSALS, ids=lambda one: getattr(one, "code", one))
def test_a_client_of_aws_reads_a_refusal_as_one_of_its_service(
    proxy: Proxy, upstream: tuple[str, Asked], service: str, refusal: Refusal
) -> None:
    name, call = CALLS[service]
    with proxy.storm(Storm(1.0, (service,), (refusal,))), pytest.raises(ClientError) as caught:
        call(client(proxy, name))
    assert caught.value.response["Error"]["Code"] == refusal.code
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == refusal.status
    assert upstream[1] == []
    assert proxy.struck == {f"{service}: {refusal.code}": 1}


@pytest.mark.parametrize(("fault", "done"), [(RESET, 0), (LOST, 1)])
def test_a_connection_ends_before_the_request_is_passed_on_or_after_it(
    proxy: Proxy, upstream: tuple[str, Asked], fault: str, done: int
) -> None:
    with proxy.storm(Storm(1.0, (DYNAMODB,), (fault,))), pytest.raises((ConnectionError, HTTPClientError)):
        CALLS["dynamodb"][1](client(proxy, "dynamodb"))
    assert len(upstream[1]) == done


def test_a_storm_ends_and_strikes_its_services_only(proxy: Proxy) -> None:
    with proxy.storm(Storm(1.0, (S3,))):
        assert proxy.fault_for(Request(DYNAMODB, "GetItem", "/", None, None)) is None
        assert proxy.fault_for(Request(S3, "GET", "/", None, None)) in FAULTS[S3]
    assert proxy.fault_for(Request(S3, "GET", "/", None, None)) is None


def test_the_share_is_what_was_asked_for_and_the_seed_chooses_which() -> None:
    def struck(seed: int) -> list[object]:
        proxy = Proxy(seed)
        with proxy.storm(Storm(0.3)):
            found = [proxy.fault_for(Request(STATES, "StartExecution", "/", None, None)) for _ in range(1000)]
        proxy.stop()
        return found

    first = struck(1)
    assert 250 < sum(fault is not None for fault in first) < 350
    assert struck(1) == first != struck(2)


def test_who_watches_sees_which_process_asks_and_may_end_its_request(
    proxy: Proxy, upstream: tuple[str, Asked], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SDK_UA_APP_ID", f"MergeDeltas-{os.getpid()}")
    seen: list[Request] = []

    def watch(request: Request) -> bool:
        seen.append(request)
        return request.writes

    dynamodb = client(proxy, "dynamodb")
    with proxy.watched(watch):
        dynamodb.list_tables()
        with pytest.raises((ConnectionError, HTTPClientError)):
            dynamodb.delete_table(TableName="table")
    assert [(one.service, one.operation, one.function, one.pid) for one in seen] == [
        (DYNAMODB, "ListTables", "MergeDeltas", os.getpid()),
        (DYNAMODB, "DeleteTable", "MergeDeltas", os.getpid()),
    ]
    assert len(upstream[1]) == 1


def test_a_peer_that_is_reset_gets_no_answer(proxy: Proxy) -> None:
    with proxy.watched(lambda _: True), pytest.raises((ConnectionResetError, RemoteDisconnected)):
        ask(proxy, "GET")


def test_requests_without_a_function_are_of_native_states() -> None:
    headers = {"X-Amz-Target": "DynamoDB_20120810.UpdateItem", "User-Agent": "Boto3/1"}
    assert request_of("POST", "/", headers) == Request(DYNAMODB, "UpdateItem", "/", None, None)
