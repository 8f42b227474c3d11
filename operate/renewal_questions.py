"""What is asked before what a renewal does, as `operate.asked_first` asks of the rest."""

from typing import Final

from operate.asked_first import AskedFirst
from operate.renewal_plan import RenewalPlan
from operate.renewing import GenerationNow, Renewal
from operate.wording import count_of, size

NAMED: Final = 2
"""How many of the missing receipts a question names."""


def renew(plan: RenewalPlan) -> AskedFirst:
    return AskedFirst(
        f"Renew {plan.collection} with the model {plan.model}",
        (
            f"The generation {plan.generation} is made beside {plan.serving}, for vectors of {plan.dimension} numbers,"
            " and each receipt of the table is marked in it.",
            f"Producers announce {count_of(plan.runs, 'run')} of that model: {count_of(plan.records, 'record')},"
            f" {size(plan.vector_bytes)} of vectors.",
            f"It takes {size(plan.stored_bytes)} of EFS and as much of S3 beside what is there, at least"
            f" {count_of(plan.rounds, 'round')}, and about ${plan.dollars:.2f}: estimates.",
            "Until it is finished every change is merged in both, which is two rounds.",
            f"Readers go on with {plan.serving} until the switch; none has to do anything before.",
        ),
        grave=True,
    )


def switch(found: Renewal, to: GenerationNow) -> AskedFirst:
    return AskedFirst(
        f"Switch {found.collection} from {found.serving} to {to.name}",
        (
            *_lacks(found, to),
            f"Readers follow with their next refresh, and answer from {to.name} alone from then on:"
            f" {_vectors(to)}. A question that says another model is refused.",
            f"{found.serving} is kept up as before: the way back is a switch to it, until the renewal is finished.",
        ),
        grave=True,
    )


def switch_when_complete(found: Renewal, to: GenerationNow) -> AskedFirst:
    return AskedFirst(
        f"Switch {found.collection} to {to.name} when it is complete",
        (
            *_lacks(found, to),
            f"The schedule looks each time, and switches once {to.name} has every receipt of {found.serving} with as"
            " many records. Nobody is asked again.",
            f"Readers then answer from vectors of another model: {_vectors(to)}.",
        ),
    )


def finish(found: Renewal) -> AskedFirst:
    return AskedFirst(
        f"Finish the renewal of {found.collection}: keep up only {found.serving}",
        (
            f"{found.beside} gets no change any more, and it cannot be switched to again: the way back ends.",
            "Runs of its model wait from now on. Its files on EFS and in S3 stay until they are removed by hand.",
            f"{found.serving} goes on serving; its changes cost one round again.",
        ),
        grave=True,
    )


def _lacks(found: Renewal, to: GenerationNow) -> tuple[str, ...]:
    """What readers would miss, first."""
    ready, said = found.readiness, []
    if ready is not None and to.name == found.beside:
        if ready.missing:
            named = f", such as {', '.join(ready.examples[:NAMED])}" if ready.examples else ""
            lack = "1 receipt lacks" if ready.missing == 1 else f"{ready.missing:,} receipts lack"
            said.append(f"{lack} records in {to.name}{named}: searches would not find them there.")
        else:
            said.append(f"All {count_of(ready.receipts, 'receipt')} of {found.serving} are in {to.name}.")
    if to.pending:
        said.append(f"{count_of(to.pending, 'receipt')} of {to.name} wait for a round.")
    if to.quarantined:
        said.append(f"{count_of(to.quarantined, 'run')} of {to.name} in quarantine.")
    return tuple(said)


def _vectors(to: GenerationNow) -> str:
    numbers = f" of {to.dimension} numbers" if to.dimension else ""
    return f"vectors{numbers} of {f'the model {to.model}' if to.model else 'its first model'}"
