"""StartGenerations: a scheduled execution for each other generation of the collection that is kept up."""

from __future__ import annotations

from uuid import uuid4

from receipt_dynamo_stream.round import generation_starts

from .border import StartGenerationsInput, StartGenerationsOutput
from .clients import control_table, stepfunctions
from .settings import settings
from .step import LambdaContext, step


@step
def start_generations(event: StartGenerationsInput, _context: LambdaContext) -> StartGenerationsOutput:
    """Two at once cost an execution that finds nothing to do."""
    started = generation_starts.start_generations(
        control_table().generations(event["collection"]),
        stepfunctions(),
        settings().state_machine_arn,
        new_token=lambda: uuid4().hex,
    )
    return {"started": started}
