"""What each function may do is what its code can do, and nothing else."""

import json
import re
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from operate.conform.probes import iam
from operate.conform.probes.told import Told
from operate.conform.rows import Outcome, Whose

from . import calls
from .template import Template, joined

pytestmark = pytest.mark.cdk
ROOT = Path(__file__).parents[2]
TOLD = Told(iam.PART, Whose.OUR_EVALUATOR)

OF_LAMBDA = {  # what Lambda itself does with a function's role
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
}
TO_SAVE_LOST_EVENTS = {"sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:SendMessage"}
"""What Lambda does with RecordExecution's role when the function failed on an event every time."""
TO_READ_THE_STREAM = {
    "dynamodb:DescribeStream",
    "dynamodb:GetRecords",
    "dynamodb:GetShardIterator",
    "dynamodb:ListStreams",
}


def snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).strip("_")


def asked_of_aws(template: Template, function: str) -> set[str]:
    """The actions that a function's role has for the function's own code."""
    actions = template.actions_of(template.role_of(function)) - OF_LAMBDA - TO_READ_THE_STREAM
    if function == "RecordExecution":
        actions -= TO_SAVE_LOST_EVENTS
    return {a for a in actions if not a.startswith(("ec2:", "elasticfilesystem:"))}


def used(function: str) -> set[str]:
    found = calls.actions(f"handlers.{snake(function)}", snake(function))
    return found | ({"s3:ListBucket"} if "s3:GetObject" in found else set())


def test_every_function_is_granted_what_its_code_calls_and_nothing_more(dev: Template) -> None:
    granted = {function: asked_of_aws(dev, function) for function in dev.functions()}
    assert all(granted.values()), "every function calls AWS: else this test proves nothing"
    assert granted == {function: used(function) for function in dev.functions()}


def decider(template: Template, function: str) -> Callable[[iam.Call], str]:
    """What the statements of a role say, as IAM would be asked."""

    def decide(call: iam.Call) -> str:
        return "allowed" if any(allows(s, call) for s in template.statements(template.role_of(function))) else "no"

    return decide


def allows(statement: dict[str, Any], call: iam.Call) -> bool:
    leading = statement.get("Condition", {}).get("ForAllValues:StringLike", {}).get("dynamodb:LeadingKeys", ["*"])
    is_item = call.action.startswith("dynamodb:")
    return (
        call.action in statement["Action"]
        and (call.on != "objects" or any(is_of(call.key, joined(one)) for one in statement["Resource"]))
        and (not is_item or any(fnmatchcase(call.key, pattern) for pattern in leading))
        and (not is_item or any(TABLES[call.on] in joined(one) for one in statement["Resource"]))
    )


TABLES = {"control": "Control", "receipts": "Receipts"}


def is_of(key: str, resource: str) -> bool:
    return fnmatchcase(key, resource.partition("/")[2])


def test_what_the_probes_ask_iam_is_what_each_functions_code_calls() -> None:
    listed = {function: {call.action for call in made} for function, made in iam.calls().items()}
    assert listed == {function: used(function) for function in listed}


def test_every_role_holds_before_the_probes_of_iam(dev: Template) -> None:
    of_all = iam.calls()
    assert set(of_all) == set(dev.functions())
    for function in of_all:
        row = iam.of_role(TOLD, function, of_all, decider(dev, function))
        assert row.outcome is Outcome.HELD, row


def test_a_broken_grant_turns_its_row_red(dev: Template) -> None:
    of_all, text = iam.calls(), json.dumps(dev.body)
    less = Template(json.loads(text.replace('"states:DescribeExecution"', '"states:ListExecutions"')))
    row = iam.of_role(TOLD, "InspectHolder", of_all, decider(less, "InspectHolder"))
    assert row.outcome is Outcome.BROKEN
    assert row.seen == "DENIED states:DescribeExecution on executions"
    other = Template(json.loads(text.replace('"COLLECTION#*"', '"COLLECTIONS#*"')))
    assert "on control COLLECTION#words" in iam.of_role(TOLD, "PlanFold", of_all, decider(other, "PlanFold")).seen
    everything = iam.of_role(TOLD, "InspectHolder", of_all, lambda _: "allowed")
    assert everything.seen.startswith("ALLOWED ")
    assert everything.outcome is Outcome.BROKEN


def test_a_grant_that_is_missing_or_unused_is_noticed(dev: Template) -> None:
    text = json.dumps(dev.body)
    less = Template(json.loads(text.replace('"states:DescribeExecution"', '"states:ListExecutions"')))
    assert asked_of_aws(less, "InspectHolder") != used("InspectHolder")
    more = Template(json.loads(text.replace('"s3:DeleteObject"', '"s3:DeleteObject", "s3:PutObjectTagging"')))
    assert asked_of_aws(more, "ExpireSnapshots") - used("ExpireSnapshots") == {"s3:PutObjectTagging"}


