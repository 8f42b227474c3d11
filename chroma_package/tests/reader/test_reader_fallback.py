import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from receipt_chroma.errors import NoSnapshotYet, SnapshotUnavailable, StorageUnavailable, VersionNotServed
from receipt_chroma.reader import opening
from receipt_chroma.storage.tree import CURRENT

from ..history import History, label_of, seconds
from . import mounts
from .mounts import private_copies

pytestmark = pytest.mark.usefixtures("mount")


def test_a_first_opening_falls_back_to_the_version_before_and_says_so(
    history: History, caplog: pytest.LogCaptureFixture
) -> None:
    history.point(4)
    history.hide(4)
    with history.reader() as reader:
        assert (reader.version, label_of(reader)) == (3, "L3")
        reason = str(reader.fallback_reason)
    assert "0000000004-0000000004-1 cannot be opened" in reason
    assert "is not there" in reason
    assert any(getattr(record, "reason", None) == reason for record in caplog.records)


def test_it_falls_back_as_far_as_it_must(history: History) -> None:
    history.point(4)
    history.hide(4, 3, 2)
    with history.reader() as reader:
        assert (reader.version, label_of(reader)) == (1, "L1")


def test_when_nothing_at_all_can_be_opened_there_is_an_error_with_the_first_reason(history: History) -> None:
    history.point(2)
    history.hide(1, 2)
    with pytest.raises(SnapshotUnavailable, match="0000000002-0000000002-1"):
        history.reader()
    assert private_copies(history.cache) == []


def damage_manifest(history: History, version: int, damage: str) -> None:
    path = history.manifest_file(version)
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes().replace(b'"L', b'"M') + b" ")


@pytest.mark.parametrize("damage", ["other bytes", "gone"])
def test_without_a_readable_manifest_the_version_before_is_served(history: History, damage: str) -> None:
    history.point(4)
    damage_manifest(history, 4, damage)
    with history.reader() as reader:
        assert (reader.version, label_of(reader)) == (3, "L3")
    history.hide(3)
    with history.reader() as reader:
        assert (reader.version, label_of(reader)) == (2, "L2")
    history.restore(3)
    if mounts.kind == mounts.BUCKET:
        return
    damage_manifest(history, 3, damage)
    with history.reader() as reader:  # 2 is named by the manifest of 3 alone: 1 is known to have been published
        assert (reader.version, label_of(reader)) == (1, "L1")


@pytest.mark.parametrize("damage", ["other bytes", "gone"])
def test_where_current_does_not_say_what_came_before_only_what_is_known_is_served(
    history: History, damage: str
) -> None:
    if mounts.kind == mounts.BUCKET:
        pytest.skip("in the bucket CURRENT always says it")
    history.point(4, alone=True)
    damage_manifest(history, 4, damage)
    with history.reader() as reader:
        # 3 is named by the damaged manifest alone: 2 is the newest that is known to have been published.
        assert reader.version == 2


def test_no_reader_falls_back_to_what_a_rollback_undid(history: History) -> None:
    history.point(5)
    history.manifest_file(5).write_bytes(b"{}")
    with history.reader() as reader:  # 5 has the shards of 3, and undid 4
        assert (reader.version, label_of(reader)) == (3, "L3")
    history.point(5, alone=True)  # then what it restored is not known any more
    with pytest.raises(SnapshotUnavailable):
        history.reader()


def test_a_reader_falls_back_past_a_rollback_to_what_came_before_its_target(history: History) -> None:
    history.point(5)
    history.hide(3)  # the directory of 3 is that of 5
    with history.reader() as reader:
        assert (reader.version, label_of(reader)) == (2, "L2")


def test_a_reader_that_serves_something_moves_to_the_newest_that_it_can_open(history: History) -> None:
    history.point(1)
    with history.reader() as reader:
        history.point(4)
        history.hide(4)
        assert reader.refresh() is True
        assert (reader.version, label_of(reader)) == (3, "L3")
        assert reader.fallback_reason is not None


def test_it_serves_the_newest_again_as_soon_as_that_can_be_opened(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "RETRY_AFTER", timedelta(0))
    history.point(3)
    with history.reader() as reader:
        history.point(4)
        history.hide(4)
        assert reader.refresh() is False
        history.restore(4)
        assert reader.refresh() is True
        assert (reader.version, label_of(reader), reader.fallback_reason) == (4, "L4", None)


