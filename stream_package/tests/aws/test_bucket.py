from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from receipt_dynamo_stream import bucket as bucket_module
from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.errors import ObjectMissing, PlanMissing, TransientServiceError


@pytest.fixture
def store(aws: dict[str, Any], bucket: str) -> Bucket:
    return Bucket(aws["s3"], bucket)


class Refusing:
    """An S3 that answers every call with one error."""

    def __init__(self, code: str, status: int = 400) -> None:
        self._code, self._status = code, status

    def __getattr__(self, name: str) -> Any:
        def refuse(**_: Any) -> Any:
            answer: Any = {"Error": {"Code": self._code}, "ResponseMetadata": {"HTTPStatusCode": self._status}}
            raise ClientError(answer, name)

        return refuse


def test_an_object_is_read_as_it_was_put(store: Bucket) -> None:
    store.put("a/1", b"one")
    assert store.find("a/1") == store.read("a/1") == b"one"


def test_an_object_that_is_not_there_is_none_or_an_error_of_the_name_that_was_given(store: Bucket) -> None:
    assert store.find("a/1") is None
    with pytest.raises(ObjectMissing, match=f"s3://{store.name}/a/1 is not there"):
        store.read("a/1")
    with pytest.raises(PlanMissing):
        store.read("a/1", PlanMissing)


def test_an_object_is_fetched_into_a_file_with_its_size_and_sha256(store: Bucket, tmp_path: Path) -> None:
    content = bytes(range(256)) * 5_000
    store.put("a/1", content)
    assert store.fetch("a/1", tmp_path / "one") == (len(content), sha256(content).hexdigest())
    assert (tmp_path / "one").read_bytes() == content
    assert store.fetch("a/2", tmp_path / "two") is None


@pytest.mark.parametrize("single_put_bytes", [2, 100])
def test_a_file_is_put_whole_whatever_its_size(
    store: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, single_put_bytes: int
) -> None:
    monkeypatch.setattr(bucket_module, "SINGLE_PUT_BYTES", single_put_bytes)
    (tmp_path / "one").write_bytes(b"content")
    store.put_file("a/1", tmp_path / "one")
    assert store.read("a/1") == b"content"


def test_what_is_put_once_is_never_written_over_and_accepted_again(store: Bucket) -> None:
    assert [store.put_once("a/1", content) for content in (b"one", b"one", b"two")] == [True, True, False]
    assert store.read("a/1") == b"one"


def test_a_twin_that_writes_at_this_moment_is_a_reason_to_try_again() -> None:
    with pytest.raises(TransientServiceError, match="ConditionalRequestConflict"):
        Bucket(Refusing("ConditionalRequestConflict", 409), "bucket").put_once("a/1", b"one")


def test_what_is_put_over_an_object_replaces_that_one_and_no_other(store: Bucket) -> None:
    assert store.find_tagged("a/1") is None
    assert store.put_over("a/1", b"one", None)
    content, tag = store.find_tagged("a/1") or (b"", "")
    assert content == b"one"
    assert not store.put_over("a/1", b"two", None), "there is one"
    assert store.put_over("a/1", b"two", tag)
    assert not store.put_over("a/1", b"three", tag), "there is another one"
    store.delete_all(["a/1"])
    assert not store.put_over("a/1", b"three", tag), "there is none"
    assert store.find("a/1") is None


@pytest.mark.parametrize(("code", "status"), [("ConditionalRequestConflict", 409), ("PreconditionFailed", 412)])
def test_a_twin_that_writes_at_this_moment_is_there_before(code: str, status: int) -> None:
    assert Bucket(Refusing(code, status), "bucket").put_over("a/1", b"one", "tag") is False


def test_objects_are_listed_by_prefix_and_deleted_in_as_many_requests_as_it_takes(
    store: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket_module, "_DELETE_BATCH", 2)
    keys = [f"a/{number}" for number in range(5)]
    for key in (*keys, "b/1"):
        store.put(key, b"xy")
    listed = list(store.list("a/"))
    assert [(found.key, found.size) for found in listed] == [(key, 2) for key in keys]
    assert all(found.written_at.tzinfo for found in listed)
    assert store.delete_all([*keys, "never"]) == []
    assert [found.key for found in store.list("")] == ["b/1"]


@pytest.mark.parametrize(
    "call",
    [
        lambda store, _: store.find("a/1"),
        lambda store, _: store.put("a/1", b""),
        lambda store, _: store.put_once("a/1", b""),
        lambda store, _: store.put_over("a/1", b"", "tag"),
        lambda store, _: store.find_tagged("a/1"),
        lambda store, _: store.delete_all(["a/1"]),
        lambda store, folder: store.fetch("a/1", folder / "one"),
    ],
)
def test_only_what_is_not_there_is_an_answer(call: Any, tmp_path: Path) -> None:
    """Denied access is an error as it is; what heals by itself has one name."""
    with pytest.raises(ClientError, match="AccessDenied"):
        call(Bucket(Refusing("AccessDenied", 403), "bucket"), tmp_path)
    with pytest.raises(TransientServiceError, match="SlowDown"):
        call(Bucket(Refusing("SlowDown", 503), "bucket"), tmp_path)
