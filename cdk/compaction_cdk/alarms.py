"""The alarms. Each says in its description what to do; docs/runbook.md has a section under each one's name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_efs as efs
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as stepfunctions
from constructs import Construct

from .environment import NAMESPACE
from .file_system_alarms import of_file_system
from .status_events import StatusEvents

FIVE_MINUTES = Duration.minutes(5)
MISSING_IS_FINE = cloudwatch.TreatMissingData.NOT_BREACHING
MISSING_IS_BAD = cloudwatch.TreatMissingData.BREACHING


class CompactionAlarms(Construct):
    """`by_name`: the alarms, each told to `topic` when it starts and when it ends.

    `service` is the deployment's name in the functions' metrics; `stale_after_minutes` is how old a change may become.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        service: str,
        collections: Sequence[str],
        stale_after_minutes: int,
        light: Mapping[str, lambda_.IFunction],
        heavy: Mapping[str, lambda_.IFunction],
        merge_timeout: Duration,
        state_machine: stepfunctions.IStateMachine,
        failure_queue: sqs.IQueue,
        file_system: efs.IFileSystem,
        efs_dollars_a_month: int,
        status_events: StatusEvents,
        schedule_group: scheduler.IScheduleGroup,
        topic: sns.ITopic,
    ) -> None:
        super().__init__(scope, id)
        self._service, self._topic = service, topic
        self.by_name: dict[str, cloudwatch.Alarm] = {}
        for collection in collections:
            self._freshness(collection, stale_after_minutes)
            self._alarm(
                f"ExecutionsFailed-{collection}",
                self.own("ExecutionsFailed", "Sum", collection),
                above=0,
                what=f"An execution of {collection} failed (not Fenced). Read its error with `compaction history`."
                " The next execution takes over by itself; act when this repeats.",
            )
            self._alarm(
                f"QuarantinedRuns-{collection}",
                self.own("QuarantinedRuns", "Sum", collection),
                above=0,
                what=f"A run of {collection} was set aside, the rest goes on. See why with `compaction status`,"
                " and let the producer announce a good delta with a new run.",
            )
            self._alarm(
                f"ShardsOverdue-{collection}",
                self.own("ShardsOverdue", "Maximum", collection),
                above=0,
                what=f"A shard of {collection} has four times as much in its segments as the bound allows: its folds"
                " keep failing. Publications go on, queries get slower. Read the errors with `compaction history`.",
            )
            self._alarm(
                f"ScrubFailures-{collection}",
                self.own("ScrubFailures", "Sum", collection),
                above=0,
                what=f"The current version of {collection} could not be proved again: a file on EFS or S3 is not what"
                " its manifest says. Read which one with `compaction history`.",
            )
            self._alarm(
                f"ExpiryFailures-{collection}",
                self.own("ExpiryFailures", "Sum", collection),
                above=0,
                what=f"Expiry of {collection} failed, or something could not be deleted; all else was. Files that"
                " nobody needs stay and cost. Read which with `compaction expire`, and why.",
            )
            self._alarm(
                f"Restored-{collection}",
                self.own("Restored", "Sum", collection),
                above=0,
                what=f"Readers of {collection} did not see what was committed, and it was brought back: files on EFS"
                " were lost or changed by something else, or the control table went back. See `compaction status`.",
            )
        self._alarm(
            "ExecutionStartFailures",
            self.own("ExecutionStartFailures", "Sum"),
            above=0,
            periods=3,
            what="The stream function may not or cannot start executions. Changes are safe and wait for the schedule."
            " Look at the function's log.",
        )
        self._alarm(
            "PublishFailures",
            self.own("PublishFailures", "Sum"),
            above=0,
            periods=3,
            what="Messages for other services were not published; compaction goes on without them."
            " Look at the stream function's log.",
        )
        self._alarm(
            "InvariantViolated",
            self.own("invariant_violated", "Sum"),
            above=0,
            what="A step found that a law does not hold which always has to; it refused to go on, or it found what is"
            " published to be wrong. Read which law, and of what, with the saved query *Errors by name*.",
        )
        self._alarm(
            "NothingStarts",
            state_machine.metric_started(period=FIVE_MINUTES, statistic="Sum"),
            below=1,
            periods=4,
            missing=MISSING_IS_BAD,
            what="No execution started for 20 minutes, not even the schedule's. Look at the schedules and their role.",
        )
        self._of_functions(light["StreamHandler"], heavy["MergeDeltas"], merge_timeout)
        folds = {name: function for name, function in heavy.items() if "Fold" in name}
        others = {name: function for name, function in heavy.items() if name not in folds}
        for kind, functions in (("Light", light), ("Heavy", others), ("Folds", folds)):  # a formula takes ten at most
            self._throttles(kind, functions)
        self._alarm(
            "FailureQueue",
            failure_queue.metric_approximate_number_of_messages_visible(period=FIVE_MINUTES, statistic="Maximum"),
            above=0,
            what="Stream records were set aside. Read the queue: a record that cannot be parsed is there as it came;"
            " a failed batch is there as a range of sequence numbers. Then `compaction reconcile`.",
        )
        self._of_what_tells(status_events, light["RecordExecution"], schedule_group)
        for name, metric, rules in of_file_system(file_system, efs_dollars_a_month):
            self._alarm(name, metric, **rules)

    def own(self, name: str, statistic: str, collection: str | None = None) -> cloudwatch.Metric:
        """A metric that a handler emits."""
        dimensions = {"service": self._service} | ({"collection": collection} if collection else {})
        return cloudwatch.Metric(
            namespace=NAMESPACE, metric_name=name, dimensions_map=dimensions, statistic=statistic, period=FIVE_MINUTES
        )

    def by_invariant(self, name: str) -> cloudwatch.MathExpression:
        """A metric that steps send for each invariant: a line for each of those that were checked at all."""
        wanted = f'{{{NAMESPACE},invariant,service}} MetricName="{name}" service="{self._service}"'
        return cloudwatch.MathExpression(
            expression=f"SEARCH('{wanted}', 'Sum', {FIVE_MINUTES.to_seconds()})",
            using_metrics={},
            label="",
            period=FIVE_MINUTES,
        )

    def _freshness(self, collection: str, minutes: int) -> None:
        # Measured by every plan. Two alarms: missing data that breaches would let one late plan ring the first one.
        age = self.own("OldestPendingAge", "Maximum", collection)
        self._alarm(
            f"OldestPendingAge-{collection}",
            age,
            above=minutes * 60,
            what=f"A change of {collection} has waited for more than {minutes} minutes. Start with"
            " `compaction status`, then `compaction history`.",
        )
        self._alarm(
            f"NothingPlanned-{collection}",
            age,
            below=0,  # no age is; only missing data breaches
            periods=max(2, minutes // 5),
            missing=MISSING_IS_BAD,
            what=f"No plan of {collection} was made for {minutes} minutes: it is paused, or no execution comes so far."
            " Start with `compaction status`, then `compaction history`.",
        )

    def _of_what_tells(
        self, status_events: StatusEvents, recorder: lambda_.IFunction, group: scheduler.IScheduleGroup
    ) -> None:
        """Who tells people of failures must not fail in silence."""
        self._alarm(
            "RuleFailures",
            cloudwatch.Metric(
                namespace="AWS/Events",
                metric_name="FailedInvocations",
                dimensions_map={"RuleName": status_events.rule.rule_name},
                statistic="Sum",
                period=FIVE_MINUTES,
            ),
            above=0,
            what="EventBridge could not hand status events to RecordExecution: failures are not mailed, rows of history"
            " are missing. Look at the function's permission and at the queue of lost events.",
        )
        self._alarm(
            "RecorderErrors",
            recorder.metric_errors(period=FIVE_MINUTES, statistic="Sum"),
            above=0,
            periods=2,
            what="RecordExecution keeps failing: failures are not mailed, rows of history are missing. Its log names"
            " the error.",
        )
        self._alarm(
            "StatusEventsLost",
            status_events.lost.metric_approximate_number_of_messages_visible(period=FIVE_MINUTES, statistic="Maximum"),
            above=0,
            what="Status events were given up after every try: those executions have no row of history or an unfinished"
            " one, and nobody was mailed. Read the queue.",
        )
        named = {"attempted": "TargetErrorCount", "dropped": "InvocationDroppedCount"}
        failed = {
            name: cloudwatch.Metric(
                namespace="AWS/Scheduler",
                metric_name=metric,
                dimensions_map={"ScheduleGroup": group.schedule_group_name},
                statistic="Sum",
                period=FIVE_MINUTES,
            )
            for name, metric in named.items()
        }
        self._alarm(
            "ScheduleFailures",
            cloudwatch.MathExpression(
                expression="SUM(METRICS())", using_metrics=failed, period=FIVE_MINUTES, label="starts that failed"
            ),
            above=0,
            periods=2,
            what="The schedule could not start executions: a right of its role, a quota, a state machine that is gone."
            " Changes still start their own; what is lost or paused waits.",
        )

    def _of_functions(self, stream: lambda_.IFunction, merge: lambda_.IFunction, merge_timeout: Duration) -> None:
        self._alarm(
            "StreamAge",
            stream.metric("IteratorAge", statistic="Maximum", period=FIVE_MINUTES),
            above=Duration.minutes(15).to_milliseconds(),
            periods=2,
            what="The stream function is 15 minutes behind the table. Look at its errors and throttles; after a day"
            " records are lost, and `compaction reconcile` is the answer.",
        )
        self._alarm(
            "StreamErrors",
            stream.metric_errors(period=FIVE_MINUTES, statistic="Sum"),
            above=0,
            periods=3,
            what="The stream function keeps failing as a whole: a fault of the deployment, not of the data."
            " Look at its log; records are kept and tried again.",
        )
        self._alarm(
            "MergeTime",
            merge.metric_duration(period=FIVE_MINUTES, statistic="Maximum"),
            above=0.8 * merge_timeout.to_milliseconds(),
            what="A merge took more than 80 % of its timeout. Give MergeDeltas more memory (which is also more CPU),"
            " plan fewer receipts a round, or build the collection anew with more shards.",
        )

    def _throttles(self, kind: str, functions: Mapping[str, lambda_.IFunction]) -> None:
        throttles = {
            f"m{i}": function.metric_throttles(period=FIVE_MINUTES, statistic="Sum")
            for i, (_name, function) in enumerate(sorted(functions.items()))
        }
        total = cloudwatch.MathExpression(
            expression="SUM(METRICS())", using_metrics=throttles, period=FIVE_MINUTES, label="throttled invocations"
        )
        self._alarm(
            f"Throttles-{kind}",
            total,
            above=0,
            periods=3,
            what="Lambda refused invocations for lack of concurrency. They are tried again; raise the account's"
            " limit, or reserve concurrency for these functions.",
        )

    def _alarm(
        self,
        name: str,
        metric: cloudwatch.IMetric,
        *,
        what: str,
        above: float | None = None,
        below: float | None = None,
        periods: int = 1,
        missing: cloudwatch.TreatMissingData = MISSING_IS_FINE,
    ) -> None:
        """`periods` data points beyond the bound, one after the other, raise the alarm."""
        comparison = cloudwatch.ComparisonOperator
        alarm = cloudwatch.Alarm(
            self,
            name,
            metric=metric,
            threshold=above if above is not None else below or 0,
            comparison_operator=comparison.GREATER_THAN_THRESHOLD
            if above is not None
            else comparison.LESS_THAN_THRESHOLD,
            evaluation_periods=periods,
            datapoints_to_alarm=periods,
            treat_missing_data=missing,
            alarm_description=f"{what} See docs/runbook.md#{name.split('-')[0].lower()}",
        )
        action = actions.SnsAction(self._topic)
        alarm.add_alarm_action(action)
        alarm.add_ok_action(action)
        self.by_name[name] = alarm
