"""The state machine: the same file, filled in completely, and usable with other functions."""

import json
import re
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest
from statelint.linter import Linter

from .template import Template, joined

pytestmark = pytest.mark.cdk
ROOT = Path(__file__).parents[2]
DEFINITION = (ROOT / "state_machines/compaction.asl.json").read_text()


def machine(template: Template) -> dict[str, Any]:
    return dict(template.one("StepFunctions::StateMachine"))


def filled_in(template: Template) -> str:
    """The definition as Step Functions gets it, with ARNs that look like ARNs."""
    values = machine(template)["DefinitionSubstitutions"]
    text: str = machine(template)["DefinitionString"]
    for name, value in values.items():
        plain = value if isinstance(value, str) else "arn:aws:lambda:us-east-1:123456789012:function:name"
        text = text.replace(f"${{{name}}}", plain)
    return text


def test_what_is_deployed_is_the_file(dev: Template) -> None:
    assert json.loads(machine(dev)["DefinitionString"]) == json.loads(DEFINITION)


def test_every_placeholder_has_a_value_and_every_value_a_placeholder(dev: Template) -> None:
    asked = set(re.findall(r"\$\{(\w+)\}", DEFINITION))
    assert set(machine(dev)["DefinitionSubstitutions"]) == asked
    assert "${" not in filled_in(dev)


def test_a_placeholder_is_filled_with_the_function_of_its_name(dev: Template) -> None:
    for name, value in machine(dev)["DefinitionSubstitutions"].items():
        if name.endswith("Arn"):
            version = dev.all("Lambda::Version")[value["Ref"]]
            function = dev.all("Lambda::Function")[version["FunctionName"]["Ref"]]
            assert f"{Template.name_of(function)}Arn" == name


def test_what_a_deployment_published_stays_after_the_next_one(dev: Template) -> None:
    """A running or redriven execution keeps its definition, which names the functions' versions of its deployment."""
    published = [r for r in dev.body["Resources"].values() if r["Type"].endswith("Version")]
    assert len(published) == 1 + len(steps())
    for one in published:
        assert (one["DeletionPolicy"], one["UpdateReplacePolicy"]) == ("Retain", "Retain")
    version = dev.one("StepFunctions::StateMachineVersion")
    (name,) = dev.all("StepFunctions::StateMachine")
    assert version["StateMachineRevisionId"] == {"Fn::GetAtt": [name, "StateMachineRevisionId"]}


def test_other_code_is_another_version_of_the_functions_that_have_it(
    dev: Template, cdk_code: None, tmp_path: Path, zip_file: Path
) -> None:
    from compaction_cdk.application import synthesise

    other_zip = tmp_path / "stream.zip"
    with zipfile.ZipFile(shutil.copy(zip_file, other_zip), "a") as archive:
        archive.writestr("more.py", "")
    assembly = synthesise(tmp_path / "cdk.out", {"stage": "dev"}, other_zip)
    other = Template(json.loads(Path(assembly.stacks[0].template_full_path).read_text()))
    before, after = (
        {each.all("Lambda::Version")[n]["FunctionName"]["Ref"]: n for n in each.all("Lambda::Version")}
        for each in (dev, other)
    )
    changed = {Template.name_of(dev.all("Lambda::Function")[f]) for f in before if before[f] != after[f]}
    assert changed == {n for n, p in dev.functions().items() if "Handler" in p} & steps()


def test_everybody_starts_the_version_that_live_names(dev: Template) -> None:
    (alias,) = dev.all("StepFunctions::StateMachineAlias")
    (version,) = dev.all("StepFunctions::StateMachineVersion")
    routes = dev.one("StepFunctions::StateMachineAlias")["RoutingConfiguration"]
    assert routes == [{"StateMachineVersionArn": {"Fn::GetAtt": [version, "Arn"]}, "Weight": 100}]
    machine_name = machine(dev)["StateMachineName"]
    for name in ("StreamHandler", "StartFold", "StartGenerations"):
        arn = joined(dev.functions()[name]["Environment"]["Variables"]["STATE_MACHINE_ARN"])
        assert arn.endswith(f":stateMachine:{machine_name}:live")
    for schedule in dev.all("Scheduler::Schedule").values():
        assert json.loads(joined(schedule["Target"]["Input"]))["StateMachineArn"] == f"<{alias}>"
    assert dev.body["Outputs"]["LiveArn"]["Value"] == {"Ref": alias}
    assert alias in dev.resource("Lambda::EventSourceMapping")["DependsOn"]


