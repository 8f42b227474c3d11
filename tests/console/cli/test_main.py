"""The command line: what it answers, where it says what, and how it exits."""

import platform
import re
import shlex
import subprocess
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import pytest
from receipt_dynamo_stream.keys import ReceiptId

from console.cli.arguments import EXIT_CODES, build_parser
from console.cli.command_table import COMMANDS
from operate.connection import STACK_FILE

from ...toy_stack.toy import ToyStack

ON_STACK = [
    ["status"],
    ["history"],
    ["start", "words"],
    ["rerun", "words-stream-1"],
    ["reconcile"],
    ["query", "words", "milk"],
    ["versions"],
    ["compare", "words", "1", "2"],
    ["verify", "words"],
    ["rollback", "words", "1", "--yes"],
    ["pause", "words"],
    ["resume", "words"],
    ["pin", "words", "1"],
    ["unpin", "words", "1"],
    ["expire", "words"],
    ["fold", "words"],
    ["quarantine", "list"],
    ["quarantine", "retry", "r"],
    ["quarantine", "drop", "r", "--yes"],
]


@pytest.mark.parametrize("called", ON_STACK, ids=" ".join)
def test_the_stack_is_named_before_the_command_or_after_it(called) -> None:
    target = ["--stack", "mine", "--region", "eu-west-1"]
    for arguments in ([*target, *called], [*called, *target], [*target[:2], *called, *target[2:]]):
        parsed = build_parser().parse_args(arguments)
        assert (parsed.stack, parsed.region) == ("mine", "eu-west-1")
    parsed = build_parser().parse_args(["--stack", "one", *called, "--stack", "other"])
    assert parsed.stack == "other"
    assert build_parser().parse_args(called).stack is None


@pytest.mark.parametrize("command", ["demo", "up"])
def test_a_command_of_this_machine_takes_no_stack(run, command) -> None:
    said = run("--stack", "mine", command)
    assert said.code == 2
    assert said.err == (
        f"compaction: `compaction {command}` works on this machine only: leave out --stack and --region\n"
    )


def test_help_shows_every_command_in_its_group(run) -> None:
    said = run("--help")
    assert said.code == 0
    assert all(len(line) <= 80 for line in said.out.splitlines())
    for command in COMMANDS:
        assert f"  {command.name:<10}  {command.summary}" in said.out
        assert f"{command.group}:" in said.out
    assert EXIT_CODES in said.out


EVERY_HELP = [
    *(([command.name], command) for command in COMMANDS),
    *(([command.name, action.name], action) for command in COMMANDS for action in command.actions),
]


@pytest.mark.parametrize(
    ("called", "command"), EVERY_HELP, ids=lambda value: " ".join(value) if type(value) is list else ""
)
def test_help_of_a_command_shows_an_example_that_parses(run, called, command) -> None:
    said = run(*called, "--help")
    assert said.code == 0
    assert f"example:\n  {command.example}\n" in said.out
    assert EXIT_CODES in said.out
    assert "--json" in said.out
    assert all(len(line) <= 80 for line in said.out.splitlines())
    program, *arguments = shlex.split(command.example)
    assert program == "compaction"
    assert arguments[: len(called)] == called
    assert build_parser().parse_args(arguments).command == called[0]


def test_every_command_leads_to_a_function() -> None:
    for _, command in EVERY_HELP:
        module, _, function = command.run.partition(":")
        assert command.actions or callable(getattr(import_module(module), function))


def test_without_a_command_the_help_is_the_answer(run) -> None:
    said = run()
    assert said.code == 2
    assert said.out == run("--help").out


