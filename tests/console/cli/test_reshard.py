"""`compaction reshard`: its plan, and what became of it."""

import pytest

from ...toy_stack.toy import ToyStack


def test_the_plan_of_a_reshard_says_what_it_takes_and_starts_nothing(run, stack: ToyStack) -> None:
    stack.published("words", 3)
    said = run("reshard", "words", "--shards", "4", "--plan")
    assert (said.code, said.err) == (0, "")
    text = " ".join(said.out.split())
    for part in (
        "2, then 4",
        "Takes about 10 s",
        "Read from EFS",
        "Written to EFS",
        "Costs about $0.0",
        "every reader",
    ):
        assert part in text
    assert "Memory per function 251 MB" in text
    plan = run("reshard", "words", "--shards", "4", "--plan", "--json").json["plan"]
    assert (plan["shards"], plan["into"], plan["records"], plan["warnings"]) == (2, 4, 30, [])
    assert stack.executions() == []


def test_a_reshard_shows_its_plan_first_and_then_what_became_of_it(run, stack: ToyStack) -> None:
    stack.published("words", 3)
    said = run("reshard", "words", "--shards", "4", "--wait")
    assert said.code == 0
    assert said.out.index("Memory per function") < said.out.index("resharded version 4")
    answer = run("reshard", "words", "--shards", "4", "--wait", "--json").json
    assert (answer["result"], answer["version"], answer["plan"]["into"]) == ("resharded", 4, 4)
    assert stack.executions()[0] == {"collection": "words", "mode": "reshard", "trigger": "operator", "shards": 4}


def test_a_reshard_that_has_lost_is_exit_code_1_and_says_to_start_it_again(run, stack: ToyStack) -> None:
    stack.published("lines", 2)
    said = run("reshard", "lines", "--shards", "4", "--wait")
    assert said.code == 1
    assert said.err.endswith("nothing of it was published, start it again\n")


@pytest.mark.parametrize(("shards", "says"), [("2", "has 2 shards already"), ("0", "from 1 to 256"), ("257", "257")])
def test_a_number_that_no_reshard_can_go_to_is_exit_code_2(run, stack: ToyStack, shards: str, says: str) -> None:
    stack.published("words", 3)
    said = run("reshard", "words", "--shards", shards)
    assert said.code == 2
    assert says in said.error_line
    assert stack.executions() == []


def test_before_the_first_version_there_is_nothing_to_reshard(run, stack: ToyStack) -> None:
    said = run("reshard", "words", "--shards", "4", "--plan")
    assert (said.code, "no snapshot of words yet" in said.error_line) == (2, True)
