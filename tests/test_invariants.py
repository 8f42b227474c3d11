"""One list of invariants, four uses: no law is left to one of them alone in silence."""

import re
from pathlib import Path

import pytest
from receipt_dynamo_stream.invariants import Invariant

ROOT = Path(__file__).parents[1]
USES = {
    "simulator": ("tests/simulator",),
    "property tests": ("chroma_package/tests", "stream_package/tests"),
    "verify and doctor": ("chroma_package/receipt_chroma/verify.py", "operate/adopt"),
    "running steps": ("chroma_package/receipt_chroma", "stream_package/receipt_dynamo_stream/round", "handlers"),
}
NOT_USED = {
    ("property tests", Invariant.ONE_LINEAGE): "a parent is HEAD's alone to tell: tests/pipeline, docs/spec",
    ("property tests", Invariant.FENCED_NEVER_PUBLISHES): "a fence is HEAD's alone to tell: tests/pipeline, docs/spec",
    ("property tests", Invariant.READERS_NEVER_MIX): "of one version at a time, by that version's own content",
    ("property tests", Invariant.NO_CHANGE_LOST): "of requests that cross each other: the models of docs/spec",
    ("property tests", Invariant.CRASH_LEAVES_GARBAGE_ONLY): "of executions: the simulator and docs/spec",
    ("property tests", Invariant.PAUSED_PUBLISHES_NOTHING): "of executions: the simulator and docs/spec",
    ("verify and doctor", Invariant.CRASH_LEAVES_GARBAGE_ONLY): "a lease that is held may be at work",
    (
        "verify and doctor",
        Invariant.PAUSED_PUBLISHES_NOTHING,
    ): "no row says whether a pause stood when it was committed",
    ("running steps", Invariant.CRASH_LEAVES_GARBAGE_ONLY): "a step that crashed checks nothing: alarms on age do",
    ("running steps", Invariant.PAUSED_PUBLISHES_NOTHING): "the conditions of the commits hold it, in DynamoDB itself",
}


def is_used(invariant: Invariant, places: tuple[str, ...]) -> bool:
    """Whether a file below the places calls the check, or tells by the invariant's name what does not hold."""
    check = re.sub(r"(?<!^)(?=[A-Z])", "_", invariant).lower()
    wanted = re.compile(rf"\b{check}\(|Invariant\.{check.upper()}\b")
    paths = [
        path for place in places for path in ([ROOT / place] if place.endswith(".py") else (ROOT / place).rglob("*.py"))
    ]
    return any(wanted.search(path.read_text()) for path in paths if path.name != "test_invariants.py")


@pytest.mark.parametrize("invariant", Invariant)
@pytest.mark.parametrize("use", USES)
def test_an_invariant_is_used_by_each_or_it_is_said_why_not(use: str, invariant: Invariant) -> None:
    assert is_used(invariant, USES[use]) != ((use, invariant) in NOT_USED)


def test_the_architecture_has_the_laws_word_for_word() -> None:
    document = (ROOT / "docs/architecture.md").read_text().partition("## Invariants")[2]
    rows = re.findall(r"^\| (\w+) \| (.+) \|$", document.partition("\n## ")[0], re.MULTILINE)
    assert rows[1:] == [(str(one), one.law) for one in Invariant]
