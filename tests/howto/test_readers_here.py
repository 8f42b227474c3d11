"""The pages of those who read, typed beside a local stack that `make up` keeps, as they say."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from local.aws.executions import wait_until
from tests.console.cli.running import Up, up

from .pages import ROOT, Desk, commands, up_options

LAMBDA, NOTEBOOK = "search-in-my-lambda.md", "notebook-on-production-data.md"
BREAK = "break-and-heal.md"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stands for the checkout: `.compaction` comes to be here."""
    folder = tmp_path_factory.mktemp("checkout")
    (folder / "examples").symlink_to(ROOT / "examples")
    return folder


@pytest.fixture(scope="module")
def running(folder: Path) -> Iterator[Up]:
    (line,) = {line for page in (LAMBDA, NOTEBOOK) for line in commands(page) if line.startswith("make")}
    with up(folder, *up_options(line)) as running:
        settled(running, after=0)
        yield running


def settled(running: Up, *, after: int) -> None:
    """Until a version later than this one of the words is published and nothing waits."""

    def is_settled() -> bool | None:
        status = running.stack.collections.status("words")
        return (status.version > after and not status.pending) or None

    wait_until(is_settled, 300, "the samples are not published")


def test_a_function_of_ones_own_sees_what_was_published_since(running: Up, folder: Path) -> None:
    desk = Desk(folder, {"/tmp/readers": str(folder / "readers")})
    desk.save(LAMBDA)
    make, export, ask, sample, again = commands(LAMBDA)
    assert make.startswith("make up")
    desk.type(export)
    before = running.stack.collections.status("words").version
    said = desk.type(ask)
    assert f'"version": {before}' in said
    assert said.count('"distance"') == 3
    desk.type(sample)
    settled(running, after=before)
    assert f'"version": {before}' not in desk.type(again)


def test_the_bucket_is_read_like_production_s_with_the_variables_of_the_page(running: Up, folder: Path) -> None:
    names = running.connection
    desk = Desk(folder, {"http://127.0.0.1:PORT": names.endpoint_url or "", "BUCKET": names.bucket})
    desk.save(NOTEBOOK)
    explore, export, _make, variables, look = commands(NOTEBOOK)
    desk.type(variables)
    status = running.stack.collections.status("words")
    assert f"version {status.version}, {status.records:,} records" in desk.type(explore)
    assert f"version {status.version}: {status.records} records" in desk.type(look)
    assert f"Version {status.version} of words: {status.records}" in desk.type(export)
    assert desk.type("python plain.py").startswith(f"{status.records} records\n")


def test_a_bad_delta_waits_in_quarantine_until_it_is_dropped_and_nothing_else_does(running: Up, folder: Path) -> None:
    desk = Desk(folder)
    desk.save(BREAK)
    make, corrupt, quarantine, drop, doctor = commands(BREAK)
    assert make.startswith("make up")
    run_id = desk.type(corrupt).strip()

    def waits() -> bool | None:
        return len(running.stack.quarantine.runs(reason="DeltaCorrupt")) == 2 or None

    wait_until(waits, 300, "the bad delta is not refused")
    assert desk.type(quarantine).count(run_id[:8]) == 2
    settled(running, after=0)
    desk.type(drop)
    desk.type(doctor)
    assert run_id[:8] not in desk.type(quarantine)
