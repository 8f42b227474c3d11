"""The Lambda functions: zip ones outside the VPC, container ones on EFS, one image for all of these."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from aws_cdk import ArnFormat, Duration, RemovalPolicy, Size, Stack
from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from .network import Network, SnapshotFileSystem
from .paths import DOCKER_IGNORE, DOCKERFILE, ROOT
from .steps import EFS_MOUNT, Step
from .trust import only_of

ARCHITECTURES = {"x86_64": lambda_.Architecture.X86_64, "arm64": lambda_.Architecture.ARM_64}
PLATFORMS = {"x86_64": ecr_assets.Platform.LINUX_AMD64, "arm64": ecr_assets.Platform.LINUX_ARM64}

CONTAINER_ENVIRONMENT = {
    "EFS_ROOT": EFS_MOUNT,
    "HOME": "/tmp",  # the only folder a function may write to
    "SQLITE_TMPDIR": "/tmp",
    "ANONYMIZED_TELEMETRY": "False",
}

JOIN_VPC = (
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
)
"""What Lambda does with a function's role to put it into a VPC; the interfaces do not exist before."""


class ZipMissing(FileNotFoundError):
    """The zip of the light functions is not there."""


class ZipFunctions(Construct):
    """`by_name`: the functions that need no Chroma, all from one zip."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        steps: Iterable[Step],
        zip_file: Path,
        environment: Mapping[str, Mapping[str, str]],
        log_retention: logs.RetentionDays,
    ) -> None:
        super().__init__(scope, id)
        if not zip_file.is_file():
            raise ZipMissing(f"{zip_file} is not there: run `make zip` first")
        code = lambda_.Code.from_asset(str(zip_file))
        self.by_name: dict[str, lambda_.Function] = {}
        for step in steps:
            log_group = _log_group(self, step, log_retention)
            self.by_name[step.name] = lambda_.Function(
                self,
                step.name,
                code=code,
                handler=step.handler,
                runtime=lambda_.Runtime.PYTHON_3_14,
                architecture=lambda_.Architecture.ARM_64,
                timeout=Duration.seconds(step.timeout_seconds),
                memory_size=step.memory,
                tracing=lambda_.Tracing.ACTIVE,
                environment=dict(environment[step.name]),
                log_group=log_group,
                role=_role(self, step, log_group),
            )


class ContainerFunctions(Construct):
    """`by_name`: the functions that work on snapshots. One image, a command for each step, EFS mounted.

    `image_tag` is another one with other code."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        steps: Iterable[Step],
        architecture: str,
        network: Network,
        snapshots: SnapshotFileSystem,
        environment: Mapping[str, Mapping[str, str]],
        log_retention: logs.RetentionDays,
    ) -> None:
        super().__init__(scope, id)
        # Hashed at synth, built by `cdk deploy`: synth needs no Docker.
        image = ecr_assets.DockerImageAsset(
            self,
            "Image",
            directory=str(ROOT),
            file=DOCKERFILE,
            exclude=docker_ignore(DOCKER_IGNORE.read_text()),
            platform=PLATFORMS[architecture],
        )
        self.image_tag = image.image_tag
        self.by_name: dict[str, lambda_.DockerImageFunction] = {}
        for step in steps:
            log_group = _log_group(self, step, log_retention)
            role = _role(self, step, log_group)
            role.add_to_policy(iam.PolicyStatement(sid="JoinVpc", actions=list(JOIN_VPC), resources=["*"]))
            role.add_to_policy(snapshots.mount_statement(write=step.writes_snapshots))
            function = lambda_.DockerImageFunction(
                self,
                step.name,
                code=lambda_.DockerImageCode.from_ecr(
                    image.repository, tag_or_digest=image.image_tag, cmd=[step.handler]
                ),
                architecture=ARCHITECTURES[architecture],
                timeout=Duration.seconds(step.timeout_seconds),
                memory_size=step.memory,
                ephemeral_storage_size=Size.mebibytes(step.disk),
                tracing=lambda_.Tracing.ACTIVE,
                environment={**environment[step.name], **CONTAINER_ENVIRONMENT},
                log_group=log_group,
                role=role,
                vpc=network.vpc,
                vpc_subnets=network.subnets,
                security_groups=[snapshots.clients],
            )
            _mount(function, snapshots)
            self.by_name[step.name] = function


def _mount(function: lambda_.Function, snapshots: SnapshotFileSystem) -> None:
    # Not `filesystem=`: that would allow ClientMount on every file system of the account.
    resource = function.node.default_child
    assert isinstance(resource, lambda_.CfnFunction)
    resource.file_system_configs = [
        lambda_.CfnFunction.FileSystemConfigProperty(
            arn=snapshots.access_point.access_point_arn, local_mount_path=EFS_MOUNT
        )
    ]
    function.node.add_dependency(snapshots.file_system.mount_targets_available)


def docker_ignore(text: str) -> list[str]:
    """The patterns of a .dockerignore file. CDK itself reads only the one in the context's root."""
    return [line for line in (raw.strip() for raw in text.splitlines()) if line and not line.startswith("#")]


def _log_group(scope: Construct, step: Step, retention: logs.RetentionDays) -> logs.LogGroup:
    return logs.LogGroup(scope, f"{step.name}Logs", retention=retention, removal_policy=RemovalPolicy.DESTROY)


def _role(scope: Construct, step: Step, log_group: logs.ILogGroup) -> iam.Role:
    """A role that may write to its own log group, and nothing else yet."""
    # A function's name begins with its stack's; its ARN itself cannot be said, since the function needs the role first.
    stack = Stack.of(scope)
    functions = stack.format_arn(
        service="lambda",
        resource="function",
        resource_name=f"{stack.stack_name}-*",
        arn_format=ArnFormat.COLON_RESOURCE_NAME,
    )
    trusted = iam.ServicePrincipal("lambda.amazonaws.com", conditions=only_of(scope, functions))
    role = iam.Role(scope, f"{step.name}Role", assumed_by=trusted)
    role.add_to_policy(
        iam.PolicyStatement(actions=["logs:CreateLogStream", "logs:PutLogEvents"], resources=[log_group.log_group_arn])
    )
    return role
