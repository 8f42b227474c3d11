"""Receipts of one's own, on a stack that has others."""

from pathlib import Path

import pytest

from .desk import DIMENSION, Desk


@pytest.mark.slow
def test_vectors_of_another_length_than_what_is_published_are_refused_before_anything_is_written(desk: Desk) -> None:
    desk.write(desk.receipts[0])
    version = desk.settle_down()
    table, dynamodb = desk.stack.connection.receipts_table, desk.stack.client("dynamodb")
    before = dynamodb.scan(TableName=table)["Count"]
    Path("own.csv").write_text("receipt,line,word,text\nscan-7,1,1,MILK\n")
    said = desk.try_to("load", "own.csv")
    assert (said.code, said.out) == (2, "")
    assert f"have {DIMENSION} floats and these have 1536" in said.err
    assert dynamodb.scan(TableName=table)["Count"] == before
    assert desk.settle_down() == version