@pytest.mark.parametrize(
    "argv",
    [
        ["compact"],
        ["start"],
        ["start", "receipts"],
        ["start", "words", "--mode", "rollback"],
        ["history", "--limit", "0"],
        ["history", "--limit", "many"],
        ["history", "--status", "fine"],
        ["query", "words", "milk", "-n", "-1"],
        ["rollback", "words"],
        ["compare", "words", "1"],
        ["compare", "words", "1", "2", "--limit", "0"],
        ["pause"],
        ["expire", "receipts"],
        ["quarantine"],
        ["quarantine", "forget", "r"],
        ["quarantine", "retry"],
        ["demo", "--receipts", "0"],
        ["status", "--unknown"],
        ["up", "--stack", "x"],
    ],
    ids=" ".join,
)
def test_a_wrong_argument_gets_one_line_and_exit_code_2(run, argv: list[str]) -> None:
    said = run(*argv)
    assert said.code == 2
    assert said.error_line.startswith("compaction")
    assert said.error_line.endswith("--help`")


@pytest.mark.parametrize(
    ("argv", "meant"),
    [
        (["statsu"], "no COMMAND is called 'statsu': did you mean `status`?"),
        (["start", "wrods"], "no COLLECTION is called 'wrods': did you mean `words`?"),
        (["quarantine", "lst"], "no ACTION is called 'lst': did you mean `list`?"),
        (["start", "receipts"], "no COLLECTION is called 'receipts': there are lines, words"),
    ],
)
def test_a_word_that_is_nearly_one_that_is_known_is_told_which(run, argv: list[str], meant: str) -> None:
    assert meant in run(*argv).error_line


