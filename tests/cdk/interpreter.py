"""The synthesised template on moto: its resources made by moto's CloudFormation, its state machine run by moto's
interpreter, its functions as processes of AWS's runtime client on the files that would be deployed.

The parts are those of the local stack (`local/`), but every name, handler, timeout, environment, filter and the state
machine come from the template.
"""

from __future__ import annotations

import json
import shutil
import uuid
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3

from local.application import Application, Function
from local.aws.cloud import Cloud, join_interpreter
from local.aws.moto_executions import tell_nobody
from local.lambdas.invoke_server import invoke_server
from local.lambdas.workers import WorkerPool
from local.mapping.poller import Mapping as StreamMapping
from local.mapping.poller import Poller
from local.names import ACCOUNT, REGION, function_arn, function_name

from .emulator import image_tree
from .recorded import Call, recorded
from .template import Template

RECORDER = Path(__file__).parent / "recorder.py"
NAME = "receipt-compaction-dev"
ASSETS = f"cdk-hnb659fds-assets-{ACCOUNT}-{REGION}"
MADE = {
    "AWS::DynamoDB::Table",
    "AWS::IAM::Role",
    "AWS::Lambda::Function",
    "AWS::Logs::LogGroup",
    "AWS::S3::Bucket",
    "AWS::SNS::Topic",
    "AWS::SQS::Queue",
}
"""What moto's CloudFormation makes, as the template says."""
REWRITTEN = {
    "the state machine": "made from the template's DefinitionString by CreateStateMachine:"
    " moto's CloudFormation knows no DefinitionSubstitutions, whose values it does resolve",
    "who starts the machine by its alias": "starts the machine itself: moto has aliases, and starts none",
    "versions of functions": "the functions themselves: moto answers a version's Ref with its logical id",
    "image functions": "no Docker: registered with the zip's code, run on the image's own files",
    "the event source mapping": "moto's filters and batches nothing: local/poller.py polls by the template's settings",
    "the file system's mount, and /tmp": "EFS_ROOT, WORK_ROOT and what points to /tmp are folders",
}
"""What is changed, and why."""
NOT_MADE = {
    "VPC, EFS, policies, the roles of others than functions": "moto enforces none of them",
    "alarms, dashboard, rules, schedules": "moto evaluates none of them, and knows no clock",
}
"""What is left out; the emulator of `emulator.py` makes these, and enforces the policies."""


def zip_code(resources: Mapping[str, Any]) -> dict[str, Any]:
    """Where the template says that the zip of the light functions is."""
    codes = [r["Properties"]["Code"] for r in resources.values() if r["Type"] == "AWS::Lambda::Function"]
    return next(code for code in codes if "S3Key" in code)


def rewrite(template: Mapping[str, Any], substitutions: Mapping[str, Any]) -> dict[str, Any]:
    """The part of the template that moto makes; each value of the state machine is an output of its name."""
    resources = {n: r for n, r in template["Resources"].items() if r["Type"] in MADE and not _is_role_of_others(r)}
    changed: dict[str, Any] = json.loads(json.dumps({"Resources": resources}))
    code = zip_code(resources)
    for resource in changed["Resources"].values():
        resource.pop("DependsOn", None)
        function = resource["Properties"]
        if function.pop("PackageType", None) == "Image":
            function |= {"Handler": function.pop("ImageConfig")["Command"][0], "Code": code, "Runtime": "python3.13"}
            del function["FileSystemConfigs"], function["VpcConfig"]
    wanted = ("ReceiptsTable", "ControlTable", "Bucket", "FailureQueueUrl")
    changed["Outputs"] = {name: template["Outputs"][name] for name in wanted}
    versions = {n: r["Properties"] for n, r in template["Resources"].items() if r["Type"] == "AWS::Lambda::Version"}
    for name, value in substitutions.items():
        version = versions.get(value["Ref"]) if isinstance(value, dict) else None
        function = {"Fn::GetAtt": [version["FunctionName"]["Ref"], "Arn"]} if version else value
        changed["Outputs"][f"Sub{name}"] = {"Value": function}
    return changed


def _is_role_of_others(resource: Mapping[str, Any]) -> bool:
    return resource["Type"] == "AWS::IAM::Role" and "lambda.amazonaws.com" not in json.dumps(resource["Properties"])