def test_the_guide_names_every_action_that_the_command_needs_and_no_other() -> None:
    guide = (ROOT / "docs/deploy.md").read_text()
    table = guide[guide.index("Whoever uses the `compaction` command needs") : guide.index("### A search function")]
    named = set(re.findall(r"`(\w+:\w+)`", table))
    sources = calls.Sources({**calls.PACKAGES, "console": ROOT / "console", "operate": ROOT / "operate"})
    console = [module for module in sources.bodies if module.startswith(("console.", "operate."))]
    needed = {action for module in console for action in calls.written(module, sources)}
    for module in console:
        for name in sources.bodies[module]:
            needed |= calls.actions(module, name, sources)
    by_version = {"s3:DeleteObjectVersion"}  # which `erased_objects` asks for by the call that deletes objects
    assert named == needed | by_version | {"cloudformation:DescribeStacks", "s3:ListBucket", "ssm:GetParameters"}


def test_who_reads_from_the_bucket_may_read_snapshots_and_nothing_else(dev: Template) -> None:
    policy = dev.one("IAM::ManagedPolicy")
    get, listing = policy["PolicyDocument"]["Statement"]
    assert (get["Action"], listing["Action"]) == ("s3:GetObject", "s3:ListBucket")
    assert joined(get["Resource"]).endswith("/snapshots/*")
    assert listing["Condition"] == {"StringLike": {"s3:prefix": ["snapshots/*"]}}
    assert not {"Roles", "Users", "Groups"} & set(policy), "it is nobody's until it is attached"
    assert "ReadersPolicyArn" in dev.body["Outputs"]


def test_only_functions_that_mount_the_file_system_may_mount_it(dev: Template) -> None:
    for name, function in dev.functions().items():
        statements = [s for s in dev.statements(dev.role_of(name)) if "elasticfilesystem:ClientMount" in s["Action"]]
        assert len(statements) == ("FileSystemConfigs" in function), name
        for statement in statements:
            assert "elasticfilesystem:AccessPointArn" in statement["Condition"]["StringEquals"]
            assert statement["Resource"] != ["*"]


def test_the_state_machine_may_invoke_its_functions_and_touch_its_lease_only(dev: Template) -> None:
    role = dev.one("StepFunctions::StateMachine")["RoleArn"]["Fn::GetAtt"][0]
    asl = json.loads((ROOT / "state_machines/compaction.asl.json").read_text())
    native = re.findall(r'"arn:aws:states:::dynamodb:(\w)(\w+)"', json.dumps(asl))
    calls_made = {f"dynamodb:{first.upper()}{rest}" for first, rest in native}
    actions = dev.actions_of(role)
    assert {a for a in actions if a.startswith("dynamodb:")} == calls_made
    assert {a for a in actions if not a.startswith(("dynamodb:", "logs:", "xray:"))} == {"lambda:InvokeFunction"}
    invoked = next(s["Resource"] for s in dev.statements(role) if s["Action"] == ["lambda:InvokeFunction"])
    by_arn = {f"<{n}.Arn>:*": Template.name_of(p) for n, p in dev.all("Lambda::Function").items()}  # of any deployment
    assert {by_arn[joined(arn)] for arn in invoked} == set(dev.functions()) - {
        "StreamHandler",
        "RecordExecution",
    }
    lease = next(s for s in dev.statements(role) if "dynamodb:UpdateItem" in s["Action"])
    assert lease["Condition"] == {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["COLLECTION#*"]}}
    keys = re.findall(r'"PK": \{"S[.$]*": "(.*?)"\}', json.dumps(asl))
    assert len(keys) >= len(native)
    assert all(key.startswith("States.Format('COLLECTION#{}'") for key in keys)


def test_a_wildcard_resource_stands_only_where_there_is_no_resource_to_name(dev: Template) -> None:
    allowed_prefixes = ("xray:", "ec2:", "logs:")
    for policy in dev.all("IAM::Policy").values():
        for statement in policy["PolicyDocument"]["Statement"]:
            actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            if statement["Resource"] == "*":
                assert all(a.startswith(allowed_prefixes) or a == "dynamodb:ListStreams" for a in actions), actions
            assert not any(action.endswith("*") for action in actions), actions


def test_nobody_has_a_managed_policy(dev: Template) -> None:
    assert [n for n, role in dev.all("IAM::Role").items() if role.get("ManagedPolicyArns")] == []


def test_the_schedule_may_start_this_state_machine_only(dev: Template) -> None:
    role = dev.one("Scheduler::Schedule", "ScheduleWords")["Target"]["RoleArn"]["Fn::GetAtt"][0]
    (statement,) = dev.statements(role)
    assert statement["Action"] == ["states:StartExecution"]
    assert [set(resource) for resource in statement["Resource"]] == [{"Ref"}]


def test_every_role_is_assumed_for_this_account_and_for_resources_that_are_named(dev: Template) -> None:
    assert len(dev.all("IAM::Role")) > 18
    for name, role in dev.all("IAM::Role").items():
        (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert trust["Condition"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}, name
        named = joined(trust["Condition"]["ArnLike"]["aws:SourceArn"])
        assert named.startswith(("arn:", "<")), name
        assert ":*:*" not in named, name


def test_who_only_proves_mounts_the_snapshots_to_read(dev: Template) -> None:
    readers = {
        name
        for name, function in dev.functions().items()
        if "FileSystemConfigs" in function and "elasticfilesystem:ClientWrite" not in dev.actions_of(dev.role_of(name))
    }
    proofs = {"ValidateShard", "ValidateFold", "ValidateReshard", "VerifySnapshot"}
    assert readers == proofs | {"PrepareSwitch"}
