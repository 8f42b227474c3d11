"""What the stack runs: a state machine file, and functions whose handlers are files beside it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from local.errors import ApplicationMissing
from local.names import PROBE, RECORDER, STREAM_HANDLER

REPOSITORY = Path(__file__).resolve().parent.parent

STEPS = (
    "InspectHolder",
    "PlanCompaction",
    "DownloadSnapshot",
    "MergeDeltas",
    "ValidateShard",
    "WriteManifest",
    "SwapPointer",
    "SettleChanges",
    "ExpireSnapshots",
    "PrepareRollback",
    "VerifySnapshot",
    "PlanFold",
    "FoldShard",
    "ValidateFold",
    "WriteFold",
    "ValidateReshard",
    "StartFold",
    "StartGenerations",
    "PrepareSwitch",
)
"""The functions that the state machine calls; a state, its function and its handler share one name."""

SHARD_STEPS = ("MergeDeltas", "ValidateShard", "FoldShard", "ValidateFold")
"""The steps that run once per shard, in parallel."""

_RECORDER_SECONDS = 30.0
_PROBE_SECONDS = 120.0
_PROBES_AT_ONCE = 4


@dataclass(frozen=True)
class Function:
    """One Lambda function.

    `handler` is module.function, as the Lambda setting of that name. `max_workers` bounds its processes; at least two,
    so that a frozen one does not hold up the next execution. `timeout_seconds` is Lambda's: from the moment the worker
    takes the event; the cold start does not count.
    """

    name: str
    handler: str
    max_workers: int = 2
    timeout_seconds: float = 300.0


@dataclass(frozen=True)
class Application:
    """A definition with its functions. `root` is the functions' LAMBDA_TASK_ROOT and import path. The recorder, where
    there is one, gets an event for every execution that starts or ends; the probe is invoked by `compaction conform`.
    """

    root: Path
    definition: Path
    steps: tuple[Function, ...]
    stream_handler: Function
    recorder: Function | None = None
    probe: Function | None = None

    @property
    def functions(self) -> tuple[Function, ...]:
        """Every function, those that the state machine calls first."""
        return (*self.steps, self.stream_handler, *(one for one in (self.recorder, self.probe) if one))

    def check(self) -> None:
        """Raise ApplicationMissing unless every file is there."""
        files = [self.definition]
        for function in self.functions:
            module, _, _ = function.handler.rpartition(".")
            files.append(self.root.joinpath(*module.split(".")).with_suffix(".py"))
        if missing := [str(file) for file in files if not file.is_file()]:
            raise ApplicationMissing(f"no {', no '.join(missing)}: run the local stack from a clone of the repository")


def snake_case(name: str) -> str:
    """MergeDeltas -> merge_deltas."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def functions_of(
    names: Iterable[str], *, package: str = "handlers", merge_workers: int = 3, timeout_seconds: float = 300.0
) -> tuple[Function, ...]:
    """Functions under the naming rule of the repository: MergeDeltas is `handlers.merge_deltas.merge_deltas`."""
    return tuple(
        Function(
            name=name,
            handler=f"{package}.{snake_case(name)}.{snake_case(name)}",
            max_workers=max(2, merge_workers) if name in SHARD_STEPS else 2,
            timeout_seconds=timeout_seconds,
        )
        for name in names
    )


def compaction_application(
    *, root: Path = REPOSITORY, merge_workers: int = 3, timeout_seconds: float = 300.0, probe: bool = True
) -> Application:
    """The repository's own application: the very files that are deployed."""
    functions = functions_of((*STEPS, STREAM_HANDLER), merge_workers=merge_workers, timeout_seconds=timeout_seconds)
    (recorder,) = functions_of((RECORDER,), timeout_seconds=min(_RECORDER_SECONDS, timeout_seconds))
    (prober,) = functions_of((PROBE,), timeout_seconds=min(_PROBE_SECONDS, timeout_seconds))
    return Application(
        root=root,
        definition=root / "state_machines" / "compaction.asl.json",
        steps=functions[:-1],
        stream_handler=functions[-1],
        recorder=recorder,
        probe=replace(prober, max_workers=_PROBES_AT_ONCE) if probe else None,
    )
