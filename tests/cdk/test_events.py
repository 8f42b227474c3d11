"""The schedule, the events of executions, alarms, dashboard and outputs."""

import json
import re
from pathlib import Path

import pytest

from operate.conform.validation import STATUS_PATTERN

from . import calls
from .template import Template, joined

pytestmark = pytest.mark.cdk
ROOT = Path(__file__).parents[2]
RUNBOOK = ROOT / "docs/runbook.md"


@pytest.mark.parametrize("collection", ["lines", "words"])
def test_each_collection_is_started_by_a_schedule_under_a_fresh_name(dev: Template, collection: str) -> None:
    target = dev.one("Scheduler::Schedule", f"Schedule{collection.capitalize()}")["Target"]
    assert target["Arn"] == "arn:aws:scheduler:::aws-sdk:sfn:startExecution"
    asked = json.loads(joined(target["Input"]))
    assert asked["Name"] == f"{collection}-schedule-<aws.scheduler.execution-id>"
    assert json.loads(asked["Input"]) == {"collection": collection, "mode": "compact", "trigger": "schedule"}
    assert asked["StateMachineArn"] == f"<{next(iter(dev.all('StepFunctions::StateMachineAlias')))}>"


def test_a_start_that_failed_is_not_repeated_after_the_next_one(dev: Template) -> None:
    for schedule in dev.all("Scheduler::Schedule").values():
        every = re.fullmatch(r"rate\((\d+) (minutes|days)\)", schedule["ScheduleExpression"])
        assert every is not None
        seconds = int(every[1]) * {"minutes": 60, "days": 86_400}[every[2]]
        assert schedule["Target"]["RetryPolicy"]["MaximumEventAgeInSeconds"] < seconds


@pytest.mark.parametrize("collection", ["lines", "words"])
def test_the_current_version_of_each_collection_is_proved_again_every_week(dev: Template, collection: str) -> None:
    schedule = dev.one("Scheduler::Schedule", f"Scrub{collection.capitalize()}")
    assert schedule["ScheduleExpression"] == "rate(7 days)"
    asked = json.loads(joined(schedule["Target"]["Input"]))
    assert json.loads(asked["Input"]) == {"collection": collection, "mode": "verify", "trigger": "schedule"}


def test_every_status_of_this_machines_executions_is_recorded(dev: Template) -> None:
    rule = dev.one("Events::Rule", "Every")
    machine = next(iter(dev.all("StepFunctions::StateMachine")))
    assert rule["EventPattern"] == {**STATUS_PATTERN, "detail": {"stateMachineArn": [{"Ref": machine}]}}
    (target,) = rule["Targets"]
    assert Template.name_of(dev.all("Lambda::Function")[target["Arn"]["Fn::GetAtt"][0]]) == "RecordExecution"


def test_no_rule_reads_a_field_that_aws_does_not_document(dev: Template) -> None:
    assert len(dev.all("Events::Rule")) == 1
    assert not re.search(r"detail\.(error|cause)", json.dumps(dev.all("Events::Rule")))


def test_an_event_that_nobody_could_take_is_in_a_queue_with_an_alarm(dev: Template) -> None:
    (queue,) = (name for name in dev.all("SQS::Queue") if "StatusLost" in name)
    arn = {"Fn::GetAtt": [queue, "Arn"]}
    (target,) = dev.one("Events::Rule", "Every")["Targets"]
    assert target["DeadLetterConfig"] == {"Arn": arn}
    invoked = dev.one("Lambda::EventInvokeConfig")
    assert invoked["DestinationConfig"]["OnFailure"]["Destination"] == arn
    (name,) = dev.one("CloudWatch::Alarm", "StatusEventsLost")["Dimensions"]
    assert name["Value"] == {"Fn::GetAtt": [queue, "QueueName"]}


def test_the_recorder_mails_to_the_topic_of_the_alarms(dev: Template) -> None:
    topic = {"Ref": next(iter(dev.all("SNS::Topic")))}
    assert dev.functions()["RecordExecution"]["Environment"]["Variables"]["ALERTS_TOPIC_ARN"] == topic
    others = [name for name, f in dev.functions().items() if "ALERTS_TOPIC_ARN" in f["Environment"]["Variables"]]
    assert others == ["RecordExecution"]


