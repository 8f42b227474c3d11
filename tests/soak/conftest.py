"""The machine's part: what may be mounted here."""

import pytest

from .disks import why_no_disk


@pytest.fixture(scope="session")
def may_mount() -> None:
    """Skips, by name, what needs a small disk where nobody may mount one."""
    if why := why_no_disk():
        pytest.skip(why)
