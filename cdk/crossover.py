"""What the same work costs elsewhere, and where the lines cross: `python cdk/crossover.py` prints the tables of
docs/when.md; --check compares them.

The work is that of two rows of cost.py: one receipt of 50 records a minute and one query a second, into 100,000 and
into 10,000,000 records of 1,536 dimensions.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace

from cost import A_RECEIPT_A_MINUTE, INTO_MANY, ROOT, SCENARIOS, Load, cost
from elsewhere import ELSEWHERE, gigabytes, terabytes_queried
from foreign_prices import CHROMA_SERVER, CHROMA_SERVERS, FOREIGN, READ

GUIDE = ROOT / "docs/when.md"
MOST_QUERIES, MOST_CHANGES = 1_000.0, 100_000
LEAST = "at least {}"
TEN_MINUTES, THIRTY_TWO = SCENARIOS["… or ten"], SCENARIOS["… in 32 shards"]


def ours(load: Load) -> float:
    """By cost.py."""
    return sum(cost(load).values())


def crossing(differs: Callable[[float], float], most: float) -> tuple[float, bool] | None:
    """Where a difference changes its sign, once at most, between 0 and `most`, and whether it ends below 0."""
    low, high = 0.0, most
    begins = differs(low) < 0
    if begins == (differs(high) < 0):
        return None
    while high - low > 1e-3 * max(1.0, low):
        middle = (low + high) / 2
        low, high = (middle, high) if (differs(middle) < 0) == begins else (low, middle)
    return high, not begins


def by_queries(mine: Load, bill: Callable[[Load], float]) -> str:
    """Queries a second at which ours costs less than this one, everything else as it is."""
    return _said(lambda queries: ours(_asked(mine, queries)) - bill(_asked(mine, queries)), MOST_QUERIES)


def by_changes(mine: Load, bill: Callable[[Load], float]) -> str:
    """Changed receipts a day at which ours costs less than this one, everything else as it is."""
    return _said(lambda changes: ours(_changed(mine, changes)) - bill(_changed(mine, changes)), MOST_CHANGES)


def _asked(load: Load, queries: float) -> Load:
    return replace(load, queries=max(queries, 1e-6))  # a reader that is there, and hardly asked


def _changed(load: Load, changes: float) -> Load:
    return replace(load, changes=max(1, round(changes)))


def _said(differs: Callable[[float], float], most: float) -> str:
    found = crossing(differs, most)
    if found is None:
        return "always" if differs(most) < 0 else "never"
    where, ends_below = found
    return f"{'from' if ends_below else 'up to'} {where:,.{0 if where >= 10 else 1}f}"


def at_least(said: str) -> str:
    """The same where the other bill is a lower bound: what is not in it is in favour of ours."""
    if said.startswith("from"):
        return f"{said} or less"
    return f"{said} or more" if said.startswith("up to") else said.replace("never", "not by what is known")


def bills() -> str:
    """What a month costs."""
    prod, slow, many = (ours(load) for load in (A_RECEIPT_A_MINUTE, TEN_MINUTES, THIRTY_TWO))
    lines = [
        "Dollars a month for a receipt of 50 records a minute and a query a second, into so many records:",
        "",
        "| | 100,000 | 10,000,000 | What is counted |",
        "|---|---:|---:|---|",
        f"| **this**, as prod is set | **{prod:,.0f}** | | all that [deploy.md](deploy.md#what-it-costs) counts |",
        f"| **this**, one shard, less memory, ten minutes between commits | **{slow:,.0f}** | | the same |",
        f"| **this**, 32 shards | | **{many:,.0f}** | **not** the machine that answers, with some 90 GB of memory |",
    ]
    for name, way in ELSEWHERE.items():
        amounts = [f"{way.bill(load):,.0f}" for load in (A_RECEIPT_A_MINUTE, INTO_MANY)]
        lines.append(
            f"| {name} | {' | '.join(map(LEAST.format, amounts) if way.at_least else amounts)} | {way.counts} |"
        )
    lines.append(
        "| sqlite-vec in a Lambda | not stated | does not fit | a file of"
        f" {gigabytes(INTO_MANY):,.0f} GB, and `/tmp` has at most 10.24; a query's time for"
        f" {gigabytes(A_RECEIPT_A_MINUTE):.2f} GB is not stated |"
    )
    small, large = (terabytes_queried(load) for load in (A_RECEIPT_A_MINUTE, INTO_MANY))
    lines += [
        "",
        f"S3 Vectors also asks for the data that its queries go over, {small:,.0f} and {large:,.0f} TB a month here. No"
        " page of AWS that could be read states its price: each tenth of a cent a TB adds"
        f" ${small / 1e3:,.0f} and ${large / 1e3:,.0f}.",
        "",
        f"Standing still this costs ${ours(Load(changes=1, shards=1)):,.0f} (a change a day, no query), most of it"
        " alarms and metrics.",
    ]
    return "\n".join(lines) + "\n"


def crossings() -> str:
    """Where the bills cross, at 100,000 records."""
    lines = [
        "This is cheaper, at 100,000 records:",
        "",
        "| than | at queries a second, as prod is set | with ten minutes | at changed receipts a day, as prod is set"
        " | with ten minutes |",
        "|---|---|---|---|---|",
    ]
    for name, way in ELSEWHERE.items():
        cells = [by(mine, way.bill) for by in (by_queries, by_changes) for mine in (A_RECEIPT_A_MINUTE, TEN_MINUTES)]
        lines.append(f"| {name} | {' | '.join(map(at_least, cells) if way.at_least else cells)} |")
    return "\n".join(lines) + "\n"


def sources() -> str:
    """The prices, and where they were read."""
    pages = dict.fromkeys(page for _dollars, _unit, page in FOREIGN.values())
    lines = [f"| Price, read {READ} | Where |", "|---|---|"]
    for page in pages:
        units = [
            f"{unit} ${dollars:.9f}".rstrip("0").rstrip(".") for dollars, unit, of in FOREIGN.values() if of == page
        ]
        lines.append(f"| {'; '.join(units)} | [{page[1]}]({page[0]}) |")
    machines = "; ".join(f"{instance} ${dollars:,.2f}" for instance, _most, dollars in CHROMA_SERVERS)
    lines.append(f"| Chroma server: {machines} | [{CHROMA_SERVER[1]}]({CHROMA_SERVER[0]}) |")
    return "\n".join(lines) + "\n"


TABLES = {"bills": bills, "crossings": crossings, "sources": sources}


def filled(text: str) -> str:
    """The page with each table made anew between its marks. Raises ValueError for a mark that is not there."""
    for name, table in TABLES.items():
        begin, end = f"<!-- {name}: made by cdk/crossover.py -->\n", f"<!-- end of {name} -->\n"
        before, rest = text.split(begin)
        _old, after = rest.split(end)
        text = before + begin + table() + end + after
    return text


def main() -> int:
    """Write or check the page's tables; the exit code says whether they were right before."""
    text = GUIDE.read_text()
    new = filled(text)
    if "--check" in sys.argv:
        return int(new != text)
    GUIDE.write_text(new)
    return 0


if __name__ == "__main__":
    sys.exit(main())
