"""What doctor says on a terminal."""

from io import StringIO

from rich.console import Console

from console.cli.render_adopt import diagnosis_tables, who_is_needed
from operate.adopt.doctor import Diagnosis, Finding

TROUBLE = Finding("no run", True, "announce it", receipts=5, parts=9, examples=["IMAGE#a#RECEIPT#00001"] * 3)
NOTE = Finding("word without record", False, "announce it", receipts=3, parts=3, examples=["IMAGE#b#RECEIPT#00001"] * 3)
STATES = {"served": 1, "waiting": 0, "quarantined": 0, "missing": 5, "nothing": 0}


def diagnosis(*findings: Finding) -> Diagnosis:
    return Diagnosis("words", 7, 6, STATES, findings)


def test_how_many_receipts_are_not_shown_is_said() -> None:
    console = Console(file=StringIO(), width=80)
    for part in diagnosis_tables(diagnosis(TROUBLE, NOTE), width=80):
        console.print(part)
    said = console.file.getvalue()  # type: ignore[attr-defined]
    assert said.count("and 2 more") == 1, "of five three are shown; the note's three are all"
    assert said.count(" more") == 1


def test_the_last_line_names_what_needs_somebody_also_where_nothing_is_bold() -> None:
    assert who_is_needed([diagnosis(NOTE)], bucket=False) == "Nothing is unexplained."
    said = who_is_needed([diagnosis(NOTE, TROUBLE), diagnosis(TROUBLE)], bucket=True)
    assert said == "Somebody is needed: no run, the bucket. What to do is said above."
