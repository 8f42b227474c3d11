import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from receipt_chroma.errors import NoSnapshotYet, SnapshotUnavailable, StorageUnavailable
from receipt_chroma.snapshot import pointer as pointer_module
from receipt_chroma.snapshot.pointer import Current, read_current, swap_pointer
from receipt_dynamo_stream.control.head import Pointer, snapshot_id_of


def pointer(version: int, fence: int = 1, round_number: int = 1) -> Pointer:
    snapshot_id = snapshot_id_of(version, fence, round_number)
    return Pointer(version, snapshot_id, f"snapshots/words/manifests/{snapshot_id}.json", f"{version:064x}")


def test_current_is_one_json_line_of_what_is_published_and_what_came_before(tmp_path: Path) -> None:
    assert swap_pointer(tmp_path, "words", pointer(3, 7), before=pointer(2, 6))
    text = (tmp_path / "words" / "CURRENT").read_text()
    assert text.count("\n") == 1
    assert json.loads(text) == {
        "version": 3,
        "snapshot_id": "0000000003-0000000007-1",
        "manifest_sha256": f"{3:064x}",
        "fence": 7,
        "before": {
            "version": 2,
            "snapshot_id": "0000000002-0000000006-1",
            "manifest_sha256": f"{2:064x}",
            "fence": 6,
            "before": None,
        },
    }
    assert read_current(tmp_path, "words") == Current.of(pointer(3, 7), pointer(2, 6))


def test_a_current_without_what_came_before_is_read(tmp_path: Path) -> None:
    (tmp_path / "words").mkdir()
    line = '{"version": 3, "snapshot_id": "0000000003-0000000007-1", "manifest_sha256": "ab", "fence": 7}'
    (tmp_path / "words" / "CURRENT").write_text(line + "\n")
    assert read_current(tmp_path, "words") == Current(3, "0000000003-0000000007-1", "ab", 7)


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4)), max_size=8))
def test_versions_only_grow(tmp_path_factory: pytest.TempPathFactory, order: list[tuple[int, int]]) -> None:
    root = tmp_path_factory.mktemp("efs")
    highest: tuple[int, int] | None = None
    for version, fence in order:
        moves = highest is None or (version, fence) > highest
        assert swap_pointer(root, "words", pointer(version, fence)) == moves
        highest = max(highest or (0, 0), (version, fence))
        assert read_current(root, "words").place == highest


def test_before_anything_is_published_there_is_a_name_for_it(tmp_path: Path) -> None:
    with pytest.raises(NoSnapshotYet, match="CURRENT is not there: nothing was published for words yet"):
        read_current(tmp_path, "words")
    with pytest.raises(NoSnapshotYet, match=r"CURRENT is not there \(.*/mistyped is no folder\): nothing"):
        read_current(tmp_path / "mistyped", "words")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"version": "x"}', "null", "\udcff"])
def test_a_current_that_cannot_be_read_is_named_and_written_again(tmp_path: Path, text: str) -> None:
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "CURRENT").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(SnapshotUnavailable):
        read_current(tmp_path, "words")
    assert swap_pointer(tmp_path, "words", pointer(1))
    assert read_current(tmp_path, "words").version == 1


def test_a_writer_waits_for_the_lock_and_then_sees_what_the_other_wrote(tmp_path: Path) -> None:
    import fcntl

    swap_pointer(tmp_path, "words", pointer(1))
    waiting = threading.Event()
    with (tmp_path / "words" / "CURRENT.lock").open("ab") as lock, ThreadPoolExecutor(1) as pool:
        fcntl.flock(lock, fcntl.LOCK_EX)

        def swap() -> bool:
            waiting.set()
            return swap_pointer(tmp_path, "words", pointer(2))

        late = pool.submit(swap)
        waiting.wait()
        newer = Current.of(pointer(3))
        (tmp_path / "words" / "CURRENT").write_text(json.dumps(newer.__dict__))
        fcntl.flock(lock, fcntl.LOCK_UN)
        assert late.result() is False
    assert read_current(tmp_path, "words") == newer


def test_many_writers_at_once_end_at_the_highest(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda version: swap_pointer(tmp_path, "words", pointer(version)), [5, 3, 8, 1, 7, 2, 6, 4]))
    assert read_current(tmp_path, "words").version == 8
    assert sorted(path.name for path in (tmp_path / "words").iterdir()) == ["CURRENT", "CURRENT.lock"]


def test_a_crash_before_the_rename_leaves_the_old_pointer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    swap_pointer(tmp_path, "words", pointer(1))
    monkeypatch.setattr(Path, "replace", _crash)
    with pytest.raises(KeyboardInterrupt):
        swap_pointer(tmp_path, "words", pointer(2))
    monkeypatch.undo()
    assert read_current(tmp_path, "words").version == 1
    assert swap_pointer(tmp_path, "words", pointer(2))


def _crash(self: Path, target: Path) -> None:
    raise KeyboardInterrupt


def test_a_file_server_that_is_away_is_a_reason_to_try_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stale(*_: object) -> None:
        raise OSError(116, "Stale file handle")

    monkeypatch.setattr(pointer_module, "write_atomically", stale)
    with pytest.raises(StorageUnavailable):
        swap_pointer(tmp_path, "words", pointer(1))
