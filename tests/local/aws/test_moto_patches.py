"""Every change to moto: what moto does without it, what it does with it, and that it goes away again."""

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.stepfunctions.parser.asl.parse.asl_parser import ASLParserException

from local.aws import moto_executions, moto_patches
from local.aws.executions import wait_until
from local.aws.moto_executions import EndedWorker, interpreter_threads
from local.aws.moto_patches import KEPT_ITERATORS, MotoPatches, check_version
from local.errors import UnsupportedMoto

TABLE = "t"


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCOUNT_ID_ENDPOINT_MODE", "disabled")
    with mock_aws(config={"stepfunctions": {"execute_state_machine": True}}):
        yield


@pytest.fixture
def patched() -> Iterator[None]:
    patches = MotoPatches()
    patches.apply()
    yield
    patches.remove()


@pytest.fixture
def dynamodb(aws: None) -> Any:
    client = boto3.client("dynamodb")
    client.create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in ("PK", "SK", "G")],
        KeySchema=[{"AttributeName": "PK", "KeyType": "HASH"}, {"AttributeName": "SK", "KeyType": "RANGE"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-g",
                "KeySchema": [{"AttributeName": "G", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    for pk in "abc":
        for sk in range(12):
            item = {"PK": {"S": pk}, "SK": {"S": f"k{sk:02d}"}, "G": {"S": f"g{sk % 2}"}, "n": {"N": str(sk)}}
            client.put_item(TableName=TABLE, Item=item)
    return client


QUERIES: list[dict[str, Any]] = [
    {"KeyConditionExpression": "PK = :p"},
    {"KeyConditionExpression": "PK = :p", "ScanIndexForward": False},
    {"KeyConditionExpression": "PK = :p AND begins_with(SK, :s)", "values": {":s": {"S": "k0"}}},
    {"KeyConditionExpression": "PK = :p AND SK > :s", "values": {":s": {"S": "k05"}}, "ConsistentRead": True},
    {"KeyConditionExpression": "PK = :p AND SK BETWEEN :s AND :t", "values": {":s": {"S": "k02"}, ":t": {"S": "k04"}}},
    {"KeyConditionExpression": "PK = :p", "FilterExpression": "n > :n", "values": {":n": {"N": "7"}}},
    {"KeyConditionExpression": "PK = :p", "ProjectionExpression": "SK, n"},
    {"KeyConditionExpression": "PK = :p", "Select": "COUNT"},
    {"KeyConditionExpression": "G = :p", "IndexName": "by-g"},
]


def answers(client: Any, query: dict[str, Any], value: str) -> list[Any]:
    """All pages of a query, five items a page."""
    values = {":p": {"S": value}, **query.get("values", {})}
    parameters = {name: argument for name, argument in query.items() if name != "values"}
    pages = client.get_paginator("query").paginate(
        TableName=TABLE, ExpressionAttributeValues=values, PaginationConfig={"PageSize": 5}, **parameters
    )
    return [(page.get("Items"), page["Count"], page["ScannedCount"]) for page in pages]


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: " ".join(str(each) for each in query.values()))
def test_a_narrowed_query_answers_as_the_whole_table_does(dynamodb: Any, query: dict[str, Any]) -> None:
    values = ["g0", "g1"] if "IndexName" in query else ["a", "c", "nobody"]
    before = [answers(dynamodb, query, value) for value in values]
    patches = MotoPatches()
    patches.apply()
    try:
        assert [answers(dynamodb, query, value) for value in values] == before
    finally:
        patches.remove()


def items_looked_at(client: Any, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many items a query of one partition sorts."""
    from moto.dynamodb.models.table import Table

    seen: list[int] = []
    original = Table.all_items

    def all_items(self: Any) -> Any:
        items = original(self)
        seen.append(len(items))
        return items

    with monkeypatch.context() as context:
        context.setattr(Table, "all_items", all_items)
        answers(client, {"KeyConditionExpression": "PK = :p", "Select": "COUNT"}, "a")
    return max(seen)


def test_a_query_looks_at_its_own_partition_only(dynamodb: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert items_looked_at(dynamodb, monkeypatch) == 36
    patches = MotoPatches()
    patches.apply()
    try:
        assert items_looked_at(dynamodb, monkeypatch) == 12
    finally:
        patches.remove()


def test_a_query_of_a_partition_that_is_not_there_leaves_no_trace(dynamodb: Any, patched: None) -> None:
    from moto.dynamodb.models import dynamodb_backends

    answers(dynamodb, {"KeyConditionExpression": "PK = :p"}, "nobody")
    table = dynamodb_backends["123456789012"]["us-east-1"].get_table(TABLE)
    assert [key.value for key in table.items] == ["a", "b", "c"]


UPDATE = {
    "TableName": TABLE,
    "Key": {"PK": {"S": "race"}, "SK": {"S": "x"}},
    "UpdateExpression": "ADD n :one",
    "ExpressionAttributeValues": {":one": {"N": "1"}},
}


def simultaneous_updates(dynamodb: Any, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many updates are between reading and writing at the same time when eight come at once."""
    from moto.dynamodb.models.table import Table

    original = Table.get_item
    now, most = 0, 0
    counting = threading.Lock()
    company = threading.Event()

    def get_item(self: Any, *args: Any, **kwargs: Any) -> Any:
        nonlocal now, most
        with counting:
            now += 1
            most = max(most, now)
            if now > 1:
                company.set()
        company.wait(0.02)  # give the others a chance to come in
        try:
            return original(self, *args, **kwargs)
        finally:
            with counting:
                now -= 1

    with monkeypatch.context() as context:
        context.setattr(Table, "get_item", get_item)
        threads = [threading.Thread(target=lambda: dynamodb.update_item(**UPDATE)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return most


def test_requests_to_tables_run_one_at_a_time(dynamodb: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert simultaneous_updates(dynamodb, monkeypatch) > 1
    patches = MotoPatches()
    patches.apply()
    try:
        assert simultaneous_updates(dynamodb, monkeypatch) == 1
    finally:
        patches.remove()


def test_an_update_leaves_an_item_alone_that_was_read_before(dynamodb: Any) -> None:
    from moto.dynamodb.models import dynamodb_backends

    backend = dynamodb_backends["123456789012"]["us-east-1"]
    dynamodb.update_item(**UPDATE)
    read = backend.get_item(TABLE, UPDATE["Key"])
    dynamodb.update_item(**UPDATE)
    assert read.attrs["n"].value == "2", "moto no longer updates in place: the patch can go"
    patches = MotoPatches()
    patches.apply()
    try:
        read = backend.get_item(TABLE, UPDATE["Key"])
        answer = dynamodb.update_item(**UPDATE, ReturnValues="ALL_NEW")
        assert read.attrs["n"].value == "2"
        assert answer["Attributes"]["n"] == {"N": "3"}
        assert dynamodb.get_item(TableName=TABLE, Key=UPDATE["Key"])["Item"]["n"] == {"N": "3"}
    finally:
        patches.remove()


def test_an_update_that_a_condition_refuses_changes_nothing(dynamodb: Any, patched: None) -> None:
    dynamodb.update_item(**UPDATE)
    with pytest.raises(dynamodb.exceptions.ConditionalCheckFailedException):
        dynamodb.update_item(**UPDATE, ConditionExpression="attribute_not_exists(n)")
    assert dynamodb.get_item(TableName=TABLE, Key=UPDATE["Key"])["Item"]["n"] == {"N": "1"}


def test_what_stands_in_front_of_an_update_may_make_requests_of_its_own(
    dynamodb: Any, patched: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from moto.dynamodb.models import DynamoDBBackend

    original = DynamoDBBackend.update_item

    def update_item(self: Any, *args: Any, **kwargs: Any) -> Any:
        with monkeypatch.context() as context:
            context.setattr(DynamoDBBackend, "update_item", original)
            another = threading.Thread(target=lambda: dynamodb.update_item(**UPDATE), daemon=True)
            another.start()
            another.join(10)
            assert not another.is_alive()
        return original(self, *args, **kwargs)

    with monkeypatch.context() as context:
        context.setattr(DynamoDBBackend, "update_item", update_item)
        answer = dynamodb.update_item(**UPDATE, ReturnValues="ALL_NEW")
    assert answer["Attributes"]["n"] == {"N": "2"}


def test_only_the_newest_shard_iterators_are_kept_and_the_newest_works(
    dynamodb: Any, patched: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from moto.dynamodbstreams.models import dynamodbstreams_backends

    monkeypatch.setattr(moto_patches, "KEPT_ITERATORS", 3)
    streams = boto3.client("dynamodbstreams")
    arn = dynamodb.describe_table(TableName=TABLE)["Table"]["LatestStreamArn"]
    shard = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]
    iterator = streams.get_shard_iterator(StreamArn=arn, ShardId=shard, ShardIteratorType="TRIM_HORIZON")[
        "ShardIterator"
    ]
    seen = 0
    for _ in range(20):
        answer = streams.get_records(ShardIterator=iterator, Limit=3)
        iterator, seen = answer["NextShardIterator"], seen + len(answer["Records"])
    assert seen == 36
    assert len(dynamodbstreams_backends["123456789012"]["us-east-1"].shard_iterators) == 3
    assert KEPT_ITERATORS >= 100


@pytest.fixture
def stepfunctions(aws: None) -> Any:
    return boto3.client("stepfunctions")


def create_machine(stepfunctions: Any, state: dict[str, Any]) -> str:
    definition = json.dumps({"StartAt": "S", "States": {"S": state}})
    arn: str = stepfunctions.create_state_machine(
        name="m", definition=definition, roleArn="arn:aws:iam::123456789012:role/r"
    )["stateMachineArn"]
    return arn


def test_the_oldest_executions_that_have_ended_are_forgotten(
    patched: None, stepfunctions: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moto_executions, "KEPT_EXECUTIONS", 3)
    machine = create_machine(stepfunctions, {"Type": "Wait", "SecondsPath": "$.seconds", "End": True})

    def start(name: str, seconds: int) -> str:
        arn: str = stepfunctions.start_execution(
            stateMachineArn=machine, name=name, input=json.dumps({"seconds": seconds})
        )["executionArn"]
        return arn

    running = start("running", 600)
    for number in range(6):
        arn = start(str(number), 0)
        wait_until(
            lambda arn=arn: stepfunctions.describe_execution(executionArn=arn)["status"] == "SUCCEEDED" or None,
            10,
            "does not end",
        )
    names = [each["name"] for each in stepfunctions.list_executions(stateMachineArn=machine)["executions"]]
    assert names == ["5", "4", "3", "running"]
    assert len(interpreter_threads()) < 10
    stepfunctions.stop_execution(executionArn=running)


def test_a_state_machine_is_parsed_once_and_every_execution_has_components_of_its_own(
    patched: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from moto.stepfunctions.parser.asl.antlr.runtime.ASLParser import ASLParser
    from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser

    parsed = []
    original = ASLParser.state_machine

    def state_machine(self: Any) -> Any:
        parsed.append(1)
        return original(self)

    monkeypatch.setattr(ASLParser, "state_machine", state_machine)
    definition = json.dumps({"StartAt": "Once", "States": {"Once": {"Type": "Succeed"}}})
    first, second = (AmazonStateLanguageParser.parse(definition)[0] for _ in range(2))
    assert len(parsed) == 1
    assert first is not second
    assert first.start_at.start_at_name == second.start_at.start_at_name == "Once"
    with pytest.raises(ASLParserException):
        AmazonStateLanguageParser.parse("{}")


def test_a_path_is_parsed_once_and_answers_as_without_the_patch(monkeypatch: pytest.MonkeyPatch) -> None:
    from moto.stepfunctions.parser.asl.utils import json_path

    asked, parse = [], json_path.parse
    monkeypatch.setattr(json_path, "parse", lambda path: asked.append(path) or parse(path))
    data = [{"a": {"b": value}, "list": [value, 2]} for value in (1, "two")]
    paths = ("$.a.b", "$.list[0]", "$.a", "$.list[*]")
    expected = [json_path.extract_json(path, each) for path in paths for each in data]
    del asked[:]
    patches = MotoPatches()
    patches.apply()
    try:
        assert [json_path.extract_json(path, each) for path in paths for each in data] == expected
    finally:
        patches.remove()
    assert asked == list(paths)


def test_the_interpreter_makes_one_client_of_a_service(patched: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
    from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import state_task_service_dynamodb
    from moto.stepfunctions.parser.asl.utils import boto_client

    made = []
    monkeypatch.setattr(boto_client.boto3, "client", lambda **given: made.append(given["service_name"]) or object())
    for module, service in ((lambda_eval_utils, "lambda"), (state_task_service_dynamodb, "dynamodb")):
        clients = [
            module.boto_client_for(region="us-east-1", service=service, state_credentials=object()) for _ in range(3)
        ]
        assert len(set(map(id, clients))) == 1
    assert made == ["lambda", "dynamodb"]


def test_another_version_of_moto_is_refused_before_anything_is_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    from moto.dynamodb.models.table import Table

    original = Table.query
    monkeypatch.setattr("moto.__version__", "5.3.0")
    with pytest.raises(UnsupportedMoto, match=r"5\.3\.0"):
        MotoPatches().apply()
    assert Table.query is original


def test_the_installed_moto_is_the_one_the_patches_were_tested_with() -> None:
    import moto

    check_version(moto.__version__)


def test_taken_back_the_patches_leave_moto_as_it_was() -> None:
    targets = [(target, name, getattr(target, name)) for target, name, _ in moto_patches._targets()]
    patches = MotoPatches()
    patches.apply()
    assert all(getattr(target, name) is not original for target, name, original in targets)
    patches.remove()
    assert all(getattr(target, name) is original for target, name, original in targets)


VALUES: dict[str, Any] = {
    "text": {"S": "ünï"},
    "number": {"N": "1.50"},
    "true": {"BOOL": True},
    "null": {"NULL": True},
    "binary": {"B": b"\x00\xff"},
    "set": {"SS": ["a", "b"]},
    "list": {"L": [{"N": "1"}, {"M": {"deep": {"S": "x"}}}]},
    "map": {"M": {"S": {"S": "a key named like a type"}, "empty": {"L": []}}},
}


@pytest.mark.parametrize("name", sorted(VALUES))
def test_every_type_of_value_is_answered_as_without_the_patch(name: str, dynamodb: Any) -> None:
    key = {"PK": {"S": "values"}, "SK": {"S": name}}
    dynamodb.put_item(TableName=TABLE, Item={**key, "value": VALUES[name]})
    plain = dynamodb.get_item(TableName=TABLE, Key=key)["Item"]
    patches = MotoPatches()
    patches.apply()
    try:
        assert dynamodb.get_item(TableName=TABLE, Key=key)["Item"] == plain == {**key, "value": VALUES[name]}
    finally:
        patches.remove()


def test_a_scalar_is_answered_without_a_search_for_its_type(
    dynamodb: Any, patched: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from moto.core.serialize import ResponseSerializer

    searched: list[str] = []
    original = ResponseSerializer.get_value

    def get_value(self: Any, value: Any, key: str, shape: Any) -> Any:
        searched.append(key)
        return original(self, value, key, shape)

    monkeypatch.setattr(ResponseSerializer, "get_value", get_value)
    dynamodb.get_item(TableName=TABLE, Key={"PK": {"S": "a"}, "SK": {"S": "k01"}})
    assert "Item" in searched
    assert "BOOL" not in searched


@pytest.mark.parametrize("projection", ["PK, SK", "SK, n", "G, nowhere", "deep.inside, n", "steps[0]"])
def test_a_projection_answers_as_without_the_patch(projection: str, dynamodb: Any) -> None:
    item = {"PK": {"S": "p"}, "SK": {"S": "s"}, "n": {"N": "1"}, "G": {"S": "g"}, "more": {"S": "x"}}
    nested = {"deep": {"M": {"inside": {"S": "y"}, "other": {"S": "z"}}}, "steps": {"L": [{"S": "0"}, {"S": "1"}]}}
    dynamodb.put_item(TableName=TABLE, Item={**item, **nested})
    request = {
        "TableName": TABLE,
        "KeyConditionExpression": "PK = :pk",
        "ExpressionAttributeValues": {":pk": {"S": "p"}},
        "ProjectionExpression": projection,
    }
    plain = dynamodb.query(**request)["Items"]
    patches = MotoPatches()
    patches.apply()
    try:
        assert dynamodb.query(**request)["Items"] == plain
        assert "more" not in plain[0]
    finally:
        patches.remove()


def test_a_projection_of_whole_attributes_turns_no_item_into_python(
    dynamodb: Any, patched: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from moto.dynamodb.models.dynamo_type import Item

    monkeypatch.setattr(Item, "to_regular_json", lambda self: pytest.fail(f"{self} was converted"))
    request = {"ExpressionAttributeValues": {":pk": {"S": "a"}}, "ProjectionExpression": "SK, n"}
    assert dynamodb.query(TableName=TABLE, KeyConditionExpression="PK = :pk", **request)["Count"] == 12


def test_of_an_ended_execution_its_history_is_kept_and_its_worker_is_not(
    patched: None, stepfunctions: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from moto.stepfunctions.parser.models import stepfunctions_parser_backends

    monkeypatch.setattr(moto_executions, "_LAST_THREADS", timedelta())
    machine = create_machine(stepfunctions, {"Type": "Wait", "SecondsPath": "$.seconds", "End": True})

    def start(name: str, seconds: int) -> str:
        arn: str = stepfunctions.start_execution(
            stateMachineArn=machine, name=name, input=json.dumps({"seconds": seconds})
        )["executionArn"]
        return arn

    arn = start("ended", 0)
    wait_until(
        lambda: stepfunctions.describe_execution(executionArn=arn)["status"] == "SUCCEEDED" or None, 10, "does not end"
    )
    whole = stepfunctions.get_execution_history(executionArn=arn)["events"]
    running = start("running", 600)
    executions = stepfunctions_parser_backends["123456789012"]["us-east-1"].state_machines[0].executions
    kept = {each.name: each for each in executions}
    assert isinstance(kept["ended"].exec_worker, EndedWorker)
    assert not isinstance(kept["running"].exec_worker, EndedWorker)
    assert [event["type"] for event in whole][-1] == "ExecutionSucceeded"
    assert stepfunctions.get_execution_history(executionArn=arn)["events"] == whole
    assert stepfunctions.describe_execution(executionArn=arn)["status"] == "SUCCEEDED"
    stepfunctions.stop_execution(executionArn=arn)
    assert stepfunctions.describe_execution(executionArn=arn)["status"] == "SUCCEEDED", "its end stays"
    stepfunctions.stop_execution(executionArn=running)
    assert stepfunctions.describe_execution(executionArn=running)["status"] == "ABORTED"


def read_all(streams: Any, iterator: str, limit: int = 3) -> tuple[list[str], str]:
    """The sequence numbers that are left to read, and where the next ones are."""
    seen: list[str] = []
    while records := (answer := streams.get_records(ShardIterator=iterator, Limit=limit))["Records"]:
        seen += [record["dynamodb"]["SequenceNumber"] for record in records]
        iterator = answer["NextShardIterator"]
    return seen, iterator


def test_stream_records_that_a_reader_is_long_past_are_forgotten_and_none_is_missed(
    dynamodb: Any, patched: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from moto.dynamodb.models import dynamodb_backends

    monkeypatch.setattr(moto_patches, "KEPT_RECORDS", 5)
    streams = boto3.client("dynamodbstreams")
    arn = dynamodb.describe_table(TableName=TABLE)["Table"]["LatestStreamArn"]
    shard = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]

    def from_the_oldest() -> str:
        begun = streams.get_shard_iterator(StreamArn=arn, ShardId=shard, ShardIteratorType="TRIM_HORIZON")
        return str(begun["ShardIterator"])

    first, iterator = read_all(streams, from_the_oldest())
    assert len(first) == len(set(first)) == 36
    for number in range(10):
        dynamodb.put_item(TableName=TABLE, Item={"PK": {"S": "d"}, "SK": {"S": f"{number}"}})
    more, iterator = read_all(streams, iterator)
    assert len(more) == 10
    assert int(more[0]) == int(first[-1]) + 1
    table = dynamodb_backends["123456789012"]["us-east-1"].get_table(TABLE)
    kept = [one for one in table.stream_shard.items if one is not None]
    assert len(kept) == 5
    assert read_all(streams, from_the_oldest())[0] == more[-5:]


def test_what_is_gone_is_not_kept_for_a_reset(dynamodb: Any, patched: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from moto.dynamodb.models.dynamo_type import Item
    from moto.s3.models import FakeKey

    monkeypatch.setattr(moto_patches, "KEPT_OPEN", 10)
    items, objects = len(Item.instances_tracked), len(FakeKey.instances_tracked)
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="bucket")
    for number in range(35):
        dynamodb.put_item(TableName=TABLE, Item={"PK": {"S": "a"}, "SK": {"S": "k00"}, "n": {"N": str(number)}})
        s3.put_object(Bucket="bucket", Key=f"{number}", Body=b"x")
        s3.delete_object(Bucket="bucket", Key=f"{number}")
    s3.put_object(Bucket="bucket", Key="kept", Body=b"x")
    assert len(Item.instances_tracked) == items
    assert len(FakeKey.instances_tracked) - objects <= 10
    assert FakeKey.instances_tracked[-1].name == "kept"
    assert s3.get_object(Bucket="bucket", Key="kept")["Body"].read() == b"x"