@dataclass
class Interpreted:
    """A template that runs. `environments` are the functions' own, by the name that `Template.functions` has.

    `physical` maps logical ids to names.
    """

    template: Template
    folder: Path
    outputs: dict[str, str] = field(default_factory=dict)
    environments: dict[str, Mapping[str, str]] = field(default_factory=dict)
    physical: dict[str, str] = field(default_factory=dict)
    machine_arn: str = ""
    more: Mapping[str, str] = field(default_factory=dict)
    _cloud: Cloud = field(default_factory=Cloud)
    _pools: dict[str, WorkerPool] = field(default_factory=dict)

    @property
    def efs_root(self) -> Path:
        return self.folder / "efs"

    def client(self, service: str) -> Any:
        return self._cloud.client(service)

    def executions(self, status: str) -> list[dict[str, Any]]:
        """The executions of a status, described."""
        sfn = self.client("stepfunctions")
        listed = sfn.list_executions(stateMachineArn=self.machine_arn)["executions"]
        return [sfn.describe_execution(executionArn=e["executionArn"]) for e in listed if e["status"] == status]

    def calls(self) -> dict[str, set[Call]]:
        """What each function called so far, by the name that `Template.functions` has."""
        found: dict[str, set[Call]] = {name: set() for name in self.environments}
        names = {
            pool.function.name: Template.name_of({"Handler": pool.function.handler}) for pool in self._pools.values()
        }
        for function, call in recorded(self.folder / "calls"):
            found[names[function]].add(call)
        return found

    def invoke(self, function: str, event: Mapping[str, Any]) -> Any:
        """Run a function by itself, for what moto has no events."""
        (pool,) = (p for p in self._pools.values() if Template.name_of({"Handler": p.function.handler}) == function)
        return json.loads(pool.invoke(json.dumps(event).encode()).payload)

    def start(self, collection: str, **more: Any) -> str:
        """Start an execution; its ARN."""
        asked = json.dumps({"collection": collection, **more})
        sfn, name = self.client("stepfunctions"), f"{collection}-{uuid.uuid4().hex}"
        return str(sfn.start_execution(stateMachineArn=self.machine_arn, name=name, input=asked)["executionArn"])

    def ended(self, arn: str) -> dict[str, Any] | None:
        """An execution's description once it has ended; None before."""
        told: dict[str, Any] = self.client("stepfunctions").describe_execution(executionArn=arn)
        return None if told["status"] == "RUNNING" else told

    def _start(self, zip_file: Path, ending: ExitStack) -> None:
        # The same order as local/stack.py: what invokes ends before what is invoked.
        server = invoke_server(lambda function, event: self._pools[function_name(function)].invoke(event))
        ending.callback(server.stop)
        self._cloud.start(lambda_endpoint_url=f"http://{server.address}", tell=tell_nobody)
        ending.callback(self._cloud.stop)
        server.start()
        machine = self.template.one("StepFunctions::StateMachine")
        self._create_stack(zip_file, machine["DefinitionSubstitutions"])
        self._create_functions(zip_file)
        definition = machine["DefinitionString"]
        for name in machine["DefinitionSubstitutions"]:
            definition = definition.replace(f"${{{name}}}", self.outputs[f"Sub{name}"])
        self.machine_arn = self.client("stepfunctions").create_state_machine(
            name=machine["StateMachineName"],
            definition=definition,
            roleArn=f"arn:aws:iam::{ACCOUNT}:role/any",
            loggingConfiguration={"level": "OFF"},  # moto would write each event to a mocked log group
        )["stateMachineArn"]
        ending.callback(join_interpreter, 10.0)
        for pool in self._pools.values():
            ending.callback(pool.stop)
        poller = self._poller()
        ending.callback(poller.stop)
        poller.start()

    def _create_stack(self, zip_file: Path, substitutions: Mapping[str, Any]) -> None:
        s3, cloudformation = self.client("s3"), self.client("cloudformation")
        body = rewrite(self.template.body, substitutions)
        s3.create_bucket(Bucket=ASSETS)
        s3.put_object(Bucket=ASSETS, Key=zip_code(body["Resources"])["S3Key"], Body=zip_file.read_bytes())
        s3.put_object(Bucket=ASSETS, Key="template.json", Body=json.dumps(body).encode())
        url = f"https://{ASSETS}.s3.amazonaws.com/template.json"
        cloudformation.create_stack(StackName=NAME, TemplateURL=url)
        (stack,) = cloudformation.describe_stacks(StackName=NAME)["Stacks"]
        assert stack["StackStatus"] == "CREATE_COMPLETE", stack
        self.outputs |= {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        for made in cloudformation.describe_stack_resources(StackName=NAME)["StackResources"]:
            self.physical[made["LogicalResourceId"]] = made["PhysicalResourceId"].rpartition("/")[2]

    def _create_functions(self, zip_file: Path) -> None:
        """A pool of workers for each function that moto was told of, on the zip's files or on the image's."""
        with zipfile.ZipFile(zip_file) as archive:
            archive.extractall(self.folder / "zip")
        roots = {"Zip": self.folder / "zip", "Image": image_tree(self.folder / "image")}
        for root in roots.values():
            shutil.copy(RECORDER, root / "sitecustomize.py")
        work = self.folder / "tmp"
        for made in (self.efs_root, work, self.folder / "logs", self.folder / "calls"):
            made.mkdir()
        ours = {"AWS_ENDPOINT_URL": self._cloud.endpoint_url, "EFS_ROOT": str(self.efs_root), "WORK_ROOT": str(work)}
        ours["RECORDED_CALLS"] = str(self.folder / "calls")
        alias = self.template.one("StepFunctions::StateMachineAlias")["Name"]
        api = boto3.client("lambda", region_name=REGION, endpoint_url=self._cloud.endpoint_url)
        for made_function in api.list_functions()["Functions"]:
            name = Template.name_of(made_function)
            kind = self.template.functions()[name].get("PackageType", "Zip")
            variables = made_function["Environment"]["Variables"]
            changed = {key: str(work) for key, value in variables.items() if value == "/tmp"}
            if "STATE_MACHINE_ARN" in variables:
                changed["STATE_MACHINE_ARN"] = variables["STATE_MACHINE_ARN"].removesuffix(f":{alias}")
            self.environments[name] = {**variables, **changed, **ours, **self.more}
            function = Function(
                name=made_function["FunctionName"],
                handler=made_function["Handler"],
                timeout_seconds=made_function["Timeout"],
            )
            application = Application(root=roots[kind], definition=roots[kind], steps=(), stream_handler=function)
            self._pools[function.name] = WorkerPool(
                application, function, self.environments[name], self.folder / "logs", init_timeout_seconds=60.0
            )

    def _poller(self) -> Poller:
        told = self.template.one("Lambda::EventSourceMapping")
        table = self.client("dynamodb").describe_table(TableName=self.outputs["ReceiptsTable"])["Table"]
        handler = next(pool for pool in self._pools.values() if pool.function.handler.endswith(".stream_handler"))
        sqs = self.client("sqs")
        mapping = StreamMapping(
            stream_arn=table["LatestStreamArn"],
            function_arn=function_arn(handler.function.name),
            filters=[json.loads(one["Pattern"]) for one in told["FilterCriteria"]["Filters"]],
            batch_size=told["BatchSize"],
            window_seconds=told["MaximumBatchingWindowInSeconds"],
            poll_seconds=0.25,
            retry_attempts=told["MaximumRetryAttempts"],
            backoff_seconds=0.5,
            bisect=told["BisectBatchOnFunctionError"],
        )
        return Poller(
            mapping,
            streams=self.client("dynamodbstreams"),
            invoke=handler.invoke,
            discard=lambda text: sqs.send_message(QueueUrl=self.outputs["FailureQueueUrl"], MessageBody=text),
        )


@contextmanager
def running(
    template: Template, zip_file: Path, folder: Path, environment: Mapping[str, str] | None = None
) -> Iterator[Interpreted]:
    """The template on moto until the block ends; `environment` is told to every function besides. One per process, as
    moto is."""
    with ExitStack() as ending:
        interpreted = Interpreted(template, folder, more=environment or {})
        interpreted._start(zip_file, ending)
        yield interpreted
