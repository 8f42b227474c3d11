"""What doctor found, and what an adoption would write, as tables."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from receipt_dynamo_stream.grain import grain_of
from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from console.cli.tables import fitting_table, plain_table
from operate.wording import count_of, number

if TYPE_CHECKING:
    from operate.adopt.adoption import Adoption
    from operate.adopt.doctor import Diagnosis


def diagnosis_tables(diagnosis: "Diagnosis", *, width: int) -> Iterator[RenderableType]:
    """How many receipts are in which state, then every reason with what to do and some examples."""
    version = "before there is a stack" if diagnosis.version is None else f"version {diagnosis.version}"
    states = {state: count for state, count in diagnosis.states.items() if count or state != "nothing"}
    if "nothing" in states:
        states[f"without {diagnosis.collection}"] = states.pop("nothing")
    columns = ["receipts", *states]
    title = f"{diagnosis.collection}, {version}"
    yield fitting_table(title, columns, [[number(diagnosis.receipts), *map(number, states.values())]], width=width)
    one = grain_of(diagnosis.collection).one
    for finding in diagnosis.findings:
        about = f"{count_of(finding.receipts, 'receipt')}, {count_of(finding.parts, one)}"
        law = f", against {finding.breaks}" if finding.breaks else ""
        yield Text(f"{finding.why}: {about}{law}", style="bold red" if finding.trouble else "bold")
        yield Padding(Text(f"{finding.do}."), (0, 0, 0, 2))
        for example in finding.examples:
            yield Text(f"  {example}")
        if (others := finding.receipts - len(finding.examples)) > 0:
            yield Text(f"  and {number(others)} more")


def who_is_needed(diagnoses: "Sequence[Diagnosis]", *, bucket: bool) -> str:
    """The last line: whether somebody has to act, and of what. bucket: it has troubles of its own."""
    whys = dict.fromkeys(finding.why for one in diagnoses for finding in one.findings if finding.trouble)
    named = [*whys, *(["the bucket"] if bucket else [])]
    return f"Somebody is needed: {', '.join(named)}. What to do is said above." if named else "Nothing is unexplained."


def adoption_tables(adoption: "Adoption") -> Iterator[RenderableType]:
    """What would be written, then what does not fit."""
    facts: list[tuple[str, object]] = [
        ("Records in the directory", number(adoption.records)),
        ("Dimension", number(adoption.dimension)),
        ("Receipts to adopt", number(len(adoption.runs))),
        ("Records to adopt", number(adoption.adopted)),
    ]
    if adoption.there:
        facts.append(("Receipts adopted before", number(adoption.there)))
    yield plain_table(f"Adoption of {adoption.collection}", ("", ""), facts)
    for misfit in adoption.misfits.values():
        yield Text(f"Left where it is, {misfit.why}: {count_of(misfit.records, 'record')}", style="bold")
        for example in misfit.examples:
            yield Text(f"  {example}")
    if adoption.again:
        yield Text(
            f"{count_of(len(adoption.again), 'receipt')} younger than a run: created again, or written again by a"
            " migration. If created again, the directory may have an earlier receipt's records of these ids.",
            style="bold",
        )
        for receipt in adoption.again[:3]:
            yield Text(f"  {receipt.key}")
