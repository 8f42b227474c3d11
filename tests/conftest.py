"""What all root tests share: the order of the folders."""

import pytest


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep a folder's tests together, in whatever order they are: moto allows one local stack a process at a time."""
    items.sort(key=lambda item: str(item.path.parent))
