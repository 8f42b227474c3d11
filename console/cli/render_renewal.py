"""How a renewal is shown in a terminal."""

from collections.abc import Iterator

from receipt_chroma.readiness import Readiness
from rich.table import Table
from rich.text import Text

from console.cli.tables import plain_table
from operate.renewal_plan import RenewalPlan
from operate.renewing import Renewal
from operate.wording import count_of, number, short_record, size


def renewal_tables(found: Renewal) -> Iterator[Table]:
    """The generations, then how much of what serves the other one has."""
    rows = [
        (
            one.name,
            "serves" if one.serves else "beside",
            one.model or "the first",
            number(one.dimension),
            one.version,
            one.records,
            one.pending,
            one.quarantined,
        )
        for one in found.generations
    ]
    columns = ("generation", "", "model", "dimension", "version", "records", "pending", "quarantined")
    yield plain_table(f"Generations of {found.collection}", columns, rows)
    if found.readiness is not None and found.beside is not None:
        yield across_table(found.serving, found.beside, found.readiness)


def across_table(name: str, other: str, ready: Readiness) -> Table:
    """How much of one generation another one has."""
    facts: list[tuple[str, object]] = [
        ("Receipts ready", f"{ready.ready:,} of {ready.receipts:,}"),
        ("Records of them", f"{ready.ready_records:,} of {ready.records:,}"),
        ("Receipts missing", number(ready.missing)),
        *(("" if place else "Such as", Text(short_record(key))) for place, key in enumerate(ready.examples)),
    ]
    if ready.more:
        facts.append((f"Receipts only in {other}", number(ready.more)))
    return plain_table(f"What {other} has of {name}", ("", ""), facts)


def what_next(found: Renewal) -> Iterator[str]:
    """What waits, and what can be done."""
    command = f"`compaction renew {found.collection}"
    if found.unseen is not None:
        yield f"Readers may not see the last switch yet, since {found.unseen}: the next execution shows it."
    if found.beside is None:
        yield f"Only {found.serving} is kept up. {command} --model NAME --dimension D --plan` says what another takes."
        return
    if found.switching is not None:
        yield f"The schedule switches when it is complete: {found.switching}."
    if found.readiness is not None and found.readiness.missing:
        yield f"A receipt is ready once a run of the model {found.of(found.beside).model or 'of the first'} is merged."
    yield f"{command} --switch` lets {found.beside} serve; --finish keeps up only {found.serving}."


def renewal_plan_table(plan: RenewalPlan) -> Table:
    """What a renewal takes, before it is begun."""
    facts: list[tuple[str, object]] = [
        ("Generation", f"{plan.generation}, beside {plan.serving}"),
        ("Model", Text(plan.model)),
        ("Dimension", number(plan.dimension)),
        ("Shards", number(plan.shards)),
        ("Receipts", number(plan.receipts)),
        ("Records", number(plan.records)),
        ("Vectors", size(plan.vector_bytes)),
        ("On EFS and in S3", f"{size(plan.stored_bytes)} each, beside what is there"),
        ("Written until all is in", f"about {size(plan.written_bytes)} to EFS, and as much to S3"),
        ("Executions", f"at least 1, of {count_of(plan.rounds, 'round')}"),
        ("Costs", f"about ${plan.dollars:.2f}, and two rounds for every change until it is finished"),
        ("Producers", f"announce {count_of(plan.runs, 'run')}"),
        ("Readers", "none has to do anything until the switch"),
    ]
    return plain_table(f"A renewal of {plan.collection}", ("", ""), facts)
