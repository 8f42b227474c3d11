"""Level 0: cases of the state machine, put to whoever can be asked without a stack."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

from operate.asl.error_cases import ErrorCase, Handled, error_cases
from operate.asl.function_cases import PART as FUNCTIONS
from operate.asl.function_cases import function_cases
from operate.asl.inputs import every_state
from operate.asl.paths import StateError, UnsupportedAsl
from operate.asl.state_cases import Came, StateCase, state_cases
from operate.conform.rows import Outcome, Row, Whose

ERRORS = "Errors of tasks"


@dataclass(frozen=True)
class Difference:
    """A known one of an emulator, in which it is wrong. `applies`: to which cases, by what they came to there. source:
    the document that says so."""

    what: str
    source: str
    applies: Callable[[StateCase, Came], bool]


@dataclass(frozen=True)
class Answerer:
    """Who is asked: how an error is handled, and what a state comes to. `name`: which emulator it is."""

    whose: Whose
    handled: Callable[[ErrorCase], Handled]
    came: Callable[[StateCase], Came]
    differences: Sequence[Difference] = field(default=())
    name: str = ""


def case_rows(machine: Mapping[str, Any], asked: Mapping[str, Any], answerers: Sequence[Answerer]) -> Iterator[Row]:
    """A row for each case and answerer. The cases, and what they expect, are of `machine`; the states of `asked` are
    put to the answerers. Raises what boto3 raises where AWS does not answer."""
    states = dict(every_state(asked))
    for answerer in answerers:
        for case in chain(sorted(state_cases(machine), key=lambda one: one.part), function_cases()):
            yield state_row(case, case.definition if case.part == FUNCTIONS else states.get(case.state), answerer)
        for error_case in error_cases(machine):
            yield error_row(error_case, states.get(error_case.state), answerer)


def state_row(case: StateCase, definition: Mapping[str, Any] | None, answerer: Answerer) -> Row:
    """What an answerer makes of a state. A known difference is told, and not required."""
    seen = _asked(lambda one: answerer.came(case.put_to(one)), definition)
    if seen == case.expected or not isinstance(seen, Came):
        return _row(case.part, case.label, case.expected, seen, answerer)
    expected, told = case.expected.beside(seen), seen.beside(case.expected)
    row = Row(case.part, case.label, expected, told, answerer.whose, Outcome.BROKEN)
    known = known_difference(case, seen, answerer.differences)
    if known is None:
        return row
    return replace(row, required=False, source=known.source, known=f"{answerer.name}: {known.what}")


def error_row(case: ErrorCase, definition: Mapping[str, Any] | None, answerer: Answerer) -> Row:
    """How an answerer handles an error."""
    seen = _asked(lambda one: answerer.handled(case.put_to(one)), definition)
    return _row(ERRORS, f"{case.state}, {case.error}", case.expected, seen, answerer)


def known_difference(case: StateCase, seen: Any, differences: Sequence[Difference]) -> Difference | None:
    """The one that says why an answer is not what is expected."""
    return next((one for one in differences if isinstance(seen, Came) and one.applies(case, seen)), None)


def _asked(ask: Callable[[Mapping[str, Any]], Any], definition: Mapping[str, Any] | None) -> Any:
    if definition is None:
        return "there is no such state"
    try:
        return ask(definition)
    except (StateError, UnsupportedAsl) as error:
        return f"{type(error).__name__}: {error}"


def _row(part: str, what: str, expected: Any, seen: Any, answerer: Answerer) -> Row:
    outcome = Outcome.HELD if seen == expected else Outcome.BROKEN
    return Row(part, what, str(expected), str(seen), answerer.whose, outcome)
