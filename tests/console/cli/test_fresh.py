"""What commands say of segments and folds."""

from pathlib import Path

import pytest

from operate.connection import save_local

from ...toy_stack.version_histories import History


def test_versions_say_what_is_fresh_and_what_was_not_merged(
    run, segmented: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    save_local(segmented.connection())
    said = run("versions", "words").out
    assert "Fresh" in said
    answer = run("versions", "words", "--json").json["collections"]["words"]["versions"]
    assert [(one["version"], one["kind"], one["segments"], one["fresh_records"]) for one in answer] == [
        (6, "rollback", 2, 11),
        (5, "merge", 1, 0),
        (4, "fold", 0, 0),
        (3, "merge", 2, 11),
        (2, "merge", 1, 6),
        (1, "merge", 0, 0),
    ]
    assert "fold" in said
    assert "rollback" in said
    assert "11 in 2 segments" in run("status").out
    assert run("status", "--json").json["collections"]["words"]["fresh_records"] == 11
