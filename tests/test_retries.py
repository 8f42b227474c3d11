"""Which errors every Task tries again, and how often, against what botocore's models say that AWS answers.

Step Functions names an error of a service as its Java client does: the service, a dot, the class, which ends in
"Exception". Both spellings of DynamoDB's two names without that ending are listed.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import receipt_chroma.errors
import receipt_dynamo_stream.errors
from receipt_chroma.errors import DeltaRefused
from receipt_dynamo_stream.errors import CompactionError
from receipt_dynamo_stream.round.blame import is_nobodys

MACHINE = json.loads((Path(__file__).parents[1] / "state_machines/compaction.asl.json").read_text())

PASSING = {
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.EFSIOException",
    "TransientServiceError",
    "StorageUnavailable",
}
"""Gone within seconds, or an outage that the schedule outlives."""
WAKING = {
    "Lambda.TooManyRequestsException",
    "Lambda.ResourceNotReadyException",  # idle for weeks: its network interfaces are made again
    "Lambda.ResourceConflictException",  # being made, or being updated by a deployment
    "Lambda.EC2ThrottledException",
    "Lambda.EC2UnexpectedException",
    "Lambda.EC2AccessDeniedException",  # also while a role's new rights are on their way
    "Lambda.ENILimitReachedException",
    "Lambda.ENINotReadyException",
    "Lambda.SubnetIPAddressLimitReachedException",
    "Lambda.EFSMountTimeoutException",
    "Lambda.EFSMountConnectivityException",
    "Lambda.EFSMountFailureException",
}
"""No capacity, or a function that must wake up: minutes."""
KILLED = {
    "Runtime.ExitError",
    "Sandbox.Timedout",
    "Lambda.Unknown",
    "States.Timeout",
    "DiskFull",
    "DeltaReaderUnavailable",
}
"""What killed a process will mostly kill it again: one more try, which begins with a clean disk."""
DYNAMODB_PASSING = {
    "DynamoDB.InternalServerError",
    "DynamoDB.InternalServerErrorException",
    "DynamoDB.ServiceUnavailableException",
    "DynamoDB.SdkClientException",
    "DynamoDB.AmazonDynamoDBException",  # whatever the client has no class for
    "DynamoDB.TransactionConflictException",
    "DynamoDB.ReplicatedWriteConflictException",
    "States.Timeout",
}
DYNAMODB_CAPACITY = {
    "DynamoDB.ProvisionedThroughputExceededException",
    "DynamoDB.RequestLimitExceeded",
    "DynamoDB.RequestLimitExceededException",
    "DynamoDB.ThrottlingException",
}
TRIES = {"seconds": (5, 1), "minutes": (12, 2), "once": (1, 2)}
"""How often, and after how many seconds for the first time."""

NEEDS_A_PERSON = {
    "CodeArtifactUserDeletedException": "the image's account",
    "CodeArtifactUserFailedException": "the image's account",
    "CodeArtifactUserPendingException": "the image's account",
    "DurableExecutionAlreadyStartedException": "no durable function here",
    "InvalidParameterValueException": "the call",
    "InvalidRequestContentException": "the call",
    "InvalidRuntimeException": "the function's configuration",
    "InvalidSecurityGroupIDException": "the function's configuration",
    "InvalidSubnetIDException": "the function's configuration",
    "InvalidZipFileException": "the function's code",
    "KMSAccessDeniedException": "the key of the function's environment",
    "KMSDisabledException": "the key of the function's environment",
    "KMSInvalidStateException": "the key of the function's environment",
    "KMSNotFoundException": "the key of the function's environment",
    "ModeNotSupportedException": "the call",
    "NoPublishedVersionException": "the function's configuration",
    "RecursiveInvocationException": "Lambda stopped a loop",
    "RequestTooLargeException": "the call",
    "ResourceNotFoundException": "no such function",
    "RuntimeAliasDeletedException": "the function's configuration",
    "RuntimeVersionDeletedException": "the function's configuration",
    "S3FilesMountConnectivityException": "no bucket is mounted here",
    "S3FilesMountFailureException": "no bucket is mounted here",
    "S3FilesMountTimeoutException": "no bucket is mounted here",
    "SerializedRequestEntityTooLargeException": "the call",
    "ServiceQuotaExceededException": "the account's quota",
    "SnapStartException": "no function has SnapStart",
    "SnapStartNotReadyException": "no function has SnapStart",
    "SnapStartRegenerationFailureException": "no function has SnapStart",
    "SnapStartTimeoutException": "no function has SnapStart",
    "UnsupportedMediaTypeException": "the call",
}
"""The other answers of Lambda's Invoke: a repetition gets the same answer."""
DYNAMODB_REFUSES = {
    "ConditionalCheckFailedException": "an answer: the Catch of the state",
    "ItemCollectionSizeLimitExceededException": "no local index here",
    "ResourceNotFoundException": "no such table",
}


