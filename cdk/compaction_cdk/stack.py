"""The whole pipeline in one stack: the constructs, and the grants where they meet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aws_cdk import CfnOutput, Duration, Stack, Tags
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from .alarms import CompactionAlarms
from .dashboard import CompactionDashboard
from .definition import collections_taken, functions_asked_for
from .environment import environments
from .functions import ContainerFunctions, ZipFunctions
from .grants import GRANTS, Target, statements
from .network import Network, SnapshotFileSystem
from .paths import DEFINITION, STREAM_ZIP
from .queries import LogQueries
from .readers import SnapshotReaders
from .schedule import CompactionSchedule
from .settings import Deployment
from .status_events import StatusEvents
from .steps import PROBE, container_steps, zip_steps
from .storage import Storage
from .stream import StreamMapping
from .workflow import CompactionWorkflow

RETENTION = {30: logs.RetentionDays.ONE_MONTH, 90: logs.RetentionDays.THREE_MONTHS}


class CompactionStack(Stack):
    """One deployment of the pipeline. `definition` and `zip_file` are what is deployed."""

    def __init__(
        self,
        scope: Construct,
        *,
        deployment: Deployment,
        definition: Path = DEFINITION,
        zip_file: Path = STREAM_ZIP,
        **stack: Any,
    ) -> None:
        name = deployment.stack_name
        super().__init__(scope, name, description="Snapshot compaction for embedded ChromaDB", **stack)
        self.deployment, stage = deployment, deployment.stage
        retention = RETENTION[stage.log_days]
        self.storage = Storage(
            self,
            "Storage",
            receipts_table=deployment.receipts_table,
            receipts_stream_arn=deployment.receipts_stream_arn,
            bucket=deployment.bucket,
            plan_days=stage.plan_days,
            delete_data=deployment.delete_data,
        )
        self.readers = SnapshotReaders(self, "Readers", bucket=self.storage.bucket)
        network = Network(self, "Network", availability_zones=stage.availability_zones, flow_log_retention=retention)
        self.snapshots = SnapshotFileSystem(self, "Snapshots", network=network, delete_data=deployment.delete_data)
        self.failure_queue = sqs.Queue(
            self,
            "FailureQueue",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=Duration.days(14),
        )
        self.messages = self._messages_queue() if deployment.messages else None
        self.topic = sns.Topic(self, "Alerts", enforce_ssl=True)
        # Its policy replaces the one that lets everything of the account publish.
        self.topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="Alarms",
                actions=["sns:Publish"],
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                resources=[self.topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": self.account}},
            )
        )
        if deployment.alarm_email:
            self.topic.add_subscription(subscriptions.EmailSubscription(deployment.alarm_email))
        machine = f"{name}-compaction"
        light, heavy = zip_steps(), (*container_steps(stage), *((PROBE,) if deployment.probe else ()))
        environment = environments(
            service=name,
            stage=stage,
            receipts_table=self.storage.receipts_name,
            control_table=self.storage.control.table_name,
            bucket=self.storage.bucket.bucket_name,
            state_machine_arn=CompactionWorkflow.live_arn_of(self, machine),
            failure_queue_url=self.failure_queue.queue_url,
            messages_queue_url=self.messages.queue_url if self.messages else None,
            alerts_topic_arn=self.topic.topic_arn,
            functions=tuple(step.name for step in (*light, *heavy)),
            delta_buckets=self.deployment.delta_buckets,
            probe=deployment.probe,
        )
        zips = ZipFunctions(
            self, "Light", steps=light, zip_file=zip_file, environment=environment, log_retention=retention
        )
        containers = ContainerFunctions(
            self,
            "Heavy",
            steps=heavy,
            architecture=stage.container_architecture,
            network=network,
            snapshots=self.snapshots,
            environment=environment,
            log_retention=retention,
        )
        self.light, self.heavy = zips.by_name, containers.by_name
        self.functions: dict[str, lambda_.Function] = {**self.light, **self.heavy}
        for function in ("PlanCompaction", "SettleChanges"):  # who ask whether the code is still what failed
            self.functions[function].add_environment("DEPLOYMENT", containers.image_tag)
        self._grant(machine)
        text = definition.read_text()
        self.collections = collections_taken(text)
        self.workflow = CompactionWorkflow(
            self,
            "Workflow",
            name=machine,
            definition=text,
            functions={n: self.functions[n] for n in sorted(functions_asked_for(text)) if n in self.functions},
            control_table=self.storage.control,
            default_shards=stage.shards,
            log_retention=retention,
        )
        self._events(network)

    def _events(self, network: Network) -> None:
        stage, machine = self.deployment.stage, self.workflow.state_machine
        stream = StreamMapping(
            self,
            "Stream",
            stream_arn=self.storage.stream_arn,
            function=self.functions["StreamHandler"],
            failure_queue=self.failure_queue,
            batch_size=stage.batch_size,
            batch_window_seconds=stage.batch_window_seconds,
            record_age_hours=stage.record_age_hours,
        )
        stream.node.add_dependency(self.workflow.live)  # whom it wakes
        schedule = CompactionSchedule(
            self,
            "Schedule",
            state_machine=machine,
            live=self.workflow.live,
            collections=self.collections,
            every=Duration.minutes(stage.schedule_minutes),
            scrub_every=Duration.days(stage.scrub_days),
        )
        self.status_events = StatusEvents(
            self, "Status", state_machine=machine, recorder=self.functions["RecordExecution"]
        )
        merge = self.functions["MergeDeltas"]
        alarms = CompactionAlarms(
            self,
            "Alarms",
            service=self.stack_name,
            collections=self.collections,
            stale_after_minutes=stage.stale_after_minutes,
            light=self.light,
            heavy={name: function for name, function in self.heavy.items() if name != PROBE.name},  # which is killed
            merge_timeout=merge.timeout or Duration.minutes(15),
            state_machine=machine,
            failure_queue=self.failure_queue,
            file_system=self.snapshots.file_system,
            efs_dollars_a_month=stage.efs_dollars_a_month,
            status_events=self.status_events,
            schedule_group=schedule.group,
            topic=self.topic,
        )
        LogQueries(
            self,
            "Queries",
            folder=self.stack_name,
            log_groups=[function.log_group for _, function in sorted(self.functions.items())],
        )
        CompactionDashboard(
            self, "Dashboard", name=self.stack_name, alarms=alarms, collections=self.collections, merge=merge
        )
        Tags.of(self).add("project", "receipt-compaction")
        Tags.of(self).add("stage", stage.name)
        for key, value in {
            "StateMachineArn": machine.state_machine_arn,
            "LiveArn": self.workflow.live.ref,
            "ReceiptsTable": self.storage.receipts_name,
            "ControlTable": self.storage.control.table_name,
            "Bucket": self.storage.bucket.bucket_name,
            "ReadersPolicyArn": self.readers.policy.managed_policy_arn,
            "FailureQueueUrl": self.failure_queue.queue_url,
            "AlertsTopicArn": self.topic.topic_arn,
            "FileSystemId": self.snapshots.file_system.file_system_id,
            "AccessPointArn": self.snapshots.access_point.access_point_arn,
            "ClientSecurityGroupId": self.snapshots.clients.security_group_id,
            "VpcId": network.vpc.vpc_id,
            "SubnetIds": ",".join(subnet.subnet_id for subnet in network.vpc.isolated_subnets),
        }.items():
            CfnOutput(self, key, value=value)
        if self.deployment.probe:
            CfnOutput(self, "ProbeFunction", value=self.functions[PROBE.name].function_name)

    def _messages_queue(self) -> sqs.Queue:
        queue = sqs.Queue(
            self,
            "Messages",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=Duration.days(4),
        )
        CfnOutput(self, "MessagesQueueUrl", value=queue.queue_url)
        return queue

    def _grant(self, machine: str) -> None:
        bucket = self.storage.bucket.bucket_arn
        arns: dict[Target, str] = {
            "control": self.storage.control.table_arn,
            "receipts": self.storage.receipts.table_arn,
            "stream": self.storage.stream_arn,
            "bucket": bucket,
            "objects": bucket,
            "failures": self.failure_queue.queue_arn,
            "machine": CompactionWorkflow.arn_of(self, machine),
            "executions": CompactionWorkflow.executions_of(self, machine),
            "alerts": self.topic.topic_arn,
        }
        for name, function in self.functions.items():
            for statement in statements(GRANTS[name], arns):
                function.add_to_role_policy(statement)
        if self.messages:
            send = iam.PolicyStatement(actions=["sqs:SendMessage"], resources=[self.messages.queue_arn])
            self.functions["StreamHandler"].add_to_role_policy(send)
        for other in self.deployment.delta_buckets:
            arn = f"arn:{self.partition}:s3:::{other}"
            merge = self.functions["MergeDeltas"]
            merge.add_to_role_policy(iam.PolicyStatement(actions=["s3:GetObject"], resources=[f"{arn}/*"]))
            merge.add_to_role_policy(iam.PolicyStatement(actions=["s3:ListBucket"], resources=[arn]))
