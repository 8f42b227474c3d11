"""What all root tests share: the order of the folders, and properties that may take their time on a busy machine."""

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("patient", deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep a folder's tests together, in whatever order they are: moto allows one local stack a process at a time."""
    items.sort(key=lambda item: str(item.path.parent))
