"""PrepareSwitch: whether a generation of the collection can serve instead of the one that does."""

from __future__ import annotations

from receipt_chroma import switching

from .border import PrepareSwitchInput, PrepareSwitchOutput
from .clients import bucket, control_table
from .step import LambdaContext, step


@step
def prepare_switch(event: PrepareSwitchInput, _context: LambdaContext) -> PrepareSwitchOutput:
    """Raises GenerationRefused for one that cannot serve."""
    prepared = switching.prepare_switch(
        control_table(),
        bucket(),
        event["collection"],
        event["generation"],
        when_complete=event["when_complete"],
    )
    return {
        "ready": prepared.ready,
        "outcome": prepared.outcome,
        "generation": prepared.generation,
        "order": prepared.order,
        "active": prepared.active,
        "receipts": prepared.readiness.receipts,
        "missing": prepared.readiness.missing,
    }
