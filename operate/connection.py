"""Where a stack is, local or on AWS, and the clients that talk to it.

The one module of the console that makes boto3 clients. `compaction up` writes the local stack's connection to
`STACK_FILE`; a stack on AWS tells the same facts as CloudFormation outputs.
"""

import http.client
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from receipt_dynamo_stream.bucket import Bucket

from operate.errors import AccessMissing, StackIncomplete, StackNotFound, StackNotRunning

STACK_FILE = Path(".compaction/stack.json")
"""Where `compaction up` says where it listens; relative to the current directory."""

HOW_TO_GET_A_STACK = "run `compaction up` in another terminal, or pass --stack NAME"
OUTPUTS = {
    "StateMachineArn": "state_machine_arn",
    "ReceiptsTable": "receipts_table",
    "ControlTable": "control_table",
    "Bucket": "bucket",
    "FailureQueueUrl": "failure_queue_url",
}
"""CloudFormation output key -> field of `Connection`."""
LIVE_OUTPUT = "LiveArn"
"""The output that a stack of a release before has not: there the machine itself is started."""

PROBE_OUTPUT = "ProbeFunction"
"""The output of a stack that takes probes: its probe function's name."""

_ANSWER_SECONDS = 2.0
_ONE_AT_A_TIME = threading.Lock()
"""boto3 makes clients from one session, which several threads must not use at once; clients they may."""


@dataclass(frozen=True)
class Connection:
    """Everything needed to reach one stack.

    `endpoint_url` and `efs_root` are None on AWS: there the services have their own endpoints, and the file system is
    not mounted where an operator sits. `live_arn` is the machine's alias that is started; None: the machine itself.
    `functions_endpoint_url`: where a local stack's functions are invoked. `probe_function`: its name,
    where the stack takes probes. `stack_name`: CloudFormation's, on AWS.
    """

    region: str
    endpoint_url: str | None
    state_machine_arn: str
    receipts_table: str
    control_table: str
    bucket: str
    efs_root: str | None
    failure_queue_url: str | None
    live_arn: str | None = None
    functions_endpoint_url: str | None = None
    probe_function: str | None = None
    stack_name: str | None = None

    def to_json(self) -> dict[str, str | None]:
        """As plain values; `from_json` reads it back."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, str | None]) -> "Connection":
        """Raises TypeError when a field is missing or unknown."""
        return cls(**values)  # type: ignore[arg-type]  # the constructor names what is missing

    def client(self, service: str) -> Any:
        """A new boto3 client of this stack. A local stack takes any credentials and must never see real ones."""
        import boto3
        from botocore.config import Config

        config = Config(retries={"mode": "standard", "max_attempts": 5})
        if service == "lambda":  # an invocation that takes long is not asked for again
            config = config.merge(Config(read_timeout=180, retries={"mode": "standard", "max_attempts": 1}))
        make: Callable[..., Any] = boto3.client  # the types know each service by its own name
        with _ONE_AT_A_TIME:
            if self.endpoint_url is None:
                return make(service, region_name=self.region, config=config)
            return make(
                service,
                region_name=self.region,
                endpoint_url=self.functions_endpoint_url if service == "lambda" else self.endpoint_url,
                aws_access_key_id="local",
                aws_secret_access_key="local",  # noqa: S106 -- a local stack has no secret
                config=config.merge(Config(connect_timeout=5, s3={"addressing_style": "path"})),
            )


def bucket_alone(name: str, region: str | None = None) -> Bucket:
    """A bucket, with ordinary AWS credentials, without a stack around it. Raises AccessMissing."""
    return Bucket(client_alone("s3", region), name)


def client_alone(service: str, region: str | None = None) -> Any:
    """A boto3 client with ordinary AWS credentials, without a stack around it. Raises AccessMissing."""
    import boto3
    from botocore.config import Config
    from botocore.exceptions import NoRegionError

    config = Config(retries={"mode": "standard", "max_attempts": 5})
    make: Callable[..., Any] = boto3.Session().client  # the types know each service by its own name
    try:
        return make(service, region_name=region, config=config)
    except NoRegionError as error:
        raise AccessMissing("which AWS region? pass --region, or set AWS_REGION") from error


def has_credentials() -> bool:
    """Whether AWS credentials are found in the ordinary way; whether they are good, AWS says. Raises AccessMissing."""
    import boto3
    from botocore.exceptions import BotoCoreError

    try:
        return boto3.Session().get_credentials() is not None
    except BotoCoreError as error:
        raise AccessMissing(f"no AWS credentials: {error}") from error


def save_local(connection: Connection, stack_file: Path = STACK_FILE) -> None:
    """Say where the local stack listens, all at once: a reader never sees half a file."""
    stack_file.parent.mkdir(parents=True, exist_ok=True)
    half_written = stack_file.with_suffix(".tmp")
    half_written.write_text(json.dumps(connection.to_json(), indent=2) + "\n")
    half_written.replace(stack_file)


def load_local(stack_file: Path = STACK_FILE) -> Connection:
    """The stack that `compaction up` left running. Raises StackNotRunning, also when its file outlived it."""
    try:
        connection = Connection.from_json(json.loads(stack_file.read_text()))
    except FileNotFoundError:
        raise StackNotRunning(f"no local stack here, in {Path.cwd()}: {HOW_TO_GET_A_STACK}") from None
    except (ValueError, TypeError) as error:
        raise StackNotRunning(f"{stack_file} does not describe a stack ({error}): {HOW_TO_GET_A_STACK}") from error
    if connection.endpoint_url is None or not _answers(connection.endpoint_url):
        raise StackNotRunning(f"the local stack at {connection.endpoint_url} no longer answers: {HOW_TO_GET_A_STACK}")
    return connection


def load_aws(stack_name: str, region: str | None = None) -> Connection:
    """A deployed stack, from its CloudFormation outputs, with ordinary AWS credentials.

    Raises AccessMissing, StackNotFound or StackIncomplete. Other service errors are raised as boto3 raises them.
    """
    import boto3
    from botocore.exceptions import ClientError, NoCredentialsError, NoRegionError, ProfileNotFound

    try:
        client = boto3.Session().client("cloudformation", region_name=region)
        stack = client.describe_stacks(StackName=stack_name)["Stacks"][0]
    except NoRegionError as error:
        raise AccessMissing("which AWS region? pass --region, or set AWS_REGION") from error
    except (NoCredentialsError, ProfileNotFound) as error:
        raise AccessMissing(f"no AWS credentials to look for stack {stack_name} with: {error}") from error
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":
            raise
        raise StackNotFound(
            f"no stack {stack_name} in {client.meta.region_name}: check --stack and --region"
        ) from error
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
    missing = [key for key in OUTPUTS if key not in outputs]
    if missing:
        raise StackIncomplete(f"stack {stack_name} has no output {', '.join(missing)}: deploy it again")
    fields = {field: outputs[key] for key, field in OUTPUTS.items()}
    return Connection(
        region=client.meta.region_name,
        endpoint_url=None,
        efs_root=None,
        live_arn=outputs.get(LIVE_OUTPUT),
        probe_function=outputs.get(PROBE_OUTPUT),
        stack_name=stack_name,
        **fields,
    )


def _answers(endpoint_url: str) -> bool:
    """Whether anything speaks HTTP at this endpoint; what it says does not matter."""
    address = urlsplit(endpoint_url)
    server = http.client.HTTPConnection(address.hostname or "", address.port, timeout=_ANSWER_SECONDS)
    try:
        server.request("HEAD", "/")
        server.getresponse()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        server.close()
    return True
