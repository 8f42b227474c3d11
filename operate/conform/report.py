"""A report of conformance: its rows, when they were asked, of which version of this, and of which stack."""

import json
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any

from operate.conform.rows import Outcome, Row, Whose

_DEFAULTS = {field.name: field.default for field in fields(Row) if field.default is not MISSING}


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

    def to_text(self) -> str:
        """The JSON, a row a line, without what a row has by default or `seen` that is what is expected."""
        values = self.to_json()
        rows = [json.dumps(_short(row)) for row in values.pop("rows")]
        head = json.dumps(values)[1:-1]
        return f'{{{head}, "rows": [\n' + ",\n".join(rows) + "\n]}\n"

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Report":
        """Raises TypeError for a field that is missing or unknown, ValueError for an answerer or outcome that is."""
        return cls(**{**values, "levels": tuple(values["levels"]), "rows": tuple(map(_row, values["rows"]))})


def _row(values: Mapping[str, Any]) -> Row:
    typed = {"whose": Whose(values["whose"]), "outcome": Outcome(values["outcome"])}
    return Row(**{"seen": values["expected"], **values, **typed})


def _short(row: Mapping[str, Any]) -> dict[str, Any]:
    known = {**_DEFAULTS, "seen": row["expected"]}
    return {name: value for name, value in row.items() if name not in known or value != known[name]}
