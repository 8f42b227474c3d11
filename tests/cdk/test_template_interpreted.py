"""The same synthesised template under moto's interpreter: its state machine, its functions with the environment and
the files they are deployed with, its tables, bucket, queue and stream mapping. `make test-template` runs this."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from receipt_dynamo_stream.head import read_head

from . import interpreter
from .conftest import Synthesise
from .emulator import wait_for
from .interpreter import Interpreted
from .producer import EXPECTED, produce, records_readers_see, states_of_the_run

pytestmark = [pytest.mark.template, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def interpreted(
    synthesise: Synthesise, zip_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Interpreted]:
    with interpreter.running(synthesise(stage="dev"), zip_file, tmp_path_factory.mktemp("moto")) as running:
        yield running


def test_the_interpreted_template_brings_a_delta_from_the_stream_to_the_readers(interpreted: Interpreted) -> None:
    dynamodb, outputs = interpreted.client("dynamodb"), interpreted.outputs
    produce(dynamodb, interpreted.client("s3"), table=outputs["ReceiptsTable"], bucket=outputs["Bucket"])

    def published() -> list[str]:
        assert not interpreted.executions("FAILED")
        ended = interpreted.executions("SUCCEEDED")
        outcomes = {json.loads(e["input"])["collection"]: json.loads(e["output"])["result"]["outcome"] for e in ended}
        return [collection for collection in EXPECTED if outcomes.get(collection) == "published"]

    wait_for(lambda: published() == list(EXPECTED), seconds=240)
    for collection, records in EXPECTED.items():
        head = read_head(dynamodb, outputs["ControlTable"], collection)
        assert head is not None
        assert head.version == head.projected_version == 1
        assert records_readers_see(interpreted.efs_root, collection) == records
    assert set(states_of_the_run(dynamodb, outputs["ReceiptsTable"]).values()) == {"COMPLETED"}


def test_every_function_that_is_interpreted_has_the_environment_of_the_template(interpreted: Interpreted) -> None:
    for name, function in interpreted.template.functions().items():
        assert set(function["Environment"]["Variables"]) <= set(interpreted.environments[name]), name
        machine = interpreted.environments[name].get("STATE_MACHINE_ARN", interpreted.machine_arn)
        assert machine == interpreted.machine_arn
        assert interpreted.environments[name]["CONTROL_TABLE"] == interpreted.outputs["ControlTable"]


def test_what_is_changed_for_the_interpreter_stays_a_short_list() -> None:
    assert len(interpreter.REWRITTEN) <= 4
    assert len(interpreter.NOT_MADE) <= 2
