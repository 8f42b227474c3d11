"""`compaction load` and what it is given."""

from pathlib import Path

import pytest

from ...toy_stack.toy import ToyStack


@pytest.mark.usefixtures("stack")
def test_files_that_are_not_there_are_wrong_arguments_each_by_its_name(run) -> None:
    Path("own.csv").write_text("receipt,line,word,text\nscan-7,1,1,MILK\n")
    said = run("load", "gone.csv", "own.csv", "typo.csv")
    assert (said.code, said.out) == (2, "")
    assert said.err == "compaction: gone.csv, typo.csv: there is no such file\n"


def test_a_file_of_another_kind_is_named(run, stack: ToyStack) -> None:
    Path("own.txt").write_text("MILK\n")
    said = run("load", "own.txt")
    assert (said.code, said.out) == (1, "")
    assert "LoadRefused: own.txt is neither .csv nor" in said.err
    assert stack.dynamodb.scan(TableName=stack.connection.receipts_table)["Count"] == 0
