"""What an operator starts by hand: rollback, verify and expire go through the lease and the commit."""

import json

import pytest
from receipt_chroma.snapshot.pointer import read_current
from receipt_dynamo_stream.keys import ReceiptId

from .faults import after, at_update, lose_the_answer
from .world import World, word_ids

A, B = ReceiptId("aaaa", 1), ReceiptId("bbbb", 1)
COMMIT_ROLLBACK = "execution = :me"


def two_versions(world: World) -> tuple[str, str]:
    """Version with A, then version with A and B; their snapshot ids."""
    ids = []
    for receipt in (A, B):
        world.published(receipt)
        pointer = world.head().pointer
        assert pointer is not None
        ids.append(pointer.snapshot_id)
    return ids[0], ids[1]


def test_a_rollback_publishes_the_older_version_as_a_new_one_and_pauses(world: World) -> None:
    """VersionsOnlyGrow, OneLineage."""
    old, new = two_versions(world)
    before = world.head()
    ended = world.run(mode="rollback", snapshot_id=old)
    assert ended.outcome == "rolled_back"
    head = world.head()
    assert (head.version, head.holder, head.projected_version) == (before.version + 1, None, before.version + 1)
    assert head.paused is not None
    assert world.ids() == word_ids(A)
    assert head.pointer is not None
    rows = {row.snapshot_id: row for row in world.control.versions("words").list()}
    assert rows[head.pointer.snapshot_id].parent == new
    assert {row.state for row in rows.values()} == {"committed"}


@pytest.mark.slow
def test_a_version_tells_what_it_brought_and_a_rollback_which_version_it_publishes_again(world: World) -> None:
    old, _ = two_versions(world)
    arn = world.start(mode="rollback", snapshot_id=old)
    world.end_of(arn)
    rows = world.control.versions("words").list()
    first, *_, last = rows
    assert (first.receipts, first.runs, first.refused, first.trigger) == (1, 1, 0, "stream")
    assert {"read", "write", "stage", "manifest", "swap"} <= set(first.seconds)
    assert first.visible_after_seconds is not None
    assert 0 < first.visible_after_seconds < 60
    assert (last.state, last.rollback, last.execution, last.trigger) == ("committed", old, arn, "operator")
    assert (last.receipts, last.counts, last.visible_after_seconds) == (0, {}, None)
    assert set(last.seconds) == {"manifest", "swap"}
    assert last.created_at < (last.committed_at or "")
    assert (last.records, last.bytes) == (first.records, first.bytes)


@pytest.mark.slow
def test_after_a_rollback_nothing_is_published_until_the_collection_is_resumed(world: World) -> None:
    old, _ = two_versions(world)
    world.run(mode="rollback", snapshot_id=old)
    world.mark(B)
    assert world.run().outcome == "paused"
    assert world.ids() == word_ids(A)
    world.change_head("REMOVE paused")
    assert world.run().outcome == "published"
    assert world.ids() == word_ids(A) | word_ids(B)


@pytest.mark.slow
def test_a_rollback_to_a_version_that_was_never_published_is_refused_and_leaves_the_pointer(world: World) -> None:
    two_versions(world)
    before = world.head().pointer
    assert world.run(mode="rollback", snapshot_id="0000000009-0000000009-0").error == "RollbackRefused"
    assert world.head().pointer == before


def test_a_rollback_of_a_collection_without_snapshots_says_so(world: World) -> None:
    assert world.run(mode="rollback", snapshot_id="0000000001-0000000001-0").error == "NothingToRollBack"


@pytest.mark.slow
def test_current_says_what_readers_may_fall_back_to_and_never_what_a_rollback_undid(world: World) -> None:
    old, new = two_versions(world)
    current = read_current(world.efs, "words")
    assert (current.snapshot_id, current.before and current.before.snapshot_id) == (new, old)
    assert world.run(mode="rollback", snapshot_id=old).outcome == "rolled_back"
    current = read_current(world.efs, "words")
    assert (current.version, current.before and current.before.snapshot_id) == (3, old)


@pytest.mark.slow
def test_an_unanswered_rollback_that_was_mine_goes_on_to_the_swap(world: World) -> None:
    old, _ = two_versions(world)
    with at_update(COMMIT_ROLLBACK, lose_the_answer) as faults:
        assert world.run(mode="rollback", snapshot_id=old).outcome == "rolled_back"
    assert faults
    assert world.ids() == word_ids(A)


@pytest.mark.slow
def test_a_rollback_whose_lease_is_lost_before_its_commit_is_fenced(world: World) -> None:
    """FencedNeverPublishes."""
    old, _ = two_versions(world)
    before = world.head().pointer

    def take_over() -> None:
        world.change_head("SET holder = :h ADD fence :one", {":h": {"S": "another"}, ":one": {"N": "1"}})

    with at_update(COMMIT_ROLLBACK, after(take_over)):
        assert world.run(mode="rollback", snapshot_id=old).error == "Fenced"
    assert world.head().pointer == before


@pytest.mark.slow
def test_a_rollback_that_a_resume_overtakes_changes_nothing(world: World) -> None:
    """NoChangeLost: what the resume derived again and settled would be undone with nothing marked."""
    old, _ = two_versions(world)
    before = world.head().pointer
    with at_update(COMMIT_ROLLBACK, after(lambda: world.change_head("REMOVE paused"))):
        assert world.run(mode="rollback", snapshot_id=old).error == "RollbackOvertaken"
    assert world.head().pointer == before
    world.mark(A)
    assert world.run().outcome == "unchanged"


@pytest.mark.slow
def test_a_published_version_is_verified_and_a_damaged_one_is_named(world: World) -> None:
    old, new = two_versions(world)
    ended = world.run(mode="verify", snapshot_id=old)
    assert (ended.output or {})["result"]["outcome"] == "verified"
    assert (ended.output or {})["result"]["records"] == 3
    manifest = json.loads((world.efs / f"words/manifests/{new}.json").read_text())
    file = world.efs / "words" / manifest["shards"][0]["path"] / "chroma.sqlite3"
    data = bytearray(file.read_bytes())
    data[-1] ^= 0xFF
    file.write_bytes(data)
    assert world.run(mode="verify", snapshot_id=new).error == "SnapshotDamaged"
    assert world.head().holder is None


@pytest.mark.slow
def test_a_scrub_proves_the_current_version_and_a_collection_without_one_is_sound(world: World) -> None:
    nothing = world.run(mode="verify")
    assert ((nothing.output or {})["result"]["outcome"], (nothing.output or {})["result"]["version"]) == ("verified", 0)
    _, new = two_versions(world)
    proved = (world.run(mode="verify").output or {})["result"]
    assert (proved["outcome"], proved["snapshot_id"], proved["records"]) == ("verified", new, 6)


@pytest.mark.slow
def test_expiry_by_hand_only_says_what_it_would_do_unless_told_to_apply(world: World) -> None:
    two_versions(world)
    ended = world.run(mode="expire")
    assert (ended.output or {})["expired"]["dry_run"] is True
    assert ended.outcome == "nothing_pending"
    assert (world.run(mode="expire", apply=True).output or {})["expired"]["dry_run"] is False
    assert world.ids() == word_ids(A) | word_ids(B)


def test_a_mode_that_needs_a_version_is_refused_without_one(world: World) -> None:
    assert world.run(mode="rollback").error == "InvalidInput"
    assert world.run(mode="verify", snapshot_id=None).error == "InvalidInput"
