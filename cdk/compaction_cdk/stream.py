"""The receipts table's stream to the stream function: what is let through, in which batches, and what may fail."""

from __future__ import annotations

import json
from typing import Any

from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

CHANGE_BY_FIELD = ("RECEIPT_PLACE", "RECEIPT_METADATA", "RECEIPT_SECTION", "RECEIPT_WORD_LABEL")
"""Entities whose MODIFY may matter."""
CHANGE_BY_BEING = ("RECEIPT", "RECEIPT_LINE", "RECEIPT_WORD", "COMPACTION_RUN")
"""Entities of which only INSERT and REMOVE matter. A run's state is written by every compaction."""


def filter_patterns() -> list[dict[str, Any]]:
    """What the function is invoked for; a mapping takes at most five patterns and sees only the `dynamodb` key.

    They save invocations. The function decides again by itself, so a pattern that lets too much through costs money
    only; one that lets too little through loses changes.
    """
    absent = [{"exists": False}]
    return [
        _images(NewImage=CHANGE_BY_FIELD),
        _images(OldImage=CHANGE_BY_FIELD),
        _images(NewImage=CHANGE_BY_BEING, OldImage=absent),
        _images(NewImage=absent, OldImage=CHANGE_BY_BEING),
    ]


def _images(**types: Any) -> dict[str, Any]:
    return {"dynamodb": {image: {"TYPE": {"S": list(values)}} for image, values in types.items()}}


class StreamMapping(Construct):
    """`mapping`. Every setting is written out: retries and record age are unlimited by default, and one record that
    always fails would hold its shard for a day."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        stream_arn: str,
        function: lambda_.Function,
        failure_queue: sqs.IQueue,
        batch_size: int,
        batch_window_seconds: int,
        attempts: int,
        record_age_hours: int,
    ) -> None:
        super().__init__(scope, id)
        patterns = [lambda_.CfnEventSourceMapping.FilterProperty(pattern=json.dumps(p)) for p in filter_patterns()]
        self.mapping = lambda_.CfnEventSourceMapping(
            self,
            "Mapping",
            event_source_arn=stream_arn,
            function_name=function.function_name,
            enabled=True,
            # From the oldest record: what changed while the stack was made is marked too, and marking twice is harmless.
            starting_position="TRIM_HORIZON",
            batch_size=batch_size,
            maximum_batching_window_in_seconds=batch_window_seconds,
            tumbling_window_in_seconds=0,
            parallelization_factor=1,
            bisect_batch_on_function_error=True,
            maximum_retry_attempts=attempts,
            maximum_record_age_in_seconds=record_age_hours * 3600,
            function_response_types=["ReportBatchItemFailures"],
            filter_criteria=lambda_.CfnEventSourceMapping.FilterCriteriaProperty(filters=patterns),
            destination_config=lambda_.CfnEventSourceMapping.DestinationConfigProperty(
                on_failure=lambda_.CfnEventSourceMapping.OnFailureProperty(destination=failure_queue.queue_arn)
            ),
        )
        assert function.role is not None
        self.mapping.node.add_dependency(function.role)  # Lambda checks at once that it may read the stream
