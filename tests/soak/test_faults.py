"""Each fault alone, under load: the schedule brings all to what the naive model says, every failure has a name."""

import random
import threading
from collections.abc import Iterator

import pytest
from receipt_chroma.reader import SnapshotReader

from local.aws.executions import wait_until
from local.demo.samples.producer import COLLECTIONS

from .disks import why_no_disk
from .faults import FAULTS, NEEDS_CLOCK, NEEDS_DISK
from .load import Load
from .operating import outcome_of
from .processes import left_behind
from .soak import is_unnamed
from .stage import Stage, running

SECONDS = 8.0
HEAL_SECONDS = 300.0
SEED = 7
CHANGES_EVERY = 0.3

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    disks = {} if why_no_disk() else {"efs": 300, "tmp": 300}
    with running(tmp_path_factory.mktemp("soak") / "stack", seed=SEED, disks=disks) as started:
        yield started


@pytest.fixture
def load(stage: Stage) -> Load:
    """Ten receipts, published, on an emptied stack."""
    return begun(stage)


def begun(stage: Stage, about: int = 10) -> Load:
    stage.stack.reset()
    load = Load(stage.producer, SEED, about=about)
    load.begin()
    stage.heal(HEAL_SECONDS)
    return load


def strike(stage: Stage, load: Load, name: str) -> int:
    """The fault, and a change every so often until it is over; how often it struck."""
    versions = {one: head.version for one in COLLECTIONS if (head := stage.head(one))}
    struck: list[int] = []
    over = threading.Event()

    def fault() -> None:
        try:
            struck.append(FAULTS[name](stage, random.Random(SEED), SECONDS))
        finally:
            over.set()

    thread = threading.Thread(target=fault)
    thread.start()
    while not over.wait(CHANGES_EVERY):
        load.change()
    thread.join()
    stage.heal(HEAL_SECONDS, load.corrupt)
    for one in COLLECTIONS:
        head = stage.head(one)
        assert head is not None
        assert head.version > versions[one], f"nothing of {one} was published meanwhile or afterwards"
    with stage.resting():
        ends = {outcome_of(execution) for execution in stage.stack.executions.find()}
        assert left_behind(stage) == []
    assert [end for end in ends if is_unnamed(end)] == []
    return sum(struck)


@pytest.mark.parametrize("name", [name for name in FAULTS if name not in NEEDS_CLOCK])
def test_a_fault_under_load_heals_by_the_schedule_alone(
    stage: Stage, load: Load, name: str, request: pytest.FixtureRequest
) -> None:
    if name in NEEDS_DISK:
        request.getfixturevalue("may_mount")
    assert strike(stage, load, name) > 0


@pytest.mark.usefixtures("may_mount")
def test_while_efs_is_full_executions_fail_by_name_nothing_is_published_and_readers_go_on(
    stage: Stage, load: Load
) -> None:
    def failed() -> set[str | None] | None:
        return {one.error for one in stage.stack.executions.find("words") if one.status == "FAILED"} or None

    with SnapshotReader(stage.stack.efs, "words", cache_dir=stage.stack.folder / "readers") as reader:
        with stage.resting():
            before, shown = stage.head("words"), len(list(reader.records()))
        with stage.disks["efs"].full(left=0):
            load.change("create")
            assert wait_until(failed, 120, "no execution fails") == {"DiskFull"}
            now = stage.head("words")
            assert now is not None
            assert before is not None
            assert now.pointer == before.pointer
            reader.refresh()
            assert len(list(reader.records())) == shown
        stage.heal(HEAL_SECONDS, load.corrupt)
        reader.refresh()
        assert len(list(reader.records())) > shown


@pytest.mark.usefixtures("may_mount")
def test_a_reader_opens_a_snapshot_on_a_file_system_that_is_read_only(stage: Stage, load: Load) -> None:
    """chromadb opens an index for writing where it can; it must not need that."""
    for name in COLLECTIONS:
        with stage.disks["efs"].read_only():
            with pytest.raises(OSError, match="Read-only"):
                (stage.stack.efs / "anything").touch()
            with SnapshotReader(stage.stack.efs, name, cache_dir=stage.stack.folder / "readers") as reader:
                assert reader.fallback_reason is None
                records = list(reader.records())
                (found,) = reader.nearest(records[0].embedding.tolist(), 1)
        assert found.distance == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("function", ["MergeDeltas", "ValidateShard", "WriteManifest", "SwapPointer", "SettleChanges"])
def test_a_worker_that_the_system_kills_for_its_memory_is_replaced(stage: Stage, load: Load, function: str) -> None:
    """SIGKILL, as the out-of-memory killer sends it, at this function's first request."""
    with stage.killed_at(function) as killed:
        load.change("create")
        assert killed.wait(60), f"{function} made no request"
    stage.heal(HEAL_SECONDS, load.corrupt)
