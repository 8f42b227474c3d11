"""A good shard, damaged in every way that a check has a name for."""

from pathlib import Path

import pytest
from receipt_chroma.errors import ShardInvalid
from receipt_chroma.shard import checks as shard_checks
from receipt_chroma.shard.checks import check_directory

from .damages import FILE_DAMAGES
from .good import RECORDS, expected_of


@pytest.mark.parametrize("name", FILE_DAMAGES)
def test_damage_is_refused_with_a_name(shard: Path, name: str) -> None:
    problem, damage = FILE_DAMAGES[name]
    damage(shard)
    with pytest.raises(ShardInvalid) as refused:
        check_directory(shard, expected_of(RECORDS), full=True)
    assert refused.value.problem == problem, str(refused.value)


@pytest.mark.parametrize("name", FILE_DAMAGES)
def test_damage_to_a_shard_too_large_for_chromadb_to_read_whole_is_refused_with_the_same_name(
    shard: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shard_checks, "CHROMADB_READ_RECORDS", 0)
    test_damage_is_refused_with_a_name(shard, name)
