"""Hypothesis draws few examples in the fast run; `--hypothesis-profile=thorough` draws many.

The tests in `aws/` need moto and take a few seconds: they are collected when asked for, by `pytest -m aws`.
"""

from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("fast", max_examples=12, deadline=None, database=None)
settings.register_profile("thorough", max_examples=1000, deadline=None)


def pytest_configure(config: pytest.Config) -> None:
    if not config.getoption("--hypothesis-profile"):
        settings.load_profile("fast")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    unasked = "aws" not in config.getoption("markexpr")
    return True if collection_path.name == "aws" and unasked else None
