"""moto: the AWS services of the stack, in this process and at an endpoint on loopback.

The interpreter of Step Functions works only under `mock_aws`, and then the Lambda client it makes goes where
AWS_ENDPOINT_URL_LAMBDA says: that is how the same ASL reaches our workers without a change to moto.
"""

import json
import logging
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.request import Request, urlopen

from local import names
from local.aws.moto_executions import Tell, interpreter_threads
from local.aws.moto_patches import MotoPatches
from local.errors import StackAlreadyRunning
from local.lambdas.environment import CREDENTIALS, PROCESS_ENVIRONMENT, ProcessEnvironment

log = logging.getLogger(__name__)


class Cloud:
    """DynamoDB with streams, S3, SQS and Step Functions. One per process, since moto is one per process."""

    _running = threading.Lock()

    def __init__(self) -> None:
        self._patches = MotoPatches()
        self._environment: ProcessEnvironment | None = None
        self._mock: Any = None
        self._server: Any = None

    @property
    def endpoint_url(self) -> str:
        """Where other processes find the services."""
        host, port = self._server.get_host_and_port()
        return f"http://{host}:{port}"

    def start(self, lambda_endpoint_url: str, tell: Tell) -> None:
        """`tell` hears of executions that start and end. Raises StackAlreadyRunning; UnsupportedMoto."""
        if not self._running.acquire(blocking=False):
            raise StackAlreadyRunning("a local stack runs in this process already: stop it first")
        try:
            # First of all, since already the import of moto reads the person's AWS profile.
            self._environment = ProcessEnvironment(
                {**PROCESS_ENVIRONMENT, "AWS_ENDPOINT_URL_LAMBDA": lambda_endpoint_url}
            )
            self._environment.enter()
            self._patches.apply(tell)
            self._start_mock()
            self._start_server()
        except BaseException:
            self.stop()
            raise

    def _start_mock(self) -> None:
        import boto3
        from moto import mock_aws

        self._mock = mock_aws(
            config={
                "stepfunctions": {"execute_state_machine": True},
                "core": {"mock_credentials": False, "passthrough": {"urls": [r"http://127\.0\.0\.1:"], "services": []}},
            }
        )
        self._mock.start()
        # The interpreter's threads make clients of the default session: it must be whole before the first of them.
        boto3.setup_default_session(
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            region_name=names.REGION,
        )
        boto3.client("lambda")

    def _start_server(self) -> None:
        from moto.server import ThreadedMotoServer

        self._server = ThreadedMotoServer(ip_address=names.HOST, port=0, verbose=False)
        self._server.start()

    def stop(self) -> None:
        """Everything in it is gone, and this process's environment and moto are as before."""
        if self._server is not None:
            self._server.stop()
            self._server = None
        if self._mock is not None:
            self._mock.stop()
            self._mock = None
        if self._environment is not None:
            self._environment.leave()
            self._environment = None
        self._patches.remove()
        if self._running.locked():
            self._running.release()

    def reset(self) -> None:
        """Forget every table, bucket, queue and execution. moto's own reset, as its server offers it."""
        reset = Request(f"{self.endpoint_url}/moto-api/reset", method="POST")  # noqa: S310 -- our own server, on loopback
        with urlopen(reset, timeout=30) as answer:  # noqa: S310 -- as above
            if json.load(answer) != {"status": "ok"}:
                raise RuntimeError("moto did not reset")

    def client(self, service: str) -> Any:
        """A client inside this process: straight to the services, with no HTTP in between."""
        import boto3
        from botocore.config import Config

        make: Callable[..., Any] = boto3.client  # the types know each service by its own name
        return make(service, region_name=names.REGION, config=Config(retries={"total_max_attempts": 1}))


def join_interpreter(seconds: float) -> bool:
    """Wait for the interpreter's threads; whether all ended within that time."""
    deadline = time.monotonic() + seconds
    while threads := interpreter_threads():
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            log.warning("%d threads of executions still run", len(threads))
            return False
        if threads[0].ident is not None:
            threads[0].join(remaining)
    return True
