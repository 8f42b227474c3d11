"""One thing that cannot be removed stops nothing: the rest goes, and the answer names it."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.errors import TransientServiceError

from .retained import Collection

DAYS = 3


@pytest.fixture
def collection(tmp_path: Path) -> Collection:
    """Four versions, of which one is kept, a lost attempt and five staging folders; all of it is old."""
    collection = Collection(tmp_path)
    for _ in range(3):
        collection.happen(("publish", (0, 1)))
    collection.happen(("publish", (0,)))
    collection.happen(("wait", 50.0))
    collection.expire(1)  # marks
    collection.happen(("lose", (0,), 1))
    staging = collection.efs / "words" / "staging"
    for number in range(1, 6):
        folder = staging / f"execution-{number}" / "1"
        folder.mkdir(parents=True)
        for name in ("a.bin", "b.bin"):
            (folder / name).write_bytes(b"x" * 100)
    for path in (staging, *staging.rglob("*")):
        os.utime(path, (collection.now.timestamp(),) * 2)
    collection.happen(("wait", 50.0))
    return collection


def hold(monkeypatch: pytest.MonkeyPatch, held: Callable[[str], bool], error: int = errno.ENOTEMPTY) -> None:
    """What EFS refuses to remove, as a client of it sees it."""
    for name in ("rmdir", "unlink"):
        real = getattr(os, name)

        def refuse(path: Any, *rest: Any, real: Any = real, dir_fd: int | None = None, **more: Any) -> None:
            folder = Path(f"/proc/self/fd/{dir_fd}").resolve() if dir_fd is not None else Path()
            if held((folder / path).as_posix()):
                raise OSError(error, os.strerror(error), os.fspath(path))
            real(path, *rest, **more, **({} if dir_fd is None else {"dir_fd": dir_fd}))

        monkeypatch.setattr(os, name, refuse)


def left(collection: Collection) -> set[str]:
    """What is there beside what the retained version needs."""
    on_efs, on_s3 = collection.stored()
    folders = {path.relative_to(collection.efs / "words").as_posix() for path in (collection.efs / "words").rglob("*/")}
    empty = {name for name in folders if name.count("/") >= 1 and "staging" in name}
    return ((on_efs | on_s3) - collection.named_by_retained()) | empty


def all_but(collection: Collection, what: str) -> set[str]:
    return {name for name in left(collection) if what not in name}


@pytest.mark.parametrize("error", [errno.ENOTEMPTY, errno.EBUSY, errno.EACCES, errno.EPERM, errno.EIO, errno.ESTALE])
@pytest.mark.parametrize("what", ["staging/execution-2", "shards/0000/0000000002", "shards/0001/", "manifests/"])
def test_what_efs_will_not_remove_is_named_and_all_else_is_removed(
    collection: Collection, monkeypatch: pytest.MonkeyPatch, what: str, error: int
) -> None:
    hold(monkeypatch, lambda path: what in path, error)
    for _ in range(DAYS):
        done = collection.expire(1)
        assert done.unremovable
        assert all(what in path for path, _ in done.unremovable)
        assert all(os.strerror(error) in why for _, why in done.unremovable)
        assert not {path for path, _ in done.unremovable} & {*done.staging, *done.shards, *done.manifests}
        assert all_but(collection, what) == set()
    monkeypatch.undo()
    collection.expire(1)
    assert left(collection) == set(), "once it can be removed, it is"


def test_of_a_folder_with_one_file_in_use_all_others_are_removed(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold(monkeypatch, lambda path: path.endswith("execution-3/1/a.bin"), errno.EBUSY)
    done = collection.expire(1)
    assert [path for path, _ in done.unremovable] == ["staging/execution-3"]
    assert left(collection) == {"staging/execution-3", "staging/execution-3/1", "staging/execution-3/1/a.bin"}


def test_objects_whose_deletion_is_denied_are_named_and_all_else_is_removed(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = collection.s3.delete_objects

    def denying(*, Delete: dict[str, Any], **more: Any) -> dict[str, Any]:  # noqa: N803 - boto3's name
        denied = [one for one in Delete["Objects"] if "0000000002" in one["Key"]]
        real(Delete={"Objects": [one for one in Delete["Objects"] if one not in denied]}, **more)
        return {"Errors": [{**one, "Code": "AccessDenied", "Message": "Access Denied"} for one in denied]}

    monkeypatch.setattr(collection.s3, "delete_objects", denying)
    done = collection.expire(1)
    assert done.unremovable
    assert all("0000000002" in path and "AccessDenied" in why for path, why in done.unremovable)
    assert all_but(collection, "0000000002") == set()


def test_a_bucket_that_denies_every_deletion_keeps_nothing_on_efs(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denying(**_: Any) -> dict[str, Any]:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "DeleteObjects")

    monkeypatch.setattr(collection.s3, "delete_objects", denying)
    done = collection.expire(1)
    on_efs, _ = collection.stored()
    assert on_efs == collection.named_by_retained()
    assert any("AccessDenied" in why for _, why in done.unremovable)
    assert len(done.staging) == 5, "what has no object was removed"


def test_several_at_once_are_all_named(collection: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    held = ("staging/execution-1", "staging/execution-4", "shards/0000/0000000001", "manifests/0000000003")
    hold(monkeypatch, lambda path: any(one in path for one in held))
    named = [path for path, _ in collection.expire(1).unremovable]
    assert len(named) >= len(held)
    assert all(any(one in path for path in named) for one in held)
    assert {name for name in left(collection) if not any(one in name for one in held)} == set()


def test_an_s3_that_does_not_answer_ends_the_round_after_a_few(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def away(_self: Bucket, keys: list[str]) -> Any:
        asked.append(keys)
        raise TransientServiceError("SlowDown")

    monkeypatch.setattr(Bucket, "delete_all", away)
    with pytest.raises(TransientServiceError):
        collection.expire(1)
    assert len(asked) == 3
    monkeypatch.undo()
    collection.expire(1)
    assert left(collection) == set()
