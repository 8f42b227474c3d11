"""Level 0 on AWS: what is asked of each service, what of its answer is told, and that nothing stays."""

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from botocore.stub import ANY, Stubber

from operate.conform import change_set, quotas, validation
from operate.conform.on_aws import OnAws
from operate.conform.rows import Outcome, Row, Whose
from operate.conform.services import Patient, asked
from operate.connection import Connection
from tests.operate.asl.documented import DocumentedTestState

MACHINE = {"StartAt": "It", "States": {"It": {"Type": "Succeed"}}}
VALIDATED = {"definition": json.dumps(MACHINE), "type": "STANDARD", "severity": "WARNING"}


@pytest.fixture
def stubbed() -> Iterator[Callable[[str], tuple[Any, Stubber]]]:
    """A client and its stubber; each answer that was given must have been asked for."""
    stubbers: list[Stubber] = []

    def stub(service: str) -> tuple[Any, Stubber]:
        credentials = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
        client = boto3.client(service, region_name="eu-west-1", **credentials)
        stubbers.append(stubber := Stubber(client))
        stubber.activate()
        return client, stubber

    yield stub
    for stubber in stubbers:
        stubber.assert_no_pending_responses()


def only(rows: Iterator[Row]) -> Row:
    (row,) = rows
    return row


# -- the definition


def test_a_definition_that_step_functions_takes_is_held(stubbed) -> None:
    client, answers = stubbed("stepfunctions")
    answers.add_response("validate_state_machine_definition", {"result": "OK", "diagnostics": []}, VALIDATED)
    row = only(validation.definition_rows(client, MACHINE))
    assert (row.outcome, row.seen, row.whose, row.passed) == (Outcome.HELD, "OK", Whose.AWS, True)


def test_what_step_functions_says_against_a_definition_is_a_row_each(stubbed) -> None:
    client, answers = stubbed("stepfunctions")
    wrong = {"severity": "ERROR", "code": "MISSING_TRANSITION_TARGET", "message": "no X", "location": "/States/It"}
    doubtful = {**wrong, "severity": "WARNING", "code": "PENDING_DEPRECATION"}
    answers.add_response("validate_state_machine_definition", {"result": "FAIL", "diagnostics": [wrong, doubtful]})
    whole, error, warning = validation.definition_rows(client, MACHINE)
    assert (whole.outcome, error.outcome, warning.outcome) == (Outcome.BROKEN, Outcome.BROKEN, Outcome.MEASURED)
    assert (error.what, error.seen) == ("error at /States/It", "MISSING_TRANSITION_TARGET: no X")
    assert (error.passed, warning.passed) == (False, True)


# -- the event pattern


@pytest.mark.parametrize("right", [True, False])
def test_the_pattern_is_asked_about_this_machines_events_and_others(stubbed, right: bool) -> None:
    client, answers = stubbed("events")
    for taken in [right] * 5 + [False] * 2:
        answers.add_response("test_event_pattern", {"Result": taken}, {"EventPattern": ANY, "Event": ANY})
    rows = list(validation.pattern_rows(validation.matches_on_aws(client), Whose.AWS))
    assert [row.passed for row in rows] == [right] * 5 + [True] * 2


# -- the quotas


def quota(value: float) -> dict[str, Any]:
    return {"Quota": {"Value": value}}


def test_a_quota_below_what_is_needed_is_broken_and_one_that_is_not_there_is_left_out(stubbed) -> None:
    client, answers = stubbed("service-quotas")
    for number, need in enumerate(quotas.NEEDS):
        given = {"ServiceCode": need.service, "QuotaCode": need.code}
        if number == 1:
            answers.add_client_error("get_service_quota", "NoSuchResourceException", expected_params=given)
        else:
            answers.add_response("get_service_quota", quota(need.needed - (number == 0)), given)
    rows = list(quotas.quota_rows(client))
    assert [row.outcome for row in rows[:3]] == [Outcome.BROKEN, Outcome.LEFT_OUT, Outcome.HELD]
    assert [row.passed for row in rows] == [False, True, *[True] * (len(rows) - 2)]
    assert all(row.source.startswith("https://") for row in rows)


# -- the change set


NAME = "conform-0123456789ab"
BUCKET = "cdk-hnb659fds-assets-123456789012-eu-west-1"
OBJECT = {"Bucket": BUCKET, "Key": "conform/0123456789abcdef.json"}
ARN = "arn:aws:cloudformation:eu-west-1:123456789012:changeSet/conform/1"


