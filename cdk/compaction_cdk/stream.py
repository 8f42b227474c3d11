"""The receipts table's stream to the stream function: what is let through, in which batches, and what may fail."""

from __future__ import annotations

import json
from typing import Any

from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

ENTITIES = (
    "COMPACTION_RUN",
    "RECEIPT",
    "RECEIPT_LINE",
    "RECEIPT_METADATA",
    "RECEIPT_PLACE",
    "RECEIPT_SECTION",
    "RECEIPT_WORD",
    "RECEIPT_WORD_LABEL",
)
"""The `TYPE` of the items whose records may matter."""


def filter_patterns() -> list[dict[str, Any]]:
    """What the function is invoked for: an image, new or old, of one of ENTITIES.

    Filters save invocations; the function decides again by itself. So they stay coarse: letting too much through costs
    money, letting too little through loses changes. A mapping sees only the `dynamodb` key, so the event's name is out
    of reach, and "there is no old image" (`exists` in an image that is missing as a whole) is not documented.
    """
    return [{"dynamodb": {image: {"TYPE": {"S": list(ENTITIES)}}}} for image in ("NewImage", "OldImage")]


class StreamMapping(Construct):
    """`mapping`. Every setting is written out. A batch that fails is delivered again until DynamoDB is about to forget
    it, and then the failure queue tells of it. What fails is a service, since the function sets a record aside that can
    never be handled: to count attempts would give up what came in an outage of minutes."""

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
            # From the oldest record: what changed while the stack was made counts, and marking twice is harmless.
            starting_position="TRIM_HORIZON",
            batch_size=batch_size,
            maximum_batching_window_in_seconds=batch_window_seconds,
            tumbling_window_in_seconds=0,
            parallelization_factor=1,
            bisect_batch_on_function_error=True,
            maximum_retry_attempts=-1,
            maximum_record_age_in_seconds=record_age_hours * 3600,
            function_response_types=["ReportBatchItemFailures"],
            filter_criteria=lambda_.CfnEventSourceMapping.FilterCriteriaProperty(filters=patterns),
            destination_config=lambda_.CfnEventSourceMapping.DestinationConfigProperty(
                on_failure=lambda_.CfnEventSourceMapping.OnFailureProperty(destination=failure_queue.queue_arn)
            ),
        )
        assert function.role is not None
        self.mapping.node.add_dependency(function.role)  # Lambda checks at once that it may read the stream
