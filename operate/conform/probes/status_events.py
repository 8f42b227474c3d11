"""Status events and mail: what the rule told the recorder of an execution that failed, and what SNS delivered.

On AWS: one execution of two transitions. It is a failure like any other: whoever subscribed gets a mail, and the alarm
of failed executions may ring. AWS does not document `error` and `cause` in these events, so the recorder asks for them:
https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

from receipt_dynamo_stream.control.history import ExecutionRow
from receipt_dynamo_stream.probe import PROBE_GENERATION

from operate.conform.probes.collection import ProbeCollection
from operate.conform.probes.deployed import Deployed
from operate.conform.probes.told import Told
from operate.conform.rows import Row
from operate.models import Execution

PART: Final = "Status events and mail"
EVENTS: Final = "https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html"
DELIVERED: Final = "https://docs.aws.amazon.com/sns/latest/dg/sns-monitoring-using-cloudwatch.html"
MODE: Final = "no-mode-of-ours"
WANTED: Final = ("status", "error", "cause", "mode", "trigger", "started_at", "ended_at")
_METRIC_SECONDS: Final = 600.0


def rows(collection: ProbeCollection, deployed: Deployed, told: Told) -> Iterator[Row]:
    """The part's rows."""
    begun = collection.services.now()
    failed = collection.run(MODE)
    history = collection.services.control.history(PROBE_GENERATION)

    def recorded() -> ExecutionRow | None:
        rows = history.page(after=(begun - timedelta(minutes=1)).isoformat(), limit=100).rows
        return next((row for row in rows if row.name == failed.name and row.status == "FAILED"), None)

    yield as_recorded(told, failed, collection.until(recorded, "the recorder's row of a failed execution"))
    question = ("the mail of a failed execution", "delivered by SNS to whoever subscribed")
    topic = deployed.resource("AWS::SNS::Topic")
    if topic is None:
        yield told.left_out(*question, "the local stack has no topic")
        return
    delivered = _delivered(collection, topic.rpartition(":")[2], begun)
    yield told.measured(f"{question[0]}, {question[1]} (a program cannot see the mail itself)", delivered, DELIVERED)


def as_recorded(told: Told, failed: Execution, row: ExecutionRow) -> Row:
    """The fields of one event of status FAILED, as the recorder wrote them, beside what DescribeExecution says."""
    values: dict[str, Any] = {name: getattr(row, name) for name in WANTED}
    missing = [name for name, value in values.items() if value in (None, "")]
    alike = (row.error, row.mode, row.trigger) == (failed.error, MODE, "operator") and row.arn == failed.arn
    seen = ", ".join(f"{name} {value}" for name, value in values.items())
    return told.judged(
        "the event of a failed execution, as it was recorded",
        f"all of {', '.join(WANTED)}; error {failed.error}, mode {MODE}, trigger operator",
        seen if not missing else f"without {', '.join(missing)}: {seen}",
        not missing and alike,
        EVENTS,
    )


def _delivered(collection: ProbeCollection, topic: str, begun: Any) -> str:
    cloudwatch = collection.stack.connection.client("cloudwatch")
    passed = collection.deadline(_METRIC_SECONDS)
    while not passed():
        points = cloudwatch.get_metric_statistics(
            Namespace="AWS/SNS",
            MetricName="NumberOfNotificationsDelivered",
            Dimensions=[{"Name": "TopicName", "Value": topic}],
            StartTime=begun - timedelta(minutes=1),
            EndTime=collection.services.now() + timedelta(minutes=1),
            Period=60,
            Statistics=["Sum"],
        )["Datapoints"]
        if total := sum(point["Sum"] for point in points):
            return f"{total:.0f} delivered since"
        collection.services.sleep(15)
    return "none delivered within ten minutes: has anybody subscribed, and confirmed it?"
