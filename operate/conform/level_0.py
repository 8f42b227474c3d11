"""Level 0: cases of the state machine, put to whoever can be asked without a stack."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from operate.asl.error_cases import ErrorCase, Handled, error_cases, tasks
from operate.asl.paths import StateError, UnsupportedAsl
from operate.conform.rows import Outcome, Row, Whose

ERRORS = "Errors of tasks"


@dataclass(frozen=True)
class Answerer:
    """Who is asked. `handled` says how it handles an error."""

    whose: Whose
    handled: Callable[[ErrorCase], Handled]


def case_rows(machine: Mapping[str, Any], asked: Mapping[str, Any], answerers: Sequence[Answerer]) -> Iterator[Row]:
    """A row for each case and answerer. The cases, and what they expect, are of `machine`; the states of `asked` are
    put to the answerers. Raises what boto3 raises where AWS does not answer."""
    states = dict(tasks(asked))
    for answerer in answerers:
        for case in error_cases(machine):
            yield _error_row(case, states.get(case.state), answerer)


def _error_row(case: ErrorCase, definition: Mapping[str, Any] | None, answerer: Answerer) -> Row:
    seen = "there is no such state"
    holds = False
    if definition is not None:
        try:
            handled = answerer.handled(case.put_to(definition))
            seen, holds = str(handled), handled == case.expected
        except (StateError, UnsupportedAsl) as error:
            seen = f"{type(error).__name__}: {error}"
    outcome = Outcome.HELD if holds else Outcome.BROKEN
    return Row(ERRORS, f"{case.state}: {case.error}", str(case.expected), seen, answerer.whose, outcome)