def test_only_alarms_of_this_account_may_publish_to_the_topic_beside_the_recorder(dev: Template) -> None:
    allowed = {
        statement["Principal"]["Service"]
        for statement in dev.one("SNS::TopicPolicy")["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow"
    }
    assert allowed == {"cloudwatch.amazonaws.com"}


def own_metrics(template: Template) -> set[str]:
    """The names of our own metrics that alarms and the dashboard watch."""
    found = {a["MetricName"] for a in template.all("CloudWatch::Alarm").values() if a.get("Namespace") == "Compaction"}
    shown = joined(template.one("CloudWatch::Dashboard")["DashboardBody"])
    drawn = set(re.findall(r'"Compaction","(\w+)"', shown))
    return found | drawn | set(re.findall(r'{Compaction,[\w,]+} MetricName=[\\"]+(\w+)', shown))


def test_every_metric_that_is_watched_is_one_that_a_handler_emits(dev: Template) -> None:
    assert own_metrics(dev) <= calls.metrics_emitted()


def test_every_metric_that_a_handler_emits_is_watched_or_said_to_be_for_searching(dev: Template) -> None:
    assert calls.metrics_emitted() - own_metrics(dev) <= {"ExecutionsStarted"}


def test_a_misspelt_metric_is_noticed(dev: Template) -> None:
    wrong = Template(json.loads(json.dumps(dev.body).replace('"OldestPendingAge"', '"OldestPendingAges"')))
    assert own_metrics(wrong) - calls.metrics_emitted() == {"OldestPendingAges"}


def test_an_alarm_watches_the_dimensions_under_which_the_metric_is_emitted(dev: Template) -> None:
    with_collection = {
        "ExecutionsFailed",
        "ExpiryFailures",
        "OldestPendingAge",
        "QuarantinedRuns",
        "Restored",
        "ScrubFailures",
        "ShardsOverdue",
    }
    for alarm in dev.all("CloudWatch::Alarm").values():
        if alarm.get("Namespace") == "Compaction":
            names = {dimension["Name"] for dimension in alarm["Dimensions"]}
            assert names == {"service"} | ({"collection"} if alarm["MetricName"] in with_collection else set())


def alarm_names(template: Template) -> set[str]:
    descriptions = (alarm["AlarmDescription"] for alarm in template.all("CloudWatch::Alarm").values())
    return {description.rpartition("#")[2] for description in descriptions}


def test_every_alarm_says_what_to_do_and_links_a_section_that_is_there(dev: Template) -> None:
    headings = {
        line.lstrip("# ").strip().lower() for line in RUNBOOK.read_text().splitlines() if line.startswith("###")
    }
    assert alarm_names(dev) <= headings
    for alarm in dev.all("CloudWatch::Alarm").values():
        text, _, link = alarm["AlarmDescription"].rpartition(" See ")
        assert link.startswith("docs/runbook.md#")
        assert len(text) > 60


def test_what_can_go_wrong_has_an_alarm(dev: Template) -> None:
    assert alarm_names(dev) == {
        "executionsfailed",
        "executionstartfailures",
        "expiryfailures",
        "failurequeue",
        "filesystemlimit",
        "filesystemspend",
        "invariantviolated",
        "mergetime",
        "nothingplanned",
        "nothingstarts",
        "oldestpendingage",
        "publishfailures",
        "quarantinedruns",
        "recordererrors",
        "restored",
        "rulefailures",
        "schedulefailures",
        "scrubfailures",
        "shardsoverdue",
        "statuseventslost",
        "storagegrowing",
        "streamage",
        "streamerrors",
        "throttles",
    }


def test_every_alarm_tells_the_topic_when_it_starts_and_when_it_ends(dev: Template) -> None:
    topic = {"Ref": next(iter(dev.all("SNS::Topic")))}
    for name, alarm in dev.all("CloudWatch::Alarm").items():
        assert alarm["AlarmActions"] == alarm["OKActions"] == [topic], name


def test_throttles_of_every_function_are_watched(dev: Template) -> None:
    watched = {
        dimension["Value"]["Ref"]
        for alarm in dev.all("CloudWatch::Alarm").values()
        for metric in alarm.get("Metrics", [])
        if metric.get("MetricStat", {}).get("Metric", {}).get("Namespace") == "AWS/Lambda"
        for dimension in metric.get("MetricStat", {}).get("Metric", {}).get("Dimensions", [])
    }
    assert watched == set(dev.all("Lambda::Function"))


def test_the_merge_alarm_rings_before_the_timeout(dev: Template) -> None:
    timeout_ms = dev.functions()["MergeDeltas"]["Timeout"] * 1000
    assert dev.one("CloudWatch::Alarm", "MergeTime")["Threshold"] == pytest.approx(0.8 * timeout_ms)


def test_silence_of_the_schedule_and_of_the_plan_is_an_alarm_and_nothing_else_is(dev: Template) -> None:
    silent = {n: a for n, a in dev.all("CloudWatch::Alarm").items() if a["TreatMissingData"] == "breaching"}
    assert len(silent) == 3
    for name, alarm in silent.items():
        assert "NothingStarts" in name or "NothingPlanned" in name
        assert alarm["DatapointsToAlarm"] == alarm["EvaluationPeriods"] > 1, "one late data point is no silence"


def test_one_old_change_rings_at_once(dev: Template, prod: Template) -> None:
    for template, minutes in ((dev, 60), (prod, 30)):
        for collection in ("lines", "words"):
            alarm = template.one("CloudWatch::Alarm", f"OldestPendingAge{collection}")
            assert (alarm["Threshold"], alarm["EvaluationPeriods"]) == (minutes * 60, 1)


def test_the_command_finds_everything_in_the_outputs(dev: Template) -> None:
    from operate.connection import OUTPUTS

    assert set(OUTPUTS) <= set(dev.body["Outputs"])


def test_everything_that_can_be_tagged_says_which_stage_it_is_of(prod: Template) -> None:
    for kind in ("Lambda::Function", "DynamoDB::Table", "S3::Bucket"):
        for properties in prod.all(kind).values():
            assert {"Key": "stage", "Value": "prod"} in properties["Tags"]


def test_the_spend_of_efs_is_projected_from_its_bytes_at_the_prices_of_the_cost_table(dev: Template) -> None:
    from compaction_cdk.settings import stage_named
    from prices import PRICES

    alarm = dev.one("CloudWatch::Alarm", "FileSystemSpend")
    assert alarm["Threshold"] == stage_named("dev").efs_dollars_a_month
    (formula,) = (metric["Expression"] for metric in alarm["Metrics"] if "Expression" in metric)
    gb = 1_000_000_000
    bytes_of = {"read": 2 * gb, "written": 3 * gb, "stored": 5 * gb}
    found = eval(re.sub(r"FILL\((\w+), 0\)", r"\1", formula), {}, bytes_of)
    price = {name: PRICES[name][0] for name in ("efs_read", "efs_write", "efs_month")}
    expected = 30.4 * (2 * price["efs_read"] + 3 * price["efs_write"]) + 5 * price["efs_month"]
    assert found == pytest.approx(expected)


def test_a_schedule_that_cannot_start_anything_is_an_alarm(dev: Template) -> None:
    group = dev.one("Scheduler::ScheduleGroup")["Name"]
    watched = [m["MetricStat"]["Metric"] for m in dev.one("CloudWatch::Alarm", "ScheduleFailures")["Metrics"][1:]]
    assert {metric["MetricName"] for metric in watched} == {"TargetErrorCount", "InvocationDroppedCount"}
    assert all(metric["Dimensions"] == [{"Name": "ScheduleGroup", "Value": group}] for metric in watched)


def test_the_queries_of_the_runbook_are_saved_and_ask_every_function_s_log(dev: Template) -> None:
    runbook = RUNBOOK.read_text()
    queries = dev.all("Logs::QueryDefinition").values()
    assert len(queries) >= 5
    for query in queries:
        folder, _, name = query["Name"].partition("/")
        assert folder == "receipt-compaction-dev"
        assert f"*{name}*" in runbook
        assert len(query["LogGroupNames"]) == len(dev.functions())


def test_fields_that_a_saved_query_reads_are_fields_that_log_lines_have(dev: Template) -> None:
    sources = "".join(
        f.read_text() for p in ("handlers", "stream_package", "chroma_package") for f in (ROOT / p).rglob("*.py")
    )
    for query in dev.all("Logs::QueryDefinition").values():
        for text in re.findall(r"message = '([^']+)'", query["QueryString"]):
            assert f'"{text}"' in sources, text
