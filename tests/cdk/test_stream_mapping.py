"""The stream mapping: no change is filtered away, and nothing is left to a default that blocks a shard."""

import itertools
import json
from collections.abc import Mapping
from typing import Any

import pytest
from receipt_dynamo_stream import detect_change, parse_stream_record
from receipt_dynamo_stream.changes import COLLECTIONS_OF, RELEVANT_FIELDS

from .template import Template

pytestmark = pytest.mark.cdk

SUFFIXES = {
    "RECEIPT": "",
    "RECEIPT_LINE": "#LINE#00001",
    "RECEIPT_WORD": "#LINE#00001#WORD#00001",
    "RECEIPT_WORD_LABEL": "#LINE#00001#WORD#00001#LABEL#TOTAL",
    "RECEIPT_PLACE": "#PLACE",
    "RECEIPT_METADATA": "#METADATA",
    "RECEIPT_SECTION": "#SECTION#TOTALS",
    "COMPACTION_RUN": "#COMPACTION_RUN#7b1f7c1e-6f0a-4a3b-9a53-0d2b8f6a1c11",
}


def record(entity: str, event: str) -> dict[str, Any]:
    """A stream record of an entity; a MODIFY changes every field that matters."""
    keys = {"PK": {"S": "IMAGE#3f52804b"}, "SK": {"S": f"RECEIPT#00001{SUFFIXES.get(entity, '#OTHER')}"}}
    old, new = (
        {**keys, "TYPE": {"S": entity}, **{field: {"S": value} for field in RELEVANT_FIELDS.get(entity, ())}}
        for value in ("old", "new")
    )
    images = {"INSERT": {"NewImage": new}, "MODIFY": {"OldImage": old, "NewImage": new}, "REMOVE": {"OldImage": old}}
    return {
        "eventID": "1",
        "eventName": event,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": {"ApproximateCreationDateTime": 1, "Keys": keys, "SequenceNumber": "1", **images[event]},
    }


def matches(value: Any, pattern: Mapping[str, Any] | list[str]) -> bool:
    """What AWS documents of filter patterns, as far as ours go: a list names the values, an object goes deeper."""
    if isinstance(pattern, list):
        return value in pattern
    return isinstance(value, Mapping) and all(matches(value.get(key), inner) for key, inner in pattern.items())


def patterns(template: Template) -> list[dict[str, Any]]:
    filters = template.one("Lambda::EventSourceMapping")["FilterCriteria"]["Filters"]
    return [json.loads(one["Pattern"]) for one in filters]


@pytest.mark.parametrize("event", ["INSERT", "MODIFY", "REMOVE"])
def test_whatever_matters_passes_the_filter(dev: Template, event: str) -> None:
    relevant = [e for e in COLLECTIONS_OF if detect_change(parse_stream_record(record(e, event)))]
    assert relevant, "then this test proves nothing"
    for entity in relevant:
        assert any(matches(record(entity, event), pattern) for pattern in patterns(dev)), entity


def test_every_entity_that_the_stream_package_knows_passes(dev: Template) -> None:
    for entity, event in itertools.product(COLLECTIONS_OF, ("INSERT", "MODIFY", "REMOVE")):
        assert any(matches(record(entity, event), pattern) for pattern in patterns(dev)), entity


def test_other_entities_cost_no_invocation(dev: Template) -> None:
    for entity, event in itertools.product(("IMAGE", "RECEIPT_LETTER", "JOB"), ("INSERT", "MODIFY", "REMOVE")):
        assert not any(matches(record(entity, event), pattern) for pattern in patterns(dev)), entity


def test_the_filter_stays_within_what_a_mapping_takes(dev: Template) -> None:
    assert len(patterns(dev)) <= 5
    assert all(set(pattern) == {"dynamodb"} for pattern in patterns(dev))


def test_no_outage_that_ends_before_the_stream_forgets_discards_a_record_and_a_longer_one_is_told(
    dev: Template,
) -> None:
    mapping = dev.one("Lambda::EventSourceMapping")
    assert mapping["BisectBatchOnFunctionError"] is True
    assert mapping["MaximumRetryAttempts"] == -1
    assert 50 * 300 < mapping["MaximumRecordAgeInSeconds"] < 86_400
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    queue = next(name for name in dev.all("SQS::Queue"))
    assert mapping["DestinationConfig"]["OnFailure"]["Destination"] == {"Fn::GetAtt": [queue, "Arn"]}


def test_no_setting_of_the_mapping_is_left_to_its_default(dev: Template) -> None:
    mapping = dev.one("Lambda::EventSourceMapping")
    of_streams = {
        "BatchSize",
        "BisectBatchOnFunctionError",
        "DestinationConfig",
        "Enabled",
        "EventSourceArn",
        "FilterCriteria",
        "FunctionName",
        "FunctionResponseTypes",
        "MaximumBatchingWindowInSeconds",
        "MaximumRecordAgeInSeconds",
        "MaximumRetryAttempts",
        "ParallelizationFactor",
        "StartingPosition",
        "TumblingWindowInSeconds",
    }
    assert of_streams <= set(mapping)


def test_it_starts_at_the_oldest_record_so_that_a_deployment_loses_none(dev: Template) -> None:
    assert dev.one("Lambda::EventSourceMapping")["StartingPosition"] == "TRIM_HORIZON"


def test_the_function_may_read_the_stream_before_the_mapping_is_made(dev: Template) -> None:
    mapping = dev.resource("Lambda::EventSourceMapping")
    policies = {n for n in dev.all("IAM::Policy") if "StreamHandler" in n}
    assert policies <= set(mapping["DependsOn"])


def test_what_failed_is_kept_as_long_as_sqs_can(dev: Template) -> None:
    queue = dev.one("SQS::Queue", "FailureQueue")
    assert queue["MessageRetentionPeriod"] == 14 * 86_400
    assert queue["SqsManagedSseEnabled"] is True