def tasks(level: dict[str, Any] = MACHINE) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, state in level["States"].items():
        if state["Type"] == "Task":
            yield name, state
        elif state["Type"] == "Map":
            yield from tasks(state["ItemProcessor"])


FUNCTIONS = {name: state for name, state in tasks() if state["Resource"].endswith("lambda:invoke")}
UPDATES = {name: state for name, state in tasks() if name not in FUNCTIONS}


def errors_of(service: str, *operations: str) -> set[str]:
    model = botocore.session.get_session().get_service_model(service)
    return {shape.name for operation in operations for shape in model.operation_model(operation).error_shapes}


def retried(state: dict[str, Any]) -> list[tuple[set[str], tuple[int, int]]]:
    return [(set(r["ErrorEquals"]), (r["MaxAttempts"], r["IntervalSeconds"])) for r in state["Retry"]]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_is_tried_again_for_the_same_errors_as_often_as_each_kind_deserves(name: str) -> None:
    assert retried(FUNCTIONS[name]) == [
        (PASSING, TRIES["seconds"]),
        (WAKING, TRIES["minutes"]),
        (KILLED, TRIES["once"]),
    ]


@pytest.mark.parametrize("name", UPDATES)
def test_every_request_to_the_table_is_tried_again_for_the_same_errors(name: str) -> None:
    assert retried(UPDATES[name]) == [(DYNAMODB_PASSING, TRIES["seconds"]), (DYNAMODB_CAPACITY, TRIES["minutes"])]


def test_tries_are_apart_by_chance_and_by_a_minute_at_most() -> None:
    for name, state in tasks():
        for retrier in state["Retry"]:
            assert retrier["MaxDelaySeconds"] <= 60, name
            assert retrier["JitterStrategy"] == "FULL", name
            assert isinstance(retrier["BackoffRate"], float), name


def test_twelve_tries_last_as_long_as_a_function_needs_to_get_its_network_back() -> None:
    for _, state in tasks():
        waking = state["Retry"][1]
        longest = sum(min(60, waking["IntervalSeconds"] * 2.0**n) for n in range(waking["MaxAttempts"]))
        assert longest / 2 > 180, "on average, since a delay is drawn from zero to its length"


def test_lambdas_answers_are_all_known_here_and_a_new_one_is_noticed() -> None:
    named = {name.removeprefix("Lambda.") for name in PASSING | WAKING | KILLED if name.startswith("Lambda.")}
    of_the_client = {"AWSLambdaException", "SdkClientException", "ClientExecutionTimeoutException", "Unknown"}
    known = errors_of("lambda", "Invoke")
    assert named - of_the_client | set(NEEDS_A_PERSON) >= known, "say what a new answer of Lambda means"
    assert not named & set(NEEDS_A_PERSON)


def test_dynamodbs_answers_are_all_known_here_and_a_new_one_is_noticed() -> None:
    named = {name.removeprefix("DynamoDB.") for name in DYNAMODB_PASSING | DYNAMODB_CAPACITY}
    known = errors_of("dynamodb", "UpdateItem", "GetItem")
    assert named | set(DYNAMODB_REFUSES) >= known, "say what a new answer of DynamoDB means"
    assert {state["Resource"].rsplit(":", 1)[1] for state in UPDATES.values()} == {"updateItem", "getItem"}


def test_no_error_has_two_kinds() -> None:
    for _, state in tasks():
        names = [error for retrier in state["Retry"] for error in retrier["ErrorEquals"]]
        assert len(names) == len(set(names))


# Whom an error of a merge may be about

MAY_BE_A_RECEIPTS = {
    "ChromaUnreadable",
    "FoldChangedContent",
    "KeyMalformed",
    "SegmentInvalid",
    "InvariantViolated",
    "ShardInvalid",
}
"""Named errors of a merge or its validation that a receipt's own content can bring about."""
RAISED_ELSEWHERE = {
    "ExportRefused",
    "MessageInvalid",
    "NoSnapshotYet",
    "PublishFailed",
    "QuestionInvalid",
    "RegexUnsupported",
    "RecordsInvalid",
    "RollbackRefused",
    "GenerationRefused",
    "ReshardRefused",
    "RunAnnounced",
    "RunInvalid",
    "RunRefused",
    "StreamRecordError",
    "UnknownCollection",
    "VersionNotServed",
    "WrongModel",
    "SnapshotUnavailable",
    "CurrentGone",
}
"""Named errors that no merge raises: of the stream, of producers, of readers, of what an operator asks."""


def test_every_named_error_is_either_nobodys_or_may_be_a_receipts() -> None:
    named = {
        name
        for module in (receipt_chroma.errors, receipt_dynamo_stream.errors)
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, CompactionError) and not issubclass(value, DeltaRefused)
    } - {"CompactionError"}
    assert {name for name in named - RAISED_ELSEWHERE if not is_nobodys(name)} == MAY_BE_A_RECEIPTS
    assert named >= MAY_BE_A_RECEIPTS | RAISED_ELSEWHERE
