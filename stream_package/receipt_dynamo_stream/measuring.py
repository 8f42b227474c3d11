"""How rules tell what they did: who runs them passes a function that counts."""

from typing import Literal, Protocol

Unit = Literal["Count", "Seconds", "Bytes"]


class Measure(Protocol):
    """Counts at once, so that it is told also when what follows fails. Names are CloudWatch's, of metrics."""

    def __call__(self, name: str, value: float, unit: Unit = "Count") -> None: ...
