"""What a probe has to say, as rows of its part."""

from dataclasses import dataclass

from operate.conform.rows import Outcome, Row, Whose
from operate.stack import Stack


def answers_of(stack: Stack) -> Whose:
    """Who answers for a stack: AWS where its services have their own endpoints."""
    return Whose.AWS if stack.connection.endpoint_url is None else Whose.EMULATOR


@dataclass(frozen=True)
class Told:
    """Makes the rows of one part."""

    part: str
    whose: Whose

    def judged(self, what: str, expected: str, seen: object, holds: bool, source: str = "") -> Row:
        """Required: what was seen against what is expected."""
        outcome = Outcome.HELD if holds else Outcome.BROKEN
        return Row(self.part, what, expected, str(seen), self.whose, outcome, source=source)

    def left_out(self, what: str, expected: str, why: str, source: str = "") -> Row:
        """Not required here: what could not be asked, and why."""
        return Row(self.part, what, expected, why, self.whose, Outcome.LEFT_OUT, required=False, source=source)

    def measured(self, what: str, seen: object, source: str = "") -> Row:
        """A figure, of which nothing is expected."""
        return Row(self.part, what, "", str(seen), self.whose, Outcome.MEASURED, required=False, source=source)
