"""What stands in for S3 and for the control table in RetainedIsReadable does what they do."""

import itertools
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, example, given, settings
from receipt_dynamo_stream.attributes import number, string
from receipt_dynamo_stream.control.head import Head, Pointer, head_key
from receipt_dynamo_stream.control.table import ControlTable
from receipt_dynamo_stream.control.versions import VersionRow

from .retained import EVENTS, START, Collection, Control, Crash, MemoryControl, MemoryS3
from .world import create_control_table

IDS = ("0000000001-0000000001-0", "0000000002-0000000002-0")
_numbers = itertools.count()


class StoredControl(ControlTable):
    """The control table itself."""

    def put_row(self, row: VersionRow) -> None:
        assert self.versions("words").put_candidate(row)

    def pin(self, snapshot_id: str) -> None:
        assert self.versions("words").pin(snapshot_id, "audit")

    def lead(self, new: Head) -> None:
        item = {**head_key("words"), "fence": number(new.fence), "version": number(new.version)}
        for name, value in (new.pointer.to_json() if new.pointer else {}).items():
            item[name] = string(value) if isinstance(value, str) else number(value)
        self.client.put_item(TableName=self.name, Item=item)


class DatedS3:
    """A real client; objects are dated by the history's clock, and after `crash_after` deletions the process ends."""

    def __init__(self, client: Any) -> None:
        self.crash_after: int | None = None
        self.clock: Callable[[], datetime] = lambda: START
        self._client = client
        self._dates: dict[str, datetime] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def put_object(self, **request: Any) -> None:
        self._client.put_object(**request)
        self._dates[request["Key"]] = self.clock()

    def get_paginator(self, name: str) -> Any:
        self._pages = self._client.get_paginator(name)
        return self

    def paginate(self, **request: Any) -> Iterator[dict[str, Any]]:
        for page in self._pages.paginate(**request):
            for one in page.get("Contents", ()):
                assert one["LastModified"].tzinfo is not None
                one["LastModified"] = self._dates[one["Key"]]
            yield page

    def delete_objects(self, **request: Any) -> Any:
        if self.crash_after is not None:
            if self.crash_after == 0:
                raise Crash
            self.crash_after -= 1
        return self._client.delete_objects(**request)


def new_bucket(s3: Any) -> str:
    name = f"retained-{next(_numbers)}"
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture(params=["memory", "real"])
def store(request: pytest.FixtureRequest, s3: Any) -> tuple[Any, str]:
    """An S3, and an empty bucket of it."""
    return (MemoryS3(lambda: START), "bucket") if request.param == "memory" else (s3, new_bucket(s3))


@pytest.fixture(params=["memory", "real"])
def control(request: pytest.FixtureRequest, dynamodb: Any, control_table: str) -> Control:
    return MemoryControl() if request.param == "memory" else StoredControl(dynamodb, control_table)


def listed(s3: Any, bucket: str, prefix: str) -> list[tuple[str, int]]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return [(one["Key"], one["Size"]) for page in pages for one in page.get("Contents", ())]


def test_objects_are_put_read_listed_by_prefix_and_deleted(store: tuple[Any, str]) -> None:
    s3, bucket = store
    for key, body in (("a/2", b"two"), ("a/1", b"one"), ("b/1", b""), ("a/2", b"again")):
        s3.put_object(Bucket=bucket, Key=key, Body=body)
    assert s3.get_object(Bucket=bucket, Key="a/2")["Body"].read() == b"again"
    assert listed(s3, bucket, "a/") == [("a/1", 3), ("a/2", 5)]
    assert listed(s3, bucket, "c/") == []
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "a/1"}, {"Key": "never"}], "Quiet": True})
    assert not answer.get("Errors")
    assert listed(s3, bucket, "") == [("a/2", 5), ("b/1", 0)]
    with pytest.raises(ClientError) as refused:
        s3.get_object(Bucket=bucket, Key="a/1")
    assert refused.value.response["Error"]["Code"] == "NoSuchKey"


def test_head_and_rows_are_read_as_they_were_written(control: Control) -> None:
    assert control.head("words").read() is None
    assert control.versions("words").list() == []
    for fence, pointer in ((1, None), (2, Pointer(1, IDS[0], "key", "ab" * 32))):
        control.lead(Head("words", fence=fence, pointer=pointer, version=pointer.version if pointer else 0))
        found = control.head("words").read()
        assert found is not None
        assert (found.fence, found.pointer) == (fence, pointer)
    for snapshot_id, parent in reversed([(IDS[0], None), (IDS[1], IDS[0])]):
        control.put_row(VersionRow(snapshot_id, parent=parent, created_at="2026"))
    assert [(row.snapshot_id, row.parent, row.state, row.pinned) for row in control.versions("words").list()] == [
        (IDS[0], None, "candidate", None),
        (IDS[1], IDS[0], "candidate", None),
    ]


def test_a_row_is_marked_expired_once_under_the_fence_and_never_while_pinned(control: Control) -> None:
    def mark(snapshot_id: str, fence: int) -> bool:
        return control.versions("words").mark_expired(snapshot_id, now="2026", fence=fence)

    for snapshot_id in IDS:
        control.put_row(VersionRow(snapshot_id, created_at="2026"))
    assert not mark(IDS[0], 2)  # there is no HEAD
    control.lead(Head("words", fence=2, pointer=None, version=0))
    control.pin(IDS[1])
    assert [mark(IDS[0], 1), mark(IDS[0], 3), mark(IDS[1], 2), mark("0000000009-0000000009-0", 2)] == [False] * 4
    assert mark(IDS[0], 2)
    assert not mark(IDS[0], 2)
    assert [(row.state, row.expired_at, row.pinned) for row in control.versions("words").list()] == [
        ("EXPIRED", "2026", None),
        ("candidate", None, "audit"),
    ]


TWO = [("publish", (0,)), ("publish", (0, 1)), ("wait", 50.0)]


@settings(max_examples=10, suppress_health_check=list(HealthCheck))
@given(EVENTS)
@example([*TWO, ("pin", 0), ("publish", (1,)), ("expire", 1), ("wait", 1.5), ("expire", 1), ("late", 1)])
@example([*TWO, ("expire", 1), ("wait", 1.5), ("crash", 1), ("lose", (0,), 1), ("wait", 50.0), ("expire", 1)])
def test_a_history_leaves_the_same_in_memory_and_in_the_real_ones(
    s3: Any, dynamodb: Any, tmp_path_factory: pytest.TempPathFactory, events: list[tuple[Any, ...]]
) -> None:
    table, dated = f"retained-control-{next(_numbers)}", DatedS3(s3)
    create_control_table(dynamodb, table)
    memory = Collection(tmp_path_factory.mktemp("memory"))
    real = Collection(tmp_path_factory.mktemp("real"), StoredControl(dynamodb, table), dated, new_bucket(s3))
    dated.clock = lambda: real.now
    for event in events:
        for collection in (memory, real):
            collection.happen(event)
        assert summary(memory) == summary(real), event


def summary(collection: Collection) -> Any:
    found = collection.control.head("words").read()
    rows = [
        (row.snapshot_id, row.state == "EXPIRED", row.expired_at, row.pinned)
        for row in collection.control.versions("words").list()
    ]
    return found and (found.fence, found.pointer), rows, collection.stored()
