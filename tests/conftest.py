"""What all root tests share: the order of the folders, and properties that may take their time on a busy machine."""

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

settings.register_profile("patient", deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


LONGEST = ("pipeline", "folds", "contents", "cli", "operator", "demo", "generations")
"""The folders that take longest, from the longest on: two workers that begin with these end at nearly the same time."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep a folder's tests together, in whatever order they are: moto allows one local stack a process at a time."""
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: (place.get(item.path.parent.name, len(place)), str(item.path.parent)))


class FolderScheduling(LoadScopeScheduling):
    """Gives a whole folder's tests to one worker, so that the local stack they share is started once."""

    def _split_scope(self, nodeid: str) -> str:
        return nodeid.split("::")[0].rpartition("/")[0]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling | None:
    """What `--dist loadscope` means here; any other `--dist` is as xdist has it."""
    return FolderScheduling(config, log) if config.getvalue("dist") == "loadscope" else None