class Stubs:
    """The three services of a change set."""

    def __init__(self, stubbed: Any) -> None:
        made = {service: stubbed(service) for service in ("cloudformation", "s3", "sts")}
        self.clients = {service: client for service, (client, _) in made.items()}
        self.cloudformation, self.s3 = made["cloudformation"][1], made["s3"][1]
        made["sts"][1].add_response("get_caller_identity", {"Account": "123456789012"})

    def begins(self, stack_name: str, kind: str) -> None:
        self.s3.add_response("put_object", {}, {**OBJECT, "Body": b"{}"})
        given = {"StackName": stack_name, "ChangeSetName": NAME, "ChangeSetType": kind}
        url = f"https://{BUCKET}.s3.eu-west-1.amazonaws.com/conform/0123456789abcdef.json"
        given |= {"TemplateURL": url, "Capabilities": ANY}
        self.cloudformation.add_response("create_change_set", {"Id": ARN}, given)

    def stands(self, status: str, reason: str = "") -> None:
        told = {"Status": status, **({"StatusReason": reason} if reason else {})}
        self.cloudformation.add_response("describe_change_set", told, {"ChangeSetName": ARN})

    def removes(self, stack_name: str, *, stack: bool) -> None:
        given = {"StackName": stack_name, "ChangeSetName": NAME}
        self.cloudformation.add_response("delete_change_set", {}, given)
        if stack:
            self.cloudformation.add_response("delete_stack", {}, {"StackName": stack_name})
        self.s3.add_response("delete_object", {}, OBJECT)

    def rows(self, stack_name: str | None = None, sleep: Callable[[float], None] = lambda _: None) -> Iterator[Row]:
        return change_set.change_set_rows(
            self.clients.__getitem__,
            "{}",
            region="eu-west-1",
            stack_name=stack_name,
            unique="0123456789abcdef",
            sleep=sleep,
        )


@pytest.fixture
def stubs(stubbed) -> Stubs:
    return Stubs(stubbed)


def test_a_change_set_of_a_new_stack_is_deleted_with_the_stack_and_the_object(stubs: Stubs) -> None:
    stubs.begins(NAME, "CREATE")
    stubs.stands("CREATE_IN_PROGRESS")
    stubs.stands("CREATE_COMPLETE")
    stubs.removes(NAME, stack=True)
    assert only(stubs.rows()).outcome is Outcome.HELD


def test_a_change_set_of_a_deployed_stack_leaves_the_stack(stubs: Stubs) -> None:
    stubs.begins("mine", "UPDATE")
    stubs.stands("FAILED", "The submitted information didn't contain changes. Submit different information.")
    stubs.removes("mine", stack=False)
    assert only(stubs.rows("mine")).seen == "no change"


def test_a_template_that_cloudformation_refuses_is_broken_and_nothing_stays(stubs: Stubs) -> None:
    stubs.begins(NAME, "CREATE")
    stubs.stands("FAILED", "Template error: no such resource")
    stubs.removes(NAME, stack=True)
    row = only(stubs.rows())
    assert (row.outcome, row.seen) == (Outcome.BROKEN, "FAILED: Template error: no such resource")


def test_interrupted_while_it_waits_nothing_stays(stubs: Stubs) -> None:
    def interrupt(_seconds: float) -> None:
        raise KeyboardInterrupt

    stubs.begins(NAME, "CREATE")
    stubs.stands("CREATE_IN_PROGRESS")
    stubs.removes(NAME, stack=True)
    with pytest.raises(KeyboardInterrupt):
        list(stubs.rows(sleep=interrupt))


def test_a_change_set_that_was_never_made_is_no_failure_of_removing_it(stubs: Stubs) -> None:
    stubs.s3.add_response("put_object", {}, {**OBJECT, "Body": b"{}"})
    stubs.cloudformation.add_client_error("create_change_set", "AccessDenied")
    stubs.cloudformation.add_client_error("delete_change_set", "ChangeSetNotFound")
    stubs.cloudformation.add_response("delete_stack", {}, {"StackName": NAME})
    stubs.s3.add_response("delete_object", {}, OBJECT)
    row = only(asked(change_set.PART, change_set.RIGHTS, Whose.AWS, stubs.rows()))
    assert (row.outcome, row.passed) == (Outcome.LEFT_OUT, False)
    assert "cloudformation:CreateChangeSet" in row.seen


# -- what keeps a service from answering


PARTS: list[tuple[str, str, Callable[[Any], Iterator[Row]]]] = [
    ("stepfunctions", "validate_state_machine_definition", partial(validation.definition_rows, machine=MACHINE)),
    (
        "events",
        "test_event_pattern",
        lambda client: validation.pattern_rows(validation.matches_on_aws(client), Whose.AWS),
    ),
    ("service-quotas", "get_service_quota", quotas.quota_rows),
]
EACH = pytest.mark.parametrize(("service", "call", "rows"), PARTS, ids=[one for one, _, _ in PARTS])