@pytest.mark.parametrize("argv", ON_STACK, ids=" ".join)
def test_without_a_stack_every_command_says_how_to_get_one(
    run, argv: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = run(*argv, "--json")
    assert said.code == 2
    how = "run `compaction up` in another terminal, or pass --stack NAME"
    assert said.error_line == f"compaction: no local stack here, in {tmp_path}: {how}"


def test_a_region_needs_the_name_of_a_stack(run, stack: ToyStack) -> None:
    said = run("status", "--region", "eu-west-1")
    assert said.code == 2
    assert said.error_line == "compaction: --region is of a stack on AWS: pass --stack NAME too"


def test_an_output_that_nobody_reads_to_its_end_is_no_traceback(stack: ToyStack) -> None:
    command = (
        f"{sys.executable} -c 'from console.cli.main import main; import sys; sys.exit(main([\"status\"]))' | true"
    )
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("argv", [["status"], ["status", "--json"], ["--version"], ["versions"]], ids=" ".join)
def test_an_output_that_cannot_be_written_is_one_line_and_exit_code_1(argv: list[str], stack: ToyStack) -> None:
    code = f"import sys; from console.cli.main import main; sys.exit(main({argv!r}))"
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([sys.executable, "-c", code], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert done.stderr == "compaction: what it answers cannot be written: No space left on device\n"


def test_a_complaint_that_cannot_be_written_is_an_exit_code(stack: ToyStack) -> None:
    code = "import sys; from console.cli.main import main; sys.exit(main(['rerun', 'nothing']))"
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=full)
    assert (done.returncode, done.stdout) == (2, b"")


def test_status_of_one_collection(run, stack: ToyStack) -> None:
    stack.publish("words", 3, records=812)
    assert "lines" not in run("status", "words").out
    assert list(run("status", "words", "--json").json["collections"]) == ["words"]


def test_status_of_both_collections(run, stack: ToyStack) -> None:
    stack.publish("words", 3, records=812)
    said = run("status")
    assert (said.code, said.err) == (0, "")
    assert "812" in said.out
    assert "empty" in said.out
    collections = run("status", "--json").json["collections"]
    assert {name: (c["version"], c["records"]) for name, c in collections.items()} == {
        "lines": (0, None),
        "words": (3, 812),
    }


def test_history_hides_what_had_nothing_to_do_and_says_so(run, stack: ToyStack) -> None:
    names = [stack.start("words"), stack.start("lines"), stack.start("words", toy="Crash")]
    said = run("history")
    assert said.code == 0
    assert names[0][:21] in said.out
    assert names[1][:21] not in said.out
    assert "Not shown: 1 that had nothing pending" in said.out
    assert run("history", "--json").json["hidden"] == 1
    assert names[1][:21] in run("history", "--all").out
    assert names[1][:21] in run("history", "--status", "nothing_pending").out


def test_history_in_json_has_absolute_times_and_the_error(run, stack: ToyStack) -> None:
    name = stack.start("words", toy="Crash")
    (execution,) = run("history", "words", "--json").json["executions"]
    assert (execution["name"], execution["result"], execution["error"]) == (name, "failed", "Runtime.ExitError")
    assert execution["started_at"].endswith("+00:00")


def test_history_shows_as_many_as_asked_for(run, stack: ToyStack) -> None:
    for _ in range(3):
        stack.start("words")
    said = run("history", "--limit", "2")
    assert said.out.count("published") == 2
    assert "--limit shows more" in said.out
    assert len(run("history", "--limit", "2", "--json").json["executions"]) == 2


def test_an_empty_history_says_how_executions_come_about(run, stack: ToyStack) -> None:
    assert "start by themselves" in run("history").out
    assert run("history", "--status", "aborted").out == "No such executions.\n"
    assert run("history", "--json").json == {"executions": [], "hidden": 0}


def test_start_returns_at_once_or_waits_for_the_outcome(run, stack: ToyStack) -> None:
    said = run("start", "words")
    assert said.code == 0
    assert "words-operator-" in said.out
    said = run("start", "words", "--wait")
    assert said.code == 0
    assert "published version 3" in said.out
    assert run("start", "lines", "--wait", "--json").json["result"] == "nothing_pending"


def test_a_plan_is_always_waited_for(run, stack: ToyStack) -> None:
    said = run("start", "words", "--mode", "plan")
    assert said.code == 0
    assert "nothing is pending" in said.out
    plan = run("start", "words", "--mode", "plan", "--json").json["plan"]
    assert (plan["base_version"], plan["receipts"]) == (3, [])


@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
def test_an_execution_that_failed_while_waited_for_is_exit_code_1_with_its_cause(
    run, stack: ToyStack, as_json: bool
) -> None:
    name = stack.start("words", toy="Crash")
    said = run("rerun", name, "--wait", *(["--json"] if as_json else []))
    assert said.code == 1
    (line,) = said.err.splitlines()
    assert line.endswith(" failed: Runtime.ExitError: The worker ended [bold]early[/bold].")
    assert said.json["cause"] if as_json else said.out == ""


def test_rerun_takes_the_beginning_of_a_name(run, stack: ToyStack) -> None:
    name = stack.start("words")
    said = run("rerun", name[:21], "--wait")
    assert said.code == 0
    assert "published version 3" in said.out
    assert run("rerun", "lines-stream-1").error_line == (
        "compaction: no execution lines-stream-1: `compaction history` lists them"
    )


def test_reconcile_marks_the_receipts_of_the_table_and_of_the_snapshot(run, stack: ToyStack) -> None:
    stack.receipt("aaaa", 1)
    stack.receipt("bbbb", 2)
    stack.publish("words", 3, records=1, receipts=["IMAGE#bbbb#RECEIPT#00002", "IMAGE#gone#RECEIPT#00001"])
    assert run("reconcile", "--json").json == {"collections": ["lines", "words"], "image": None, "receipts": 3}
    for collection in ("lines", "words"):
        assert stack.pending(collection) == ["aaaa", "bbbb", "gone"]


def test_reconcile_of_one_image_and_collection(run, stack: ToyStack) -> None:
    stack.receipt("aaaa", 1)
    stack.receipt("bbbb", 2)
    said = run("reconcile", "words", "--image", "bbbb")
    assert said.code == 0
    assert said.out.startswith("1 receipt marked pending (words).")
    assert (stack.pending("words"), stack.pending("lines")) == (["bbbb"], [])


def test_reconcile_of_an_image_that_nobody_knows_is_exit_code_1(run, stack: ToyStack) -> None:
    stack.receipt("aaaa", 1)
    for more in ([], ["--json"]):
        said = run("reconcile", "--image", "aaab", *more)
        assert said.code == 1
        assert said.error_line.startswith("compaction: no receipt of image aaab is in the table or in a snapshot")
    assert stack.pending("words") == []


def test_a_question_needs_a_snapshot(run, stack: ToyStack) -> None:
    assert run("query", "words", "--vector", "v.json").error_line.startswith("compaction: no snapshot of words yet")


@pytest.mark.parametrize(
    ("argv", "problem"),
    [
        ([], "give either a TEXT or --vector FILE"),
        (["milk", "--vector", "v.json"], "give either a TEXT or --vector FILE"),
        (["milk"], "which embedder made these vectors is not known here: name it"),
        (["--vector", "none.json"], "none.json cannot be read: No such file or directory"),
        (["--vector", "words.json"], "words.json is not JSON"),
        (["--vector", "object.json"], "object.json is not a JSON array of finite numbers"),
        (["--vector", "infinite.json"], "infinite.json is not a JSON array of finite numbers"),
        (["--vector", "short.json"], "short.json has 2 numbers, the vectors of this collection have 8"),
        (["--vector", "huge.json"], "huge.json is not a JSON array of finite numbers"),
        (["--vector", "short.json", "--where", "milk"], "the filter is not JSON"),
        (["--vector", "short.json", "--where", "[]"], "the filter is not a JSON object"),
        (["--vector", "short.json", "-n", "1001"], "a question has 1 to 1,000 answers, not 1001"),
        (["--vector", "short.json", "--version", "9"], "no version 9 of words"),
    ],
)
def test_a_question_that_cannot_be_asked_is_refused(run, stack: ToyStack, argv: list[str], problem: str) -> None:
    stack.publish("words", 3, records=1)
    files = {"words": "milk", "object": '{"a": 1}', "infinite": "[1, Infinity]", "short": "[1, 2.5]", "huge": "[1e39]"}
    for name, content in files.items():
        Path(f"{name}.json").write_text(content)
    said = run("query", "words", *argv)
    assert said.code == 2
    assert said.error_line.startswith(f"compaction: {problem}")


def test_what_a_service_refuses_is_one_line_and_exit_code_1(run, stack: ToyStack) -> None:
    stack.dynamodb.delete_table(TableName=stack.connection.control_table)
    said = run("status")
    assert said.code == 1
    assert "ResourceNotFoundException" in said.error_line


def test_an_interrupted_command_says_so(run, stack: ToyStack, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("operate.collections.Collections.status", interrupt)
    said = run("status")
    assert (said.code, said.error_line) == (130, "compaction: interrupted")


def test_help_and_status_load_only_what_they_need(stack: ToyStack) -> None:
    """`status` reads a manifest, and loads nothing of what is inside a snapshot."""
    assert STACK_FILE.exists()
    stack.published("words", 2)
    heavy = {"moto", "chromadb", "numpy", "pyarrow", "sqlite3"}
    for command, unwanted in (("--help", heavy | {"boto3", "rich"}), ("status", heavy), ("versions", heavy)):
        code = f"import sys; from console.cli.main import main; print(main([{command!r}])); print(*sys.modules)"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        *_, exit_code, modules = done.stdout.splitlines()
        assert exit_code == "0"
        assert not unwanted & set(modules.split())


def test_a_pending_receipt_shows_in_status(run, stack: ToyStack) -> None:
    stack.publish("words", 3, records=1)
    stack.control.pending("words").mark(
        {ReceiptId("aaaa", 1): []}, now="2026-07-28T12:00:00+00:00", new_token=lambda: "t"
    )
    said = run("status")
    assert "behind" in said.out
    assert "current" not in said.out


def test_the_version_is_that_of_what_is_installed_and_of_what_a_snapshot_depends_on(run) -> None:
    said = run("--version")
    assert said.code == 0
    assert said.err == ""
    numbers = re.fullmatch(r"compaction (\S+) \(Python (\S+), chromadb (\S+), moto (\S+)\)\n", said.out)
    assert numbers is not None, said.out
    assert numbers.groups() == (
        version("receipt-compaction"),
        platform.python_version(),
        version("chromadb"),
        version("moto"),
    )
