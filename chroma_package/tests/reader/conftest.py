"""The conformance tests of readers run on both mounts."""

import pytest

from . import mounts


@pytest.fixture(params=[mounts.FOLDER, mounts.BUCKET])
def mount(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where the test's readers read from."""
    monkeypatch.setattr(mounts, "kind", request.param)
    return str(request.param)
