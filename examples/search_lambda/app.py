"""A CDK app of the search function, beside a pipeline that is deployed: it takes that one's outputs.

`npx aws-cdk@2 deploy --app "python app.py" -c outputs=FILE`, with FILE from `cdk deploy --outputs-file FILE`.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path

import aws_cdk
from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
MOUNT = "/mnt/chroma"


class SearchStack(aws_cdk.Stack):
    """`search`: a function on the pipeline's snapshots, which it can read and not write."""

    def __init__(self, scope: aws_cdk.App, outputs: Mapping[str, str], *, memory: int = 3008, disk: int = 2048) -> None:
        super().__init__(scope, "ReceiptSearch")
        role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            managed_policies=[
                iam.ManagedPolicy.from_aws_managed_policy_name("service-role/AWSLambdaVPCAccessExecutionRole")
            ],
        )
        role.add_to_policy(
            iam.PolicyStatement(
                actions=["elasticfilesystem:ClientMount"],  # without ClientWrite the mount is read-only
                resources=[
                    self.format_arn(
                        service="elasticfilesystem", resource="file-system", resource_name=outputs["FileSystemId"]
                    )
                ],
                conditions={"StringEquals": {"elasticfilesystem:AccessPointArn": outputs["AccessPointArn"]}},
            )
        )
        # The plain resource: it takes subnets and security groups by their ids, whatever VPC they are of.
        self.search = lambda_.CfnFunction(
            self,
            "Search",
            package_type="Image",
            code=lambda_.CfnFunction.CodeProperty(image_uri=self._image().image_uri),
            role=role.role_arn,
            memory_size=memory,
            timeout=60,
            ephemeral_storage=lambda_.CfnFunction.EphemeralStorageProperty(size=disk),
            environment=lambda_.CfnFunction.EnvironmentProperty(
                variables={"SNAPSHOTS": MOUNT, "HOME": "/tmp", "SQLITE_TMPDIR": "/tmp", "ANONYMIZED_TELEMETRY": "False"}
            ),
            vpc_config=lambda_.CfnFunction.VpcConfigProperty(
                subnet_ids=outputs["SubnetIds"].split(","), security_group_ids=[outputs["ClientSecurityGroupId"]]
            ),
            file_system_configs=[
                lambda_.CfnFunction.FileSystemConfigProperty(arn=outputs["AccessPointArn"], local_mount_path=MOUNT)
            ],
        )
        self.search.node.add_dependency(role)
        aws_cdk.CfnOutput(self, "FunctionName", value=self.search.ref)

    def _image(self) -> ecr_assets.DockerImageAsset:
        """From the same base as the pipeline's, pinned or not."""
        base = re.search(r"^ARG BASE=(\S+)$", (ROOT / "handlers/Dockerfile").read_text(), re.MULTILINE)
        assert base, "handlers/Dockerfile names no base"
        return ecr_assets.DockerImageAsset(
            self,
            "Image",
            directory=str(ROOT),
            file="examples/search_lambda/Dockerfile",
            exclude=(HERE / "Dockerfile.dockerignore").read_text().split(),
            build_args={"BASE": base[1]},
            platform=ecr_assets.Platform.LINUX_AMD64,
        )


def main() -> None:
    """Synthesise; `-c outputs=FILE` is needed."""
    app = aws_cdk.App(outdir=os.environ.get("CDK_OUTDIR"))
    file = app.node.try_get_context("outputs")
    if not file:
        raise SystemExit("pass -c outputs=FILE, which `cdk deploy --outputs-file FILE` wrote for the pipeline's stack")
    (outputs,) = json.loads(Path(file).read_text()).values()
    SearchStack(app, outputs)
    app.synth()


if __name__ == "__main__":
    main()
