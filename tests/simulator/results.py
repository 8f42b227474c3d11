"""`python -m tests.simulator.results`: what each task of the machine answers, recorded from the real handlers.

Writes operate/asl/results.json: of each Task whose result is read, the results of the shortest and the longest shape
that executions of each mode and random histories had. Values are those of the first that had the shape.
"""

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from operate.asl.inputs import every_state
from operate.asl.state_cases import is_read
from operate.asl.stepper import Call

from .executions import Execution, StepFunctions, machine
from .scenarios import renewed, reshard, rollback, switch, two_versions
from .seeds import run_seed
from .trial import Trial
from .world import Machine

FILE = Path(__file__).parents[2] / "operate/asl/results.json"
SEEDS = 100
"""At most; no more than bring every result."""
READ = [name for name, state in every_state(machine("control")) if is_read(state)]
MODES: tuple[dict[str, Any], ...] = (
    {"mode": "plan"},
    {"mode": "verify"},
    {"mode": "restore"},
    {"mode": "expire", "apply": True},
    {"mode": "fold", "all": True},
)


class RecordedResults:
    """Results by state, one of each shape, while it is entered."""

    def __init__(self) -> None:
        self.found: dict[str, dict[str, Any]] = {}

    def __enter__(self) -> "RecordedResults":
        self._original = original = StepFunctions._do

        def do(functions: StepFunctions, execution: Execution, action: Any) -> Any:
            answer = original(functions, execution, action)
            if isinstance(action, Call):
                self.found.setdefault(action.state, {}).setdefault(shape_of(answer), answer)
            return answer

        StepFunctions._do = do  # type: ignore[method-assign]
        return self

    def __exit__(self, *_: object) -> None:
        StepFunctions._do = self._original  # type: ignore[method-assign]

    def to_json(self) -> dict[str, list[Any]]:
        """By state, those of the shortest and the longest shape."""
        return {state: _ends(self.found[state]) for state in sorted(self.found) if state in READ}


def _ends(shapes: dict[str, Any]) -> list[Any]:
    ordered = sorted(shapes, key=lambda shape: (len(shape), shape))
    return [shapes[one] for one in dict.fromkeys((ordered[0], ordered[-1]))]


def shape_of(value: Any) -> str:
    """The names and the types of a value; of a list what its items have."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {shape_of(value[name])}" for name in sorted(value)) + "}"
    if isinstance(value, list):
        return f"[{' | '.join(sorted({shape_of(one) for one in value}))}]"
    return type(value).__name__


def main() -> None:
    if os.environ.get("PYTHONHASHSEED") != "0":  # else sets have another order each time
        os.execve(
            sys.executable, [sys.executable, "-m", "tests.simulator.results"], {**os.environ, "PYTHONHASHSEED": "0"}
        )
    with (
        tempfile.TemporaryDirectory() as folder,
        Machine(Path(folder)).running() as stage,
        RecordedResults() as recorded,
    ):
        start = two_versions(stage)
        for given in MODES:
            trial = Trial(stage, start)
            trial.start(**given)
            trial.run()
        for act, begun in ((rollback, start), (reshard, start), (switch, renewed(stage, start))):
            trial = Trial(stage, begun)
            act(trial)
            trial.run()
        for seed in range(SEEDS):
            if set(READ) <= set(recorded.found):
                break
            run_seed(stage, start, seed)
    print("Without a result: ", *sorted(set(READ) - set(recorded.found)))
    FILE.write_text(json.dumps(recorded.to_json(), indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
