"""Where snapshots are opened: a VPC without a way out, and the file system in it."""

from __future__ import annotations

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_efs as efs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from .trust import only_of

USER = "4000"  # of its own: no other mount of the account writes as this user


class Network(Construct):
    """`vpc` with isolated subnets and gateway endpoints for S3 and DynamoDB, which cost nothing; no NAT."""

    def __init__(
        self, scope: Construct, id: str, *, availability_zones: int, flow_log_retention: logs.RetentionDays
    ) -> None:
        super().__init__(scope, id)
        self.subnets = ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)
        self.vpc = ec2.Vpc(
            self,
            "Vpc",
            max_azs=availability_zones,
            nat_gateways=0,
            restrict_default_security_group=False,  # it would bring a function and a role, and nothing uses that group
            subnet_configuration=[
                ec2.SubnetConfiguration(name="isolated", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED, cidr_mask=24)
            ],
        )
        for name, service in (
            ("S3", ec2.GatewayVpcEndpointAwsService.S3),
            ("DynamoDB", ec2.GatewayVpcEndpointAwsService.DYNAMODB),
        ):
            self.vpc.add_gateway_endpoint(name, service=service, subnets=[self.subnets])
        log_group = logs.LogGroup(self, "FlowLogs", retention=flow_log_retention, removal_policy=RemovalPolicy.DESTROY)
        stack = Stack.of(self)
        flow_logs = stack.format_arn(service="ec2", resource="vpc-flow-log", resource_name="*")
        trusted = iam.ServicePrincipal("vpc-flow-logs.amazonaws.com", conditions=only_of(self, flow_logs))
        role = iam.Role(self, "FlowLogsRole", assumed_by=trusted)
        self.vpc.add_flow_log(
            "Rejected",
            destination=ec2.FlowLogDestination.to_cloud_watch_logs(log_group, role),
            traffic_type=ec2.FlowLogTrafficType.REJECT,
        )


class SnapshotFileSystem(Construct):
    """`file_system`, its `access_point`, and `clients`, the security group that may mount it.

    ELASTIC throughput (CDK's default is bursting) and no infrequent access: a snapshot is read whole when it is opened.
    No backups: S3 holds the durable copy, and DownloadSnapshot brings it back.
    """

    def __init__(self, scope: Construct, id: str, *, network: Network, delete_data: bool) -> None:
        super().__init__(scope, id)
        self.clients = ec2.SecurityGroup(
            self,
            "Clients",
            vpc=network.vpc,
            allow_all_outbound=False,
            description="Functions that mount the snapshots",
        )
        servers = ec2.SecurityGroup(
            self, "Servers", vpc=network.vpc, allow_all_outbound=False, description="Mount targets of the snapshots"
        )
        nfs = ec2.Port.tcp(2049)
        servers.add_ingress_rule(self.clients, nfs, "NFS from the functions")
        self.clients.add_egress_rule(servers, nfs, "NFS to the mount targets")
        # The subnets' only routes are the two gateway endpoints, whose address lists differ by region.
        self.clients.add_egress_rule(ec2.Peer.any_ipv4(), ec2.Port.tcp(443), "S3 and DynamoDB through the endpoints")
        self.file_system = efs.FileSystem(
            self,
            "FileSystem",
            vpc=network.vpc,
            vpc_subnets=network.subnets,
            security_group=servers,
            encrypted=True,
            performance_mode=efs.PerformanceMode.GENERAL_PURPOSE,
            throughput_mode=efs.ThroughputMode.ELASTIC,
            enable_automatic_backups=False,
            file_system_policy=_only_by_identity_and_encrypted(),
            removal_policy=RemovalPolicy.DESTROY if delete_data else RemovalPolicy.RETAIN,
        )
        self.access_point = self.file_system.add_access_point(
            "AccessPoint",
            path="/snapshots",
            create_acl=efs.Acl(owner_uid=USER, owner_gid=USER, permissions="750"),
            posix_user=efs.PosixUser(uid=USER, gid=USER),
        )

    def mount_statement(self, *, write: bool = True) -> iam.PolicyStatement:
        """What a client's role needs. Readers take `write=False`."""
        return iam.PolicyStatement(
            actions=["elasticfilesystem:ClientMount", *(["elasticfilesystem:ClientWrite"] if write else [])],
            resources=[self.file_system.file_system_arn],
            conditions={"StringEquals": {"elasticfilesystem:AccessPointArn": self.access_point.access_point_arn}},
        )


def _only_by_identity_and_encrypted() -> iam.PolicyDocument:
    """A policy that allows nothing: without one EFS lets everybody mount who reaches a mount target, and CDK's own
    lets every client that mounts also write, which would make readers writers."""
    return iam.PolicyDocument(
        statements=[
            iam.PolicyStatement(
                sid="OnlyEncrypted",
                effect=iam.Effect.DENY,
                principals=[iam.AnyPrincipal()],
                actions=["*"],
                conditions={"Bool": {"aws:SecureTransport": "false"}},
            )
        ]
    )
