"""A manifest or a list of receipts that is gone or damaged: said where it is looked at, refused where it is needed.

What `status` shows of it and what pages and commands say of it belongs together, so all faces are here.
"""

from collections.abc import Callable

import pytest
from receipt_chroma.snapshot.manifest import SCHEMA_VERSION
from receipt_dynamo_stream.control.head import Head, Pointer

from operate.errors import VersionUnreadable
from operate.health import BAD, health
from operate.stack import Stack

from ..toy_stack.toy import ToyStack

WHEN = "2026-07-28T12:00:00+00:00 rolled back"
GONE = "IMAGE#gone#RECEIPT#00001"
"""A receipt that only the snapshot knows: it was deleted while nobody looked."""

Damage = Callable[[ToyStack, Head], None]


def _pointer(head: Head) -> Pointer:
    assert head.pointer is not None
    return head.pointer


def _put(stack: ToyStack, key: str, body: bytes) -> None:
    stack.s3.put_object(Bucket=stack.connection.bucket, Key=key, Body=body)


def _read(stack: ToyStack, key: str) -> bytes:
    content: bytes = stack.s3.get_object(Bucket=stack.connection.bucket, Key=key)["Body"].read()
    return content


def truncated(stack: ToyStack, head: Head) -> None:
    key = _pointer(head).manifest_key
    _put(stack, key, _read(stack, key)[:100])


def another(stack: ToyStack, head: Head) -> None:
    """Whole, and of this collection, but not the one that HEAD's sha256 names."""
    key = _pointer(head).manifest_key
    _put(stack, key, _read(stack, key).replace(b'"records": 812', b'"records": 999999'))


def missing(stack: ToyStack, head: Head) -> None:
    stack.s3.delete_object(Bucket=stack.connection.bucket, Key=_pointer(head).manifest_key)


def unnamed(stack: ToyStack, head: Head) -> None:
    """HEAD has a version and no pointer."""
    stack.head("words", version=head.version, projected_version=head.version, fence=3, paused=WHEN)


def newer(stack: ToyStack, head: Head) -> None:
    """Written by a later version of this project."""
    key = _pointer(head).manifest_key
    before = f'"schema_version": {SCHEMA_VERSION}'.encode()
    stack.repoint("words", head, _read(stack, key).replace(before, b'"schema_version": 99'))


DAMAGES = [
    pytest.param(truncated, "its pointer says", id="truncated"),
    pytest.param(another, "its pointer says", id="another"),
    pytest.param(missing, "is not there: restore it from a copy of the bucket, or roll back", id="missing"),
    pytest.param(unnamed, "names no snapshot, though version 3 was committed", id="unnamed"),
    pytest.param(newer, "99", id="newer"),
]


def receipts_missing(stack: ToyStack) -> None:
    stack.s3.delete_object(Bucket=stack.connection.bucket, Key=receipts_key())


def receipts_cut_off(stack: ToyStack) -> None:
    _put(stack, receipts_key(), _read(stack, receipts_key())[:-5])


def receipts_key() -> str:
    return "snapshots/words/shards/0000/0000000003-0000000003-0-attempt/receipts.txt"


@pytest.fixture
def published(stack: ToyStack, operator: Stack) -> Head:
    """A paused collection, whose snapshot alone knows a receipt."""
    stack.receipt("aaaa", 1)
    stack.publish("words", 3, records=812, receipts=[GONE], paused=WHEN)
    head = operator.collections.head("words")
    assert head is not None
    return head


@pytest.mark.parametrize(("damage", "said"), DAMAGES)
def test_status_says_what_is_wrong_and_claims_no_records(
    run, stack: ToyStack, operator: Stack, published: Head, damage: Damage, said: str
) -> None:
    damage(stack, published)
    status = operator.collections.status("words")
    assert (status.version, status.records, status.dimension) == (3, None, None)
    assert status.problem is not None
    assert said in status.problem
    assert health(status, (), operator.now()).level == BAD
    shown = run("status")
    assert (shown.code, shown.err) == (0, "")
    assert "Problem" in shown.out
    assert "999999" not in shown.out.replace(",", "")
    assert run("status", "--json").json["collections"]["words"]["problem"] == status.problem


@pytest.mark.parametrize(("damage", "said"), DAMAGES)
def test_nothing_is_reconciled_or_resumed_without_the_receipts_that_only_the_snapshot_knows(
    run, stack: ToyStack, operator: Stack, published: Head, damage: Damage, said: str
) -> None:
    damage(stack, published)
    for act in (
        lambda: operator.collections.reconcile(["lines", "words"]),
        lambda: operator.collections.resume("words"),
    ):
        with pytest.raises(VersionUnreadable) as refused:
            act()
        assert said in str(refused.value)
    for argv in (["reconcile"], ["reconcile", "words", "--image", "aaaa"], ["resume", "words"]):
        answer = run(*argv)
        assert answer.code == 1
        assert said in answer.error_line
    assert (stack.pending("lines"), stack.pending("words"), stack.executions()) == ([], [], [])
    assert operator.collections.paused("words") == WHEN
    assert operator.collections.reconcile(["lines"]) == 1, "the other collection has no part in it"


@pytest.mark.parametrize("damage", [receipts_missing, receipts_cut_off])
def test_a_list_of_receipts_that_is_gone_or_cut_off_is_refused_too(
    run, stack: ToyStack, operator: Stack, published: Head, damage: Callable[[ToyStack], None]
) -> None:
    damage(stack)
    for argv in (["reconcile", "words"], ["resume", "words"]):
        answer = run(*argv)
        assert answer.code == 1
        assert "receipts.txt" in answer.error_line
    assert (stack.pending("words"), stack.executions()) == ([], [])
    assert operator.collections.paused("words") == WHEN
    assert operator.collections.status("words").problem is None, "a look at the collection needs the manifest alone"


def test_what_is_whole_is_marked_with_what_only_the_snapshot_knows(
    stack: ToyStack, operator: Stack, published: Head
) -> None:
    assert operator.collections.reconcile(["words"]) == 2
    assert stack.pending("words") == ["aaaa", "gone"]