@EACH
@pytest.mark.parametrize("code", ["AccessDenied", "AccessDeniedException"])
def test_a_right_that_is_missing_is_a_row_that_names_it(stubbed, service: str, call: str, rows: Any, code: str) -> None:
    client, answers = stubbed(service)
    answers.add_client_error(call, code, "not you")
    row = only(asked("Part", "a:Right", Whose.AWS, rows(client)))
    assert (row.outcome, row.seen, row.passed) == (Outcome.LEFT_OUT, "needs the right to a:Right", False)


@EACH
def test_a_service_that_is_out_is_a_row_that_says_so(stubbed, service: str, call: str, rows: Any) -> None:
    class Out:
        def __getattr__(self, _name: str) -> Any:
            def fails(**_request: Any) -> None:
                raise EndpointConnectionError(endpoint_url="https://nowhere")

            return fails

    row = only(asked("Part", "a:Right", Whose.AWS, rows(Out())))
    assert row.outcome is Outcome.LEFT_OUT
    assert row.seen.startswith("no answer: EndpointConnectionError")


def test_throttling_waits_longer_each_time_and_says_so(stubbed) -> None:
    client, answers = stubbed("stepfunctions")
    for _ in range(3):
        answers.add_client_error("validate_state_machine_definition", "ThrottlingException")
    answers.add_response("validate_state_machine_definition", {"result": "OK", "diagnostics": []})
    said: list[str] = []
    slept: list[float] = []
    assert only(validation.definition_rows(Patient(client, said.append, slept.append), MACHINE)).passed
    assert slept == [1.0, 2.0, 4.0]
    assert said[0] == "validate_state_machine_definition: AWS asks for fewer calls, waiting 1 s"


def test_throttling_that_does_not_end_is_a_row(stubbed) -> None:
    client, answers = stubbed("stepfunctions")
    for _ in range(10):
        answers.add_client_error("validate_state_machine_definition", "ThrottlingException", "slower")
    patient = Patient(client, lambda _: None, lambda _: None)
    row = only(asked("Part", "a:Right", Whose.AWS, validation.definition_rows(patient, MACHINE)))
    assert (row.outcome, row.seen) == (Outcome.LEFT_OUT, "ThrottlingException: slower")


# -- all of it


class FakeStates(DocumentedTestState):
    """Step Functions with one deployed machine."""

    def __init__(self, deployed: Any) -> None:
        super().__init__()
        self.deployed = deployed

    def describe_state_machine_alias(self, *, stateMachineAliasArn: str) -> Any:  # noqa: N803 -- as boto3 has it
        return {"routingConfiguration": [{"stateMachineVersionArn": f"{stateMachineAliasArn}:7", "weight": 100}]}

    def describe_state_machine(self, *, stateMachineArn: str) -> Any:  # noqa: N803 -- as boto3 has it
        assert stateMachineArn == "arn:live:7"
        return {"definition": json.dumps(self.deployed)}

    def validate_state_machine_definition(self, **_request: Any) -> Any:
        return {"result": "OK", "diagnostics": []}

    def test_event_pattern(self, **_request: Any) -> Any:
        return {"Result": True}

    def get_service_quota(self, **_request: Any) -> Any:
        return quota(1000)


def small(count_path: str) -> dict[str, Any]:
    """A machine of two states; the path is of its input."""
    count = {"Type": "Pass", "Parameters": {"n.$": count_path}, "ResultPath": "$.count", "Next": "Done"}
    return {"StartAt": "Count", "States": {"Count": count, "Done": {"Type": "Succeed"}}}


def told(client: Any, deployed: bool = True) -> list[Row]:
    nothing: tuple[None, ...] = (None, None)
    connection = Connection("eu-west-1", None, "arn:machine", "r", "c", "b", *nothing, live_arn="arn:live")
    aws = OnAws("eu-west-1", lambda _service: client, connection if deployed else None, lambda _: None, "unique")
    return list(aws.rows(small("$.a"), None, None))


def test_the_definition_that_is_started_on_the_stack_is_what_is_asked() -> None:
    good, broken = told(FakeStates(small("$.a"))), told(FakeStates(small("$.b")))
    wrong = [row for row in broken if not row.passed]
    assert {row.whose for row in good if row.part == "Other states"} == {Whose.TEST_STATE}
    assert "Count, as it is" in {row.what for row in wrong} - {row.what for row in good if not row.passed}


def test_without_a_stack_the_repositorys_own_definition_is_asked() -> None:
    assert [
        row for row in told(FakeStates(None), deployed=False) if row.part == "Other states" and not row.passed
    ] == []


def test_without_the_right_to_test_states_one_row_says_so() -> None:
    class Denied(FakeStates):
        def test_state(self, **_request: Any) -> Any:
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "TestState")

    (row,) = [row for row in told(Denied(small("$.a"))) if row.whose is Whose.TEST_STATE]
    assert (row.outcome, row.passed) == (Outcome.LEFT_OUT, False)
    assert "states:TestState" in row.seen
