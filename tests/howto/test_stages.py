"""docs/howto/several-stages.md: two stages have no name in common, and no role of one may touch what is the other's."""

import re
from typing import Any

import pytest

from console.cli.arguments import build_parser
from tests.cdk.template import Template, joined

from .shell import ROOT, Shell, blocks, chapters, program
from .templates import template

CHAPTERS = chapters("several-stages.md")
STAGES = ("dev", "prod")

IN_A_PARENT = {
    "AWS::IAM::Policy": {"PolicyName"},  # of its role
    "AWS::StepFunctions::StateMachineAlias": {"Name"},  # of its machine
    "AWS::Scheduler::Schedule": {"GroupName"},  # which is another resource's name
    "AWS::CloudWatch::Alarm": {"MetricName"},  # with the dimension `service`, or of another resource
    "AWS::Logs::MetricFilter": {"FilterName"},
}
"""Properties that end with Name and are no name in the account."""
ANYWHERE = re.compile(
    r"xray:(Put|Get)\w+|ec2:(\w+NetworkInterfaces?|\w+PrivateIpAddresses|DescribeSubnets)|dynamodb:ListStreams"
    r"|logs:(\w+LogDelivery|ListLogDeliveries|DescribeLogGroups|(Put|Describe)ResourcePolic(y|ies))"
)
"""What AWS grants for all resources or for none, and the page names."""


def fixed_names(stage: str) -> dict[tuple[str, str], str]:
    """Every name that the template gives, by type and text."""
    found = {}
    for logical_id, one in template(stage).body["Resources"].items():
        for key, value in one.get("Properties", {}).items():
            if key.endswith("Name") and isinstance(value, str) and key not in IN_A_PARENT.get(one["Type"], ()):
                found[one["Type"], value] = logical_id
    return found


@pytest.mark.cdk
@pytest.mark.timeout(900)
def test_no_name_of_one_stage_is_a_name_of_the_other_and_each_has_its_stage_in_it() -> None:
    dev, prod = (fixed_names(stage) for stage in STAGES)
    assert {kind for kind, _ in dev} >= {"AWS::StepFunctions::StateMachine", "AWS::Scheduler::ScheduleGroup"}
    assert not dev.keys() & prod.keys()
    for stage, names in zip(STAGES, (dev, prod), strict=True):
        for _kind, name in names:
            assert re.search(rf"receipt-?compaction-?{stage}(?!\w*prod)", name), name
    for stage in STAGES:
        for name in {name for _, name in fixed_names(stage)}:
            general = name.replace(stage, "STAGE")
            known = CHAPTERS["What belongs to whom"]
            assert any(part in known for part in (general, general.rpartition("/")[2], general.partition("/")[0])) or (
                re.sub(r"Group-.*", "Group-…", general) in known
            ), f"the page does not name {general}"


@pytest.mark.cdk
@pytest.mark.timeout(900)
@pytest.mark.parametrize("stage", STAGES)
def test_there_are_no_exports_and_no_role_reaches_beyond_its_stage(stage: str) -> None:
    of, body = template(stage), template(stage).body
    assert not [name for name, output in body["Outputs"].items() if "Export" in output]
    assert "Fn::ImportValue" not in str(body)
    (other,) = set(STAGES) - {stage}
    assert f"receipt-compaction-{other}" not in str(body)
    beyond = [one for one in reach(of) if not is_of(stage, of, *one)]
    assert beyond == []


def reach(of: Template) -> list[tuple[str, str]]:
    """Action and resource of everything that is allowed to any role, or to who takes a managed policy."""
    found = []
    for kind in ("IAM::Policy", "IAM::ManagedPolicy"):
        for policy in of.all(kind).values():
            for statement in policy["PolicyDocument"]["Statement"]:
                assert statement["Effect"] == "Allow"
                found += [(a, joined(r)) for a in listed(statement["Action"]) for r in listed(statement["Resource"])]
    assert len(found) > 100
    return found


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def is_of(stage: str, of: Template, action: str, resource: str) -> bool:
    """The resource is one of the stack's own, has its name, or there is no other way to grant the action."""
    if resource == "*":
        return ANYWHERE.fullmatch(action) is not None
    own = [name.partition(".")[0] for name in re.findall(r"<([^>]+)>", resource) if not name.startswith("AWS::")]
    return all(name in of.body["Resources"] for name in own) and (
        bool(own) or f":receipt-compaction-{stage}-compaction" in resource
    )


@pytest.mark.cdk
@pytest.mark.timeout(900)
def test_every_resource_that_takes_tags_has_its_stages_tag() -> None:
    for stage in STAGES:
        tags = [
            one["Properties"]["Tags"]
            for one in template(stage).body["Resources"].values()
            if one.get("Properties", {}).get("Tags")
        ]
        assert len(tags) > 50
        told = [
            tag if isinstance(tag, dict) and "Key" not in tag else {one["Key"]: one["Value"] for one in tag}
            for tag in tags
        ]
        assert all(one["stage"] == stage for one in told)


@pytest.mark.cdk
@pytest.mark.timeout(900)
def test_the_stage_of_the_page_is_one_and_a_stage_that_is_none_is_refused_as_it_says() -> None:
    template("dev")  # which lets the app's package be imported
    from compaction_cdk import settings

    made = eval(program(CHAPTERS["Another stage"]), {"Stage": settings.Stage})
    assert settings.Deployment(stage=made).stack_name == "receipt-compaction-staging"
    with pytest.raises(settings.UnknownStage) as refused:
        settings.stage_named("qa")
    assert str(refused.value) in CHAPTERS["What it costs"]


def test_what_the_page_types_is_taken_by_make_and_by_the_command() -> None:
    lines = [line for chapter in CHAPTERS.values() for block in blocks(chapter) for line in block.splitlines()]
    makes, commands = ([line for line in lines if line.startswith(name)] for name in ("make ", "compaction "))
    assert makes
    for line in makes:
        Shell(ROOT, {}).run(line.replace("make ", "make -n ", 1))
    for line in commands:
        assert build_parser().parse_args(line.split()[1:]).stack in (
            "receipt-compaction-dev",
            "receipt-compaction-prod",
        )
