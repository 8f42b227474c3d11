"""A report of conformance: its rows, when they were asked, of which version of this, and of which stack."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from operate.conform.rows import Outcome, Row, Whose


@dataclass(frozen=True)
class Report:
    """asked_at: an ISO time, in UTC. version: of this project. stack: the deployed stack's name, "local", or None where
    level 0 alone was asked. region: None on this machine. levels: which were asked."""

    asked_at: str
    version: str
    stack: str | None
    region: str | None
    levels: tuple[int, ...]
    chromadb: str
    botocore: str
    rows: tuple[Row, ...]

    @property
    def passed(self) -> bool:
        """Whether every required row held, and there was one."""
        return any(row.required for row in self.rows) and all(row.passed for row in self.rows)

    def count(self, outcome: Outcome) -> int:
        """How many rows came to this."""
        return sum(row.outcome is outcome for row in self.rows)

    def to_json(self) -> dict[str, Any]:
        """As plain values; `from_json` reads it back."""
        return {**asdict(self), "levels": list(self.levels), "rows": [asdict(row) for row in self.rows]}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Report":
        """Raises TypeError for a field that is missing or unknown, ValueError for an answerer or outcome that is."""
        rows = tuple(
            Row(**{**row, "whose": Whose(row["whose"]), "outcome": Outcome(row["outcome"])}) for row in values["rows"]
        )
        return cls(**{**values, "levels": tuple(values["levels"]), "rows": rows})
