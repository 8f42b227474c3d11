"""StartFold: an execution that folds, unless one is at it."""

from __future__ import annotations

from uuid import uuid4

from receipt_dynamo_stream.round import fold_start

from .border import StartFoldInput, StartFoldOutput
from .clients import control_table, stepfunctions
from .settings import settings
from .step import LambdaContext, step


@step
def start_fold(event: StartFoldInput, _context: LambdaContext) -> StartFoldOutput:
    """Two folds at once are safe, and pointless."""
    started = fold_start.start_fold(
        control_table().head(event["collection"]),
        stepfunctions(),
        settings().state_machine_arn,
        trigger=event["trigger"],
        asked_by=event["execution"],
        new_token=lambda: uuid4().hex,
    )
    return {"started": started}
