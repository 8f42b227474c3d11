"""Hypothesis draws few examples in the fast run; `--hypothesis-profile=thorough` draws many."""

import pytest
from hypothesis import settings

settings.register_profile("fast", max_examples=12, deadline=None, database=None)
settings.register_profile("thorough", max_examples=1000, deadline=None)


def pytest_configure(config: pytest.Config) -> None:
    if not config.getoption("--hypothesis-profile"):
        settings.load_profile("fast")
