"""A stack takes probes only where it is told to."""

import pytest
from receipt_dynamo_stream.probe import PROBE_IMAGES

from operate.connection import PROBE_OUTPUT

from .conftest import Synthesise
from .template import Template

pytestmark = pytest.mark.cdk


def test_probes_are_off_until_asked_for(dev: Template, prod: Template) -> None:
    assert PROBE_IMAGES
    for template in (dev, prod):
        assert "Probe" not in template.functions()
        assert PROBE_OUTPUT not in template.body["Outputs"]
        assert "PROBE" not in template.functions()["StreamHandler"]["Environment"]["Variables"]


def test_where_they_are_on_the_stream_knows_and_the_probe_function_may_mount_and_nothing_else(
    dev: Template, synthesise: Synthesise
) -> None:
    asked = synthesise(stage="dev", probe="on")
    assert set(asked.functions()) - set(dev.functions()) == {"Probe"}
    assert asked.functions()["StreamHandler"]["Environment"]["Variables"]["PROBE"] == "on"
    assert PROBE_OUTPUT in asked.body["Outputs"]
    may = asked.actions_of(asked.role_of("Probe"))
    assert {action.partition(":")[0] for action in may} == {"ec2", "elasticfilesystem", "logs", "xray"}
    machine = asked.one("StepFunctions::StateMachine")["DefinitionSubstitutions"]
    assert not [name for name in machine if "Probe" in name]