def test_what_could_not_be_opened_is_not_tried_again_at_once_but_another_version_is(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    history.point(1)
    with history.reader() as reader:
        history.point(2)
        history.hide(2)
        assert reader.refresh() is False
        opened: list[int] = []
        open_snapshot = opening.open_snapshot

        def noting(*arguments: object) -> object:
            opened.append(arguments[0].version)  # type: ignore[attr-defined]
            return open_snapshot(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(opening, "open_snapshot", noting)
        assert reader.refresh() is False
        assert opened == []
        assert reader.fallback_reason is not None
        history.point(3)
        assert reader.refresh() is True
        assert opened == [3]


def test_a_reader_never_goes_back(history: History) -> None:
    history.point(3)
    with history.reader() as reader:
        history.point(2)  # a lost lock on a network file system
        assert reader.refresh() is False
        assert (reader.version, reader.behind_seconds, reader.fallback_reason) == (3, 0.0, None)


@pytest.mark.parametrize("content", [None, b"", b"{}", b"\xff"])
def test_a_reader_goes_on_without_a_readable_current_and_says_so(history: History, content: bytes | None) -> None:
    history.point(3)
    with history.reader() as reader:
        path = history.folder / CURRENT
        path.unlink() if content is None else path.write_bytes(content)
        assert reader.refresh() is False
        assert reader.version == 3
        assert "CURRENT cannot be read" in str(reader.fallback_reason)
        history.point(4)
        assert reader.refresh() is True
        assert (reader.version, reader.fallback_reason) == (4, None)


def test_a_file_server_that_is_away_for_a_moment_is_asked_again(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    history.point(3)
    open_snapshot, answers = opening.open_snapshot, [StorageUnavailable("ESTALE"), FileNotFoundError("ENOENT")]

    def away(*arguments: object) -> object:
        if answers:
            raise answers.pop()
        return open_snapshot(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(opening, "open_snapshot", away)
    with history.reader() as reader:
        assert (reader.version, reader.fallback_reason) == (3, None)


MADE = datetime(2026, 2, 1, tzinfo=UTC)  # when the plans of the history were made


def clock(after: float) -> Callable[[], datetime]:
    return lambda: MADE + seconds(after)


def test_behind_seconds_is_zero_while_current_is_served_and_then_the_age_of_the_first_newer_version(
    history: History,
) -> None:
    history.point(2)
    with history.reader(now=clock(90)) as reader:
        assert reader.behind_seconds == 0.0
        history.point(4)
        assert reader.behind_seconds == 90.0
        history.manifest_file(3).unlink()  # then that of the oldest newer one that is known
        assert reader.behind_seconds == 90.0
        reader.refresh()
        assert reader.behind_seconds == 0.0


def test_without_any_newer_manifest_behind_seconds_counts_from_the_swap(history: History) -> None:
    history.point(2)
    with history.reader() as reader:
        history.point(4)
        history.manifest_file(4).unlink()
        assert 0.0 < reader.behind_seconds < 60.0


def test_a_fallback_is_behind(history: History) -> None:
    history.point(4)
    history.hide(4)
    with history.reader(now=clock(30)) as reader:
        assert (reader.version, reader.behind_seconds) == (3, 30.0)


def test_a_version_that_is_there_is_not_waited_for(history: History) -> None:
    history.point(2)
    with history.reader(min_version=2, timeout=seconds(0)) as reader:
        history.point(3)
        assert reader.refresh(min_version=3, timeout=seconds(0)) is True
        assert reader.refresh(min_version=2, timeout=seconds(0)) is False
        assert reader.version == 3


def test_a_version_that_does_not_come_in_time_is_an_error_and_the_old_one_stays(history: History) -> None:
    history.point(2)
    with history.reader() as reader:
        with pytest.raises(VersionNotServed, match=r"version 3 was not there in 0\.3 s, version 2 is served"):
            reader.refresh(min_version=3, timeout=seconds(0.3))
        assert label_of(reader) == "L2"
        history.point(3)
        history.hide(3)
        with pytest.raises(VersionNotServed, match="cannot be opened"):
            reader.refresh(min_version=3, timeout=seconds(0))
        assert label_of(reader) == "L2"


def test_a_first_publication_can_be_waited_for_and_without_one_the_error_says_so(history: History) -> None:
    shutil.rmtree(history.folder)
    with pytest.raises(VersionNotServed, match="nothing was published") as raised:
        history.reader(min_version=1, timeout=seconds(0))
    assert isinstance(raised.value.__cause__, NoSnapshotYet)
    assert private_copies(history.cache) == []
