"""Part 2 of docs/change.md does what it says: its commands, in its order, on the local stack."""

import json
from pathlib import Path

import pytest
from receipt_chroma import write_arrow_delta
from receipt_chroma.reader import SnapshotReader
from receipt_chroma.records import Record
from receipt_dynamo_stream.keys import ReceiptId, word_record_id

from console.cli.main import main
from tests.documented import Run, chapters, runner

from .world import MODEL, TWICE, GenerationWorld, should_be, twice

A, B, C = (ReceiptId(letter * 4, 1) for letter in "abc")


@pytest.fixture
def run(
    world: GenerationWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    return runner(world.stack, tmp_path, monkeypatch, capsys)


def renewed_batch(*receipts: ReceiptId, seed: int = 1) -> list[Record]:
    """The records of these receipts by the new model, as one file of a batch producer."""
    return [
        Record(word_record_id(receipt, 1, n + 1), twice(seed + n), f"word {n}", {"seed": seed})
        for receipt in receipts
        for n in range(3)
    ]


@pytest.mark.slow
def test_a_campaign_from_its_plan_to_its_end(world: GenerationWorld, run: Run, tmp_path: Path) -> None:
    world.published(A, B)
    told = chapters("change.md", 2)
    plan, begin, status, look = told["Beginning"]
    assert "announce 2 runs" in run(plan)
    assert world.generations.active == ("words",), "a plan begins nothing"
    assert "words-2 is kept up; 2 receipts marked in it" in run(begin)
    world.settle_down()
    assert "Readers of words follow words: `compaction renew words` shows its generations." in run(status)
    assert "0 of 2" in run(look)

    (announce,) = told["What producers do"]
    (tmp_path / "renewed.arrow").write_bytes(write_arrow_delta(renewed_batch(A)))
    assert "1 run announced, with 3 records of words-2." in run(announce)
    world.settle_down()
    look, compare, doctor, query = told["Watching"]
    assert "1 of 2" in run(look)
    assert "Receipts ready 1 of 2" in run(compare)
    assert main(doctor) == 1, "nobody announced the other receipt yet"
    (tmp_path / "renewed.arrow").write_bytes(write_arrow_delta(renewed_batch(B)))
    run(announce)
    world.settle_down()
    assert world.content("words-2") == should_be([A, B], times=2)
    run(doctor)
    (tmp_path / "new-vector.json").write_text(json.dumps(twice(1).tolist()))
    assert "Readers follow words; this was words-2." in run(query)

    (switch,) = told["The switch"]
    with SnapshotReader(world.efs, "words") as reader:
        assert reader.model == ""
        assert "Readers of words follow words-2" in run(switch)
        reader.refresh()
        assert (reader.model, len(reader.nearest(twice(1), 3, model=reader.model))) == (MODEL, 3)
        world.dynamodb.delete_item(TableName=world.names.receipts_table, Key={"PK": {"S": A.pk}, "SK": {"S": A.sk}})
        world.settle_down()
        (back,) = told["The way back"]
        assert "Readers of words follow words" in run(back)
        reader.refresh()
        assert (reader.model, world.content("words")) == ("", should_be([B])), "the way back is up to date"
        again, finish = told["Finishing"]
        run(again)
        assert "Only words-2 is kept up" in run(finish)
        reader.refresh()
        assert reader.model == MODEL
    assert world.generations.active == ("words-2",)


@pytest.mark.slow
def test_what_cannot_be_done_is_refused_by_name_with_exit_code_2(
    world: GenerationWorld, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    world.published(A)
    refused = {
        "status words-2": "words has no generation words-2",
        "renew words-2": "words has no generation words-2",
        "renew words --switch --yes": "has no generation beside words",
        "renew words --finish --yes": "only words of words is kept up",
        "renew words --model model-b": "--dimension",
        "renew words --finish --switch --yes": "one thing at a time",
    }
    for command, why in refused.items():
        assert main(command.split()) == 2, command
        assert why in capsys.readouterr().err
    run(["renew", "words", "--model", MODEL, "--dimension", str(TWICE), "--yes"])
    assert main(["renew", "words", "--model", "another", "--dimension", "4", "--plan"]) == 2
    assert "has words-2 beside words" in capsys.readouterr().err


@pytest.mark.slow
def test_a_beginning_that_broke_off_is_gone_on_with_by_the_same_command(world: GenerationWorld, run: Run) -> None:
    """What a crash between the generation and the marks leaves."""
    world.published(A)
    world.renewed(A)
    world.control.generations("words").begin(model=MODEL, dimension=TWICE, shards=1, now="2026-01-01T00:00:00+00:00")
    assert "words-2 is kept up; 1 receipt" in run(
        ["renew", "words", "--model", MODEL, "--dimension", str(TWICE), "--yes"]
    )
    world.settle_down()
    assert world.content("words-2") == should_be([A], times=2)
    assert json.loads(run(["renew", "words", "--json"]))["readiness"]["is_complete"]


@pytest.mark.slow
def test_a_run_of_a_model_that_no_generation_has_is_said_to_wait(world: GenerationWorld, run: Run) -> None:
    world.published(A)
    waits = world.announce(A, dimension=TWICE, words_model=MODEL)
    world.settle_down()
    (words,) = json.loads(run(["where", "aaaa/1", "words", "--json"]))["collections"].values()
    (one,) = [one for one in words["runs"] if one["run_id"] == waits]
    assert one["state"] == "for no generation"
    assert f"no generation of words that is kept up has the model {MODEL}" in one["says"]
    assert "run for no generation" in run(["doctor", "words"])
    Path("batch.arrow").write_bytes(write_arrow_delta(renewed_batch(A)))
    said = run(["announce", "words", "batch.arrow", "--model", MODEL])
    assert f"They wait: no generation of words that is kept up has the model {MODEL}." in said


@pytest.mark.slow
def test_the_other_commands_take_a_generation_by_its_name(world: GenerationWorld, run: Run) -> None:
    world.published(A)
    world.begin()
    world.renewed(A)
    assert json.loads(run(["status", "--json"]))["collections"].keys() == {"lines", "words", "words-2"}
    for command in ("start", "fold", "verify", "restore", "expire"):
        run([command, "words-2", *(["--wait"] if command in ("start", "fold") else [])])
    rows = json.loads(run(["history", "words-2", "--all", "--json"]))["executions"]
    assert {row["collection"] for row in rows} == {"words-2"}
    assert any(row["name"].startswith("words-2-operator-") and row["trigger"] == "operator" for row in rows)
    assert {row["collection"] for row in json.loads(run(["history", "--all", "--json"]))["executions"]} >= {"words-2"}
    run(["pause", "words-2"])
    assert json.loads(run(["reconcile", "--json"]))["collections"] == ["lines", "words", "words-2"]
    run(["resume", "words-2", "--wait"])
    assert world.content("words-2") == should_be([A], times=2)
    exported = json.loads(run(["export", "words-2", "out", "--json"]))
    assert (exported["collection"], exported["records"]) == ("words-2", 3)
    assert run(["versions", "words-2"])
    run(["pin", "words-2", "1"])
    run(["reshard", "words-2", "--shards", "2", "--wait"])
    run(["rollback", "words-2", "1", "--yes"])
    assert (world.head("words-2").shards, world.head("words-2").paused is None) == (1, False)
    assert world.head("words").paused is None
