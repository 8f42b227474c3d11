"""The patches of moto as a whole: for one version, taken back, and what the interpreter does once only."""

import json
from typing import Any

import pytest
from moto.stepfunctions.parser.asl.parse.asl_parser import ASLParserException

from local.aws import moto_patches
from local.aws.moto_patches import MotoPatches, check_version
from local.errors import UnsupportedMoto


def test_a_state_machine_is_parsed_once_and_every_execution_has_components_of_its_own(
    patched: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from moto.stepfunctions.parser.asl.antlr.runtime.ASLParser import ASLParser
    from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser

    parsed = []
    original = ASLParser.state_machine

    def state_machine(self: Any) -> Any:
        parsed.append(1)
        return original(self)

    monkeypatch.setattr(ASLParser, "state_machine", state_machine)
    definition = json.dumps({"StartAt": "Once", "States": {"Once": {"Type": "Succeed"}}})
    first, second = (AmazonStateLanguageParser.parse(definition)[0] for _ in range(2))
    assert len(parsed) == 1
    assert first is not second
    assert first.start_at.start_at_name == second.start_at.start_at_name == "Once"
    with pytest.raises(ASLParserException):
        AmazonStateLanguageParser.parse("{}")


def test_a_path_is_parsed_once_and_answers_as_without_the_patch(monkeypatch: pytest.MonkeyPatch) -> None:
    from moto.stepfunctions.parser.asl.utils import json_path

    asked, parse = [], json_path.parse
    monkeypatch.setattr(json_path, "parse", lambda path: asked.append(path) or parse(path))
    data = [{"a": {"b": value}, "list": [value, 2]} for value in (1, "two")]
    paths = ("$.a.b", "$.list[0]", "$.a", "$.list[*]")
    expected = [json_path.extract_json(path, each) for path in paths for each in data]
    del asked[:]
    patches = MotoPatches()
    patches.apply()
    try:
        assert [json_path.extract_json(path, each) for path in paths for each in data] == expected
    finally:
        patches.remove()
    assert asked == list(paths)


def test_the_interpreter_makes_one_client_of_a_service(patched: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
    from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import state_task_service_dynamodb
    from moto.stepfunctions.parser.asl.utils import boto_client

    made = []
    monkeypatch.setattr(boto_client.boto3, "client", lambda **given: made.append(given["service_name"]) or object())
    for module, service in ((lambda_eval_utils, "lambda"), (state_task_service_dynamodb, "dynamodb")):
        clients = [
            module.boto_client_for(region="us-east-1", service=service, state_credentials=object()) for _ in range(3)
        ]
        assert len(set(map(id, clients))) == 1
    assert made == ["lambda", "dynamodb"]


def test_another_version_of_moto_is_refused_before_anything_is_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    from moto.dynamodb.models.table import Table

    original = Table.query
    monkeypatch.setattr("moto.__version__", "5.3.0")
    with pytest.raises(UnsupportedMoto, match=r"5\.3\.0"):
        MotoPatches().apply()
    assert Table.query is original


def test_the_installed_moto_is_the_one_the_patches_were_tested_with() -> None:
    import moto

    check_version(moto.__version__)


def test_taken_back_the_patches_leave_moto_as_it_was() -> None:
    targets = [(target, name, getattr(target, name)) for target, name, _ in moto_patches._targets()]
    patches = MotoPatches()
    patches.apply()
    assert all(getattr(target, name) is not original for target, name, original in targets)
    patches.remove()
    assert all(getattr(target, name) is original for target, name, original in targets)
