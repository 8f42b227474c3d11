"""One row of a report of conformance: what was asked, what is expected, what was seen, and whose answer that is."""

from dataclasses import dataclass
from enum import StrEnum


class Whose(StrEnum):
    """Who answered. Only the first two are AWS itself."""

    AWS = "AWS"
    TEST_STATE = "TestState"
    EMULATOR = "emulator"
    OUR_EVALUATOR = "our evaluator"
    DOCUMENT = "document"


class Outcome(StrEnum):
    """HELD and BROKEN compare what was seen with what is expected. LEFT_OUT could not be asked here; MEASURED expects
    nothing."""

    HELD = "held"
    BROKEN = "broken"
    LEFT_OUT = "left out"
    MEASURED = "measured"


@dataclass(frozen=True)
class Row:
    """part: the heading that it stands under. seen: what was answered, or why it could not be asked. required: a report
    with such a row that is not HELD has not passed. source: the document's address, where a document says what is
    expected. known: of a BROKEN row that is not required, the known difference of an emulator that explains it."""

    part: str
    what: str
    expected: str
    seen: str
    whose: Whose
    outcome: Outcome
    required: bool = True
    source: str = ""
    known: str = ""

    @property
    def passed(self) -> bool:
        """Whether a report may pass with this row."""
        return not self.required or self.outcome is Outcome.HELD