def test_the_filled_in_definition_is_a_clean_state_machine(dev: Template, tmp_path: Path) -> None:
    file = tmp_path / "filled.asl.json"
    file.write_text(filled_in(dev))
    assert Linter.validate(str(file)) == []


def test_a_broken_definition_is_noticed(dev: Template, tmp_path: Path) -> None:
    file = tmp_path / "broken.asl.json"
    file.write_text(filled_in(dev).replace('"Next": "PlanCompaction"', '"Next": "PlanCompactoin"', 1))
    assert Linter.validate(str(file)) != []


def test_it_is_a_standard_machine_with_a_timeout_traces_and_logs_without_data(dev: Template) -> None:
    properties = machine(dev)
    assert properties["StateMachineType"] == "STANDARD"
    assert json.loads(properties["DefinitionString"])["TimeoutSeconds"] > 0
    assert properties["TracingConfiguration"] == {"Enabled": True}
    assert properties["LoggingConfiguration"]["Level"] == "ALL"
    assert properties["LoggingConfiguration"]["IncludeExecutionData"] is False


def test_the_number_of_shards_is_the_stages(dev: Template, prod: Template) -> None:
    for template, shards in ((dev, "1"), (prod, "4")):
        assert machine(template)["DefinitionSubstitutions"]["DefaultShards"] == shards
        planner = template.functions()["PlanCompaction"]["Environment"]["Variables"]
        assert planner["DEFAULT_SHARDS"] == shards


@pytest.fixture
def own_stack(cdk_code: None) -> Any:
    """Another stack, that has functions and a table of its own."""
    import aws_cdk
    from aws_cdk import aws_dynamodb, aws_lambda

    stack = aws_cdk.Stack(aws_cdk.App(), "Other")
    key = aws_dynamodb.Attribute(name="PK", type=aws_dynamodb.AttributeType.STRING)
    table = aws_dynamodb.Table(stack, "Lease", partition_key=key)

    def functions(*names: str) -> dict[str, Any]:
        return {
            name: aws_lambda.Function(
                stack,
                name,
                code=aws_lambda.Code.from_inline("def handler(event, context): return {}"),
                handler="index.handler",
                runtime=aws_lambda.Runtime.PYTHON_3_14,
            )
            for name in names
        }

    return stack, table, functions


def steps() -> set[str]:
    return {name.removesuffix("Arn") for name in re.findall(r"\$\{(\w+Arn)\}", DEFINITION)}


def workflow(own_stack: Any, definition: str, names: set[str]) -> Template:
    from aws_cdk import assertions, aws_logs
    from compaction_cdk.workflow import CompactionWorkflow

    stack, table, functions = own_stack
    CompactionWorkflow(
        stack,
        "Workflow",
        name="mine",
        definition=definition,
        functions=functions(*sorted(names)),
        control_table=table,
        default_shards=2,
        log_retention=aws_logs.RetentionDays.ONE_WEEK,
    )
    return Template(assertions.Template.from_stack(stack).to_json())


def test_others_can_run_the_lease_around_their_own_functions(own_stack: Any) -> None:
    theirs = workflow(own_stack, DEFINITION, steps())
    assert set(machine(theirs)["DefinitionSubstitutions"]) == {
        *(f"{n}Arn" for n in steps()),
        "ControlTable",
        "DefaultShards",
    }
    role = machine(theirs)["RoleArn"]["Fn::GetAtt"][0]
    assert "dynamodb:UpdateItem" in theirs.actions_of(role)


def test_a_function_that_is_missing_stops_synthesis_by_its_name(own_stack: Any) -> None:
    with pytest.raises(ValueError, match="no value for MergeDeltasArn"):
        workflow(own_stack, DEFINITION, steps() - {"MergeDeltas"})


def test_a_function_that_the_definition_does_not_use_stops_synthesis_by_its_name(own_stack: Any) -> None:
    with pytest.raises(ValueError, match="not used: MergeDeltasArn"):
        workflow(own_stack, DEFINITION.replace("${MergeDeltasArn}", "${ValidateShardArn}"), steps())
