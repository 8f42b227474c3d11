"""`python -m operate.conform.page`: docs/conformance.md, made of the newest reports in docs/conformance/."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from operate.conform.report import Report
from operate.conform.rows import Outcome, Row, Whose
from operate.wording import count_of

DOCS: Final = Path(__file__).parents[2] / "docs"
EMPTY: Final = "—"
HEAD: Final = """\
# Conformance

What the machine is held to, who was asked, and what they answered. `compaction conform` asks; `make conformance` makes
this page from the newest reports in [conformance/](conformance). How a case comes to what it expects is told in
[decision 31](decisions/0031-a-case-has-one-expectation-and-several-answers.md).
"""
NOBODY: Final = """\
**AWS's own columns, *AWS* and *TestState*, are empty until somebody runs it there.** Nobody has. What this page says
holds of emulators and of an evaluator of ours, and not of AWS.
"""
RUN: Final = """\
## Run it

```console
$ compaction conform --local                    # level 0, and level 1 against the stack of `compaction up`
$ compaction conform --local --level 0          # without a stack
$ compaction conform --level 0 --region REGION  # AWS credentials alone: nothing is deployed, and nothing stays
$ compaction conform --stack NAME --report ./report.json
$ compaction conform --stack NAME --template dist/cdk.out/receipt-compaction-dev.template.json
```

Exit code 0: every required row held. [deploy.md](deploy.md#the-rights-that-conform-needs) has the rights that it needs.
Level 1 ends with a base of 70,000 records of 1,536 dimensions (1,000 with `--local`; `--records N`, 0 for none), which
is merged, folded and changed: some 430 MB of deltas go up from where the command runs, and the items of 805 receipts
are put and deleted. **Nobody has run that size yet, here or on AWS**; by the [prices](../cdk/prices.py) it is below
half a dollar there.
TestState is asked about 2,500 times, one call after the other; when AWS asks for fewer calls, the command waits and
says so. A report that is handed back goes into `docs/conformance/`, and `make conformance` makes this page of it.
"""


def page_of(reports: Sequence[Report]) -> str:
    """The page, of the newest report of this machine and the newest of AWS."""
    newest = sorted(reports, key=lambda one: one.asked_at)
    chosen = [
        of[-1] for of in ([one for one in newest if one.region is None], [one for one in newest if one.region]) if of
    ]
    rows = [row for report in chosen for row in report.rows]
    on_aws = any(report.region for report in chosen)
    parts = [HEAD, "\n".join(map(_told, chosen)) + "\n", *([] if on_aws else [NOBODY]), _table(rows)]
    parts += [text for text in (_broken(rows), _known(rows), _rest(rows)) if text]
    return "\n".join([*parts, RUN])


def reports_in(folder: Path) -> list[Report]:
    """Raises what `Report.from_json` raises for a file that is none."""
    return [Report.from_json(json.loads(file.read_text())) for file in sorted(folder.glob("*.json"))]


def _told(report: Report) -> str:
    where = "this machine" if report.region is None else f"{report.stack or 'no stack'} in {report.region}"
    levels = " and ".join(map(str, report.levels))
    verdict = "passed" if report.passed else "**not passed**"
    versions = f"Version {report.version}, chromadb {report.chromadb}, botocore {report.botocore}"
    return f"- {report.asked_at[:10]}, {where}, level {levels}: {verdict}. {versions}."


def _table(rows: Sequence[Row]) -> str:
    answerers = [one for one in Whose if one is not Whose.DOCUMENT]
    lines = [f"| Part | {' | '.join(answerers)} |", f"|---|{'---|' * len(answerers)}"]
    for part in dict.fromkeys(row.part for row in rows):
        cells = [_cell([row for row in rows if (row.part, row.whose) == (part, one)]) for one in answerers]
        lines.append(f"| {part} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(rows: Sequence[Row]) -> str:
    counts = Counter("known to differ" if row.known else str(row.outcome) for row in rows if not _unasked(row))
    return ", ".join(f"{number:,} {what}" for what, number in counts.items()) or EMPTY


def _unasked(row: Row) -> bool:
    return row.outcome is Outcome.LEFT_OUT and not row.required


def _broken(rows: Sequence[Row]) -> str:
    lines = [
        f"| {row.part}: {row.what} | {row.expected} | {row.seen} | {row.whose} |" for row in rows if not row.passed
    ]
    return (
        "\n".join(
            ["## What did not hold\n", "| What | Expected | Seen | Whose answer |", "|---|---|---|---|", *lines, ""]
        )
        if lines
        else ""
    )


def _known(rows: Sequence[Row]) -> str:
    counts = Counter((row.known, row.source) for row in rows if row.known)
    lines = [
        f"- {known}: {count_of(number, 'case')} ([document]({source}))" for (known, source), number in counts.items()
    ]
    return (
        "\n".join(["## Where an emulator is known to be wrong, and by which document\n", *lines, ""]) if lines else ""
    )


def _rest(rows: Sequence[Row]) -> str:
    lines = list(_lines(rows))
    return "\n".join(["## Left out, and measured\n", *lines, ""]) if lines else ""


def _lines(rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        if row.outcome in (Outcome.LEFT_OUT, Outcome.MEASURED):
            yield f"- {row.part}, {row.what}, {row.outcome}: {row.seen} ({row.whose})"


if __name__ == "__main__":
    (DOCS / "conformance.md").write_text(page_of(reports_in(DOCS / "conformance")))
