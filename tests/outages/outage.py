"""What each service answers while it is out: the same to every part of the pipeline, and nothing to producers, who go
on writing receipts and uploading deltas."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest.mock import patch

from moto.dynamodb.responses import DynamoHandler
from moto.s3.responses import S3Response
from moto.stepfunctions.responses import StepFunctionResponse

from local.errors import TooManyRequests
from local.names import HOST, RECEIPTS_TABLE
from tests.pipeline.world import World

Answer = tuple[int, dict[str, str], str]


@contextmanager
def efs(world: World) -> Iterator[None]:
    """There is no file system where it was mounted."""
    aside = world.efs.with_name("efs.aside")
    world.efs.rename(aside)
    world.efs.write_text("no file system")
    try:
        yield
    finally:
        world.efs.unlink()
        aside.rename(world.efs)


@contextmanager
def s3(_world: World) -> Iterator[None]:
    """Every request is answered with 503, but for the upload of a delta."""

    def refusing(original: Callable[..., Any]) -> Callable[..., Any]:
        def response(self: S3Response, request: Any, full_url: str) -> Any:
            if request.method == "PUT" and "/delta/" in full_url:
                return original(self, request, full_url)
            return 503, {}, "<Error><Code>ServiceUnavailable</Code><Message>S3 is out.</Message></Error>"

        return response

    with (
        patch.object(S3Response, "_bucket_response", refusing(S3Response._bucket_response)),
        patch.object(S3Response, "_key_response", refusing(S3Response._key_response)),
    ):
        yield


@contextmanager
def dynamodb(_world: World) -> Iterator[None]:
    """Every request is answered with 500, but for a producer's writes to the receipts table, which its stream tells."""
    original = DynamoHandler.call_action

    def call_action(self: DynamoHandler) -> Any:
        if self._get_action() in ("PutItem", "DeleteItem") and self.params["TableName"] == RECEIPTS_TABLE:
            return original(self)
        return refusal(500, "com.amazonaws.dynamodb.v20120810#InternalServerError", "DynamoDB is out.")

    with patch.object(DynamoHandler, "call_action", call_action):
        yield


@contextmanager
def lambda_capacity(world: World) -> Iterator[None]:
    """No function is invoked, nor the stream's nor the recorder."""

    def invoke(function: str, _payload: bytes) -> None:
        raise TooManyRequests(f"{function}: the account's concurrency is used up")

    with patch.object(world.stack.workers, "invoke", invoke):
        yield


@contextmanager
def step_functions(_world: World) -> Iterator[None]:
    """Nothing is started and nothing is told of an execution; what runs goes on."""
    original = StepFunctionResponse.call_action

    def call_action(self: StepFunctionResponse) -> Any:
        action, by_a_function = self._get_action(), HOST in self.uri
        if action == "StartExecution" or (action == "DescribeExecution" and by_a_function):
            return refusal(500, "InternalFailure", "Step Functions is out.")
        return original(self)

    with patch.object(StepFunctionResponse, "call_action", call_action):
        yield


def refusal(status: int, error: str, message: str) -> Answer:
    return status, {"x-amzn-RequestId": "none"}, json.dumps({"__type": error, "message": message})


OUTAGES: dict[str, Callable[[World], AbstractContextManager[None]]] = {
    "EFS": efs,
    "S3": s3,
    "DynamoDB": dynamodb,
    "Lambda": lambda_capacity,
    "Step Functions": step_functions,
}
