"""The functions: their names, their handlers, and what they are given. A name is a state's, or an event's consumer."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .settings import Stage

EFS_MOUNT = "/mnt/chroma"


@dataclass(frozen=True, kw_only=True)
class Step:
    """One function. `timeout_seconds` stays below its state's, so that the state sees the function's own end.

    `writes_snapshots`: whether one on EFS mounts it to write, too. Who only proves what others wrote does not.
    """

    name: str
    timeout_seconds: int
    memory: int
    disk: int = 512
    writes_snapshots: bool = True

    @property
    def handler(self) -> str:
        """`MergeDeltas` is `handlers.merge_deltas.merge_deltas`."""
        snake = re.sub(r"(?<!^)(?=[A-Z])", "_", self.name).lower()
        return f"handlers.{snake}.{snake}"


PROBE = Step(name="Probe", timeout_seconds=120, memory=1769)
"""What `compaction conform` invokes, on EFS like the others; of no state. Deployed where a stack takes probes."""


def zip_steps() -> tuple[Step, ...]:
    """Functions without Chroma: small, quick to start, outside the VPC."""
    return (
        Step(name="StreamHandler", timeout_seconds=60, memory=512),
        Step(name="InspectHolder", timeout_seconds=30, memory=256),
        Step(name="PlanCompaction", timeout_seconds=120, memory=1024),
        Step(name="SettleChanges", timeout_seconds=120, memory=512),
        Step(name="StartFold", timeout_seconds=30, memory=256),
        Step(name="StartGenerations", timeout_seconds=30, memory=256),
        Step(name="RecordExecution", timeout_seconds=30, memory=256),
    )


def container_steps(stage: Stage) -> tuple[Step, ...]:
    """Functions on EFS. Those that open Chroma get the stage's memory and disk, the others move files."""
    return (
        Step(name="DownloadSnapshot", timeout_seconds=900, memory=1769, disk=512),
        Step(name="MergeDeltas", timeout_seconds=900, memory=stage.merge_memory, disk=stage.merge_disk),
        Step(
            name="ValidateShard",
            timeout_seconds=900,
            memory=stage.merge_memory,
            disk=stage.merge_disk,
            writes_snapshots=False,
        ),
        Step(name="WriteManifest", timeout_seconds=900, memory=1769, disk=512),
        Step(name="SwapPointer", timeout_seconds=900, memory=1769, disk=512),
        Step(
            name="VerifySnapshot",
            timeout_seconds=900,
            memory=stage.merge_memory,
            disk=stage.merge_disk,
            writes_snapshots=False,
        ),
        Step(name="PrepareRollback", timeout_seconds=900, memory=1769, disk=512),
        Step(name="PrepareSwitch", timeout_seconds=900, memory=1769, disk=512, writes_snapshots=False),
        Step(name="ExpireSnapshots", timeout_seconds=300, memory=512, disk=512),
        Step(name="PlanFold", timeout_seconds=900, memory=1769, disk=512),
        Step(name="FoldShard", timeout_seconds=900, memory=stage.merge_memory, disk=stage.merge_disk),
        Step(
            name="ValidateFold",
            timeout_seconds=900,
            memory=stage.merge_memory,
            disk=stage.merge_disk,
            writes_snapshots=False,
        ),
        Step(name="WriteFold", timeout_seconds=900, memory=1769, disk=512),
        Step(name="ValidateReshard", timeout_seconds=900, memory=1769, disk=512, writes_snapshots=False),
    )
