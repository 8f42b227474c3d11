"""The Lambda API, asked by boto3's own client."""

import json
from collections.abc import Callable, Iterator

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from local.errors import InvokesRefused, TooManyRequests, UnknownFunction
from local.lambdas.invocation import InvocationResult
from local.lambdas.invoke_server import Invoke, invoke_server

ARN = "arn:aws:lambda:us-east-1:123456789012:function:Echo"


@pytest.fixture
def client_of() -> Iterator[Callable[[Invoke], object]]:
    servers, clients = [], []

    def start(invoke: Invoke) -> object:
        server = invoke_server(invoke)
        server.start()
        servers.append(server)
        client = boto3.client(
            "lambda",
            region_name="us-east-1",
            endpoint_url=f"http://{server.address}",
            aws_access_key_id="x",
            aws_secret_access_key="x",
            config=Config(retries={"total_max_attempts": 1}),
        )
        clients.append(client)
        return client

    yield start
    for client in clients:
        client.close()
    for server in servers:
        server.stop()


def test_an_answer_comes_with_its_request_id(client_of) -> None:
    asked = []

    def invoke(function: str, event: bytes) -> InvocationResult:
        asked.append((function, event))
        return InvocationResult("r1", b'{"a": 1}')

    answer = client_of(invoke).invoke(FunctionName=ARN, Payload=b'{"x": 2}')
    assert asked == [(ARN, b'{"x": 2}')]
    assert answer["ResponseMetadata"]["RequestId"] == "r1"
    assert json.load(answer["Payload"]) == {"a": 1}
    assert "FunctionError" not in answer


def test_a_function_error_is_a_header(client_of) -> None:
    client = client_of(lambda _function, _event: InvocationResult("r1", b'{"errorType": "OddError"}', "Unhandled"))
    answer = client.invoke(FunctionName="Echo", Payload=b"{}")
    assert answer["StatusCode"] == 200
    assert answer["FunctionError"] == "Unhandled"


@pytest.mark.parametrize(
    ("error", "code", "status"),
    [
        (UnknownFunction("no such function"), "ResourceNotFoundException", 404),
        (TooManyRequests("all are busy"), "TooManyRequestsException", 429),
        (InvokesRefused("going down"), "ServiceException", 503),
    ],
)
def test_errors_have_the_names_that_lambda_gives_them(client_of, error: Exception, code: str, status: int) -> None:
    def invoke(_function: str, _event: bytes) -> InvocationResult:
        raise error

    with pytest.raises(ClientError) as raised:
        client_of(invoke).invoke(FunctionName="Echo", Payload=b"{}")
    assert raised.value.response["Error"] == {"Code": code, "Message": str(error)}
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == status


def test_an_event_over_six_megabytes_is_refused(client_of) -> None:
    with pytest.raises(ClientError) as raised:
        client_of(lambda _f, _e: InvocationResult("r", b"1")).invoke(FunctionName="Echo", Payload=b"1" * 7_000_000)
    assert raised.value.response["Error"]["Code"] == "RequestTooLargeException"


def test_an_asynchronous_invocation_is_refused_by_name(client_of) -> None:
    with pytest.raises(ClientError) as raised:
        client_of(lambda _f, _e: InvocationResult("r", b"1")).invoke(FunctionName="Echo", InvocationType="Event")
    assert raised.value.response["Error"]["Code"] == "InvalidParameterValueException"


def test_other_calls_of_lambda_are_not_there(client_of) -> None:
    with pytest.raises(ClientError) as raised:
        client_of(lambda _f, _e: InvocationResult("r", b"1")).invoke_async(FunctionName="Echo", InvokeArgs=b"{}")
    assert raised.value.response["Error"]["Code"] == "UnknownOperationException"
