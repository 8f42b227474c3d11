"""docs/adopt.md, typed as it stands: from an old directory to a clean doctor, and back."""

import json
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import boto3
import pytest
from receipt_chroma import write_arrow_delta
from receipt_chroma.records import Record
from receipt_dynamo_stream.keys import line_record_id

from console.cli import commands
from console.cli.main import main

from .conftest import NewRounds
from .old_world import RECEIPTS, WORDS, chroma_directory, connection_of, old_receipt, records_of, stream, write
from .rounds import Rounds, vector

DOCUMENT = (Path(__file__).parents[2] / "docs/adopt.md").read_text()
TYPED = re.findall(r"^\$ compaction (.*?)\s*(?:#.*)?$", DOCUMENT, re.MULTILINE)
UNDO = "--stack receipt-compaction-dev adopt words --undo --yes"


@dataclass
class Typist:
    """Types lines of the document in a world whose names are others."""

    rounds: Rounds
    names: dict[str, str]

    def type(self, line: str) -> int:
        """One line, and what it announced is streamed; where somebody waits for the backlog, it is merged before."""
        if line.endswith("status"):
            self.rounds.merge_all()
        code = main([self.names.get(word, word) for word in shlex.split(line)])
        if line.endswith("--yes"):
            stream(self.rounds, RECEIPTS)
        return code


@pytest.fixture
def typist(new_rounds: NewRounds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Typist:
    rounds = new_rounds(1)
    write(rounds, [item for receipt in RECEIPTS for item in old_receipt(receipt)])
    connection = replace(connection_of(rounds), state_machine_arn=idle_machine(rounds.bucket))
    monkeypatch.setattr(commands, "load_aws", lambda _name, _region: connection)
    chroma_directory(tmp_path / "old", records_of(RECEIPTS))
    chroma_directory(tmp_path / "old", rows_of_lines(), name="lines")
    (tmp_path / "batch.arrow").write_bytes(write_arrow_delta(records_of(RECEIPTS[:1], seed=70)[:2]))
    places = {f"./{name}": str(tmp_path / name) for name in ("old", "check", "batch.arrow")}
    return Typist(rounds, {"ReceiptsTable": rounds.receipts_table, "old-deltas": rounds.bucket, **places})


def idle_machine(name: str) -> str:
    """A state machine that has no executions."""
    definition = json.dumps({"StartAt": "End", "States": {"End": {"Type": "Succeed"}}})
    machine = boto3.client("stepfunctions").create_state_machine(
        name=name, definition=definition, roleArn="arn:aws:iam::123456789012:role/machine"
    )
    return str(machine["stateMachineArn"])


def rows_of_lines() -> Sequence[Record]:
    lines = sorted({line for line, _ in WORDS})
    return [Record(line_record_id(one, line), vector(line), "a line", {"y": 0.5}) for one in RECEIPTS for line in lines]


@pytest.mark.slow
def test_the_documents_commands_lead_from_an_old_directory_to_a_clean_doctor(
    typist: Typist, capsys: pytest.CaptureFixture[str]
) -> None:
    told: dict[str, list[tuple[int, str]]] = {}
    for line in TYPED:
        code = typist.type(line)
        command = re.sub(r"--(stack|table|bucket) \S+ ?", "", line).strip()
        told.setdefault(command, []).append((code, capsys.readouterr().out))
    doctor = told.pop("doctor")
    assert [code for code, _ in doctor] == [1, 1, 0]
    assert all("delta expired: 3 receipts" in out for _, out in doctor[:2])
    assert "Nothing is unexplained." in doctor[2][1]
    assert [code for answers in told.values() for code, _ in answers] == [0] * len(told)
    (_, dry), (_, done) = told["adopt words --from ./old"][0], told["adopt words --from ./old --yes"][0]
    assert "Nothing was written" in dry
    assert "3 runs announced" in done
    assert "1 run announced, with 2 records of words." in told["announce words ./batch.arrow"][0][1]


def test_the_way_back_takes_the_runs_out_of_the_table_again(typist: Typist) -> None:
    assert UNDO in DOCUMENT
    before = typist.rounds.dynamodb.scan(TableName=typist.rounds.receipts_table)["Items"]
    assert main([typist.names.get(word, word) for word in shlex.split(TYPED[0])]) == 1
    assert main([typist.names.get(word, word) for word in shlex.split(TYPED[3])]) == 0
    assert main(shlex.split(UNDO)) == 0
    assert typist.rounds.dynamodb.scan(TableName=typist.rounds.receipts_table)["Items"] == before
