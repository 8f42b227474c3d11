"""The environment, read into one typed object."""

import pytest
from receipt_chroma.folding import FoldBound

from handlers.settings import Settings, SettingsError

LEAST = {"CONTROL_TABLE": "c", "RECEIPTS_TABLE": "r", "BUCKET": "b"}


def test_the_defaults_are_those_of_a_deployment() -> None:
    read = Settings.from_environment(LEAST)
    assert (read.control_table, read.min_commit_interval_seconds, read.max_receipts_per_round) == ("c", 15, 250)


def test_every_missing_or_malformed_variable_is_named_at_once() -> None:
    with pytest.raises(SettingsError) as error:
        Settings.from_environment({"BUCKET": "b", "KEEP_SNAPSHOTS": "ten"})
    assert all(part in str(error.value) for part in ("CONTROL_TABLE", "RECEIPTS_TABLE", "KEEP_SNAPSHOTS='ten'"))


def test_a_function_without_the_file_system_says_so_when_it_needs_it() -> None:
    with pytest.raises(SettingsError, match="EFS_ROOT"):
        _ = Settings.from_environment(LEAST).efs


def test_the_fold_bound_is_the_librarys_own_but_for_what_the_environment_says() -> None:
    def bound(**given: str) -> FoldBound:
        return FoldBound(**Settings.from_environment({**LEAST, **given}).fold_bound)

    given = {"FOLD_LEAST": "5", "FOLD_MOST": "70", "FOLD_SHARE": "0.5", "FOLD_SEGMENTS": "3"}
    assert bound(**given) == FoldBound(5, 70, 0.5, 3)
    assert bound(FOLD_MOST="20000") == FoldBound(most=20_000)


def test_a_part_of_the_fold_bound_that_is_no_number_is_named() -> None:
    with pytest.raises(SettingsError, match=r"FOLD_SHARE='a fifth' is not a number"):
        Settings.from_environment({**LEAST, "FOLD_SHARE": "a fifth"})
