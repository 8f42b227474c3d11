"""docs/howto/restore.md, typed as it stands on a local stack that lost what each chapter is about."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from subprocess import CalledProcessError

import pytest
from receipt_chroma.errors import CurrentGone, NoSnapshotYet

from local.stack import LocalStack
from tests.operator.desk import Desk
from tests.quiet_stack import quiet_stack

from .shell import AWS_CLI, Shell, blocks, chapters, install, program
from .stages import BOTH, is_right, quiet, work_it_off

CHAPTERS = chapters("restore.md")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    with quiet_stack(tmp_path_factory.mktemp("stack")) as running:
        yield running


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an AWS CLI."""
    try:
        return install(tmp_path_factory.mktemp("aws") / "venv", f"awscli=={AWS_CLI}")
    except CalledProcessError as error:
        pytest.skip(f"the AWS CLI cannot be installed: {error.stderr[-300:]}")


@pytest.fixture
def desk(
    stack: LocalStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Desk:
    return Desk.at(stack, tmp_path, monkeypatch, capsys)


@pytest.fixture
def shell(desk: Desk, aws: Path, tmp_path: Path) -> Shell:
    names = desk.stack.connection
    return Shell.at(names, tmp_path, aws, BUCKET=names.bucket, CONTROL=names.control_table, EFS=str(desk.efs))


def publish_two_versions(desk: Desk) -> None:
    first, second, third, *_ = desk.receipts
    desk.write(first, second)
    desk.settle_down()
    desk.write(third)
    desk.settle_down()


def empty_bucket(desk: Desk) -> None:
    s3, bucket = desk.stack.client("s3"), desk.stack.connection.bucket
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for one in page["Contents"]:
            s3.delete_object(Bucket=bucket, Key=one["Key"])


def empty_efs(desk: Desk) -> None:
    for path in desk.efs.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def remove_folder(desk: Desk) -> None:
    shutil.rmtree(desk.efs / "words")


def errors_of(desk: Desk) -> set[str | None]:
    """How the schedule's next executions end, once nothing runs."""
    quiet(desk.stack)
    arns = [desk.stack.schedule.trigger_now(collection) for collection in BOTH]
    return {desk.stack.wait_for_execution(arn).error for arn in arns}


def older_than_current(desk: Desk) -> list[int]:
    return sorted(number for number, one in desk.versions().items() if one["state"] == "committed")


def test_efs(desk: Desk, shell: Shell) -> None:
    publish_two_versions(desk)
    before = desk.published()
    (script,) = blocks(CHAPTERS["EFS"])
    for lose, error in ((empty_efs, NoSnapshotYet), (remove_folder, CurrentGone)):
        lose(desk)
        with pytest.raises(error):
            desk.published()
        said = shell.run(script)
        assert "CURRENT was written" in said
        assert "of words is whole" in said
        assert desk.published() == before
    empty_efs(desk)
    work_it_off(desk)
    assert desk.published() == before, "by itself"
    oldest, *_ = older_than_current(desk)
    desk.run("rollback", "words", str(oldest), "--yes")
    assert desk.published() != before
    desk.run("resume", "words", "--wait")
    assert desk.published() == before
    assert is_right(desk)


def test_the_bucket(desk: Desk, shell: Shell) -> None:
    publish_two_versions(desk)
    before = desk.published()
    empty_bucket(desk)
    *_, late = desk.receipts
    desk.write(late)
    assert errors_of(desk) == {"SnapshotDamaged"}
    assert desk.published() == before, "readers on EFS serve"
    put_back, made_anew = blocks(CHAPTERS["The bucket"])
    said = shell.run(put_back)
    assert said.count("is whole") == 2
    work_it_off(desk)
    assert desk.published().items() > before.items(), "what came meanwhile is there"
    assert "only the snapshot has it" in desk.try_to("doctor").out
    first_half, _, doctor = made_anew.rpartition("\n")
    assert "runs announced" in shell.run(first_half)
    work_it_off(desk)
    assert "Nothing is unexplained" in shell.run(doctor)
    assert "only the snapshot has it" not in desk.try_to("doctor").out
    served = desk.published()
    oldest, *_ = older_than_current(desk)
    desk.run("rollback", "words", str(oldest), "--yes")
    desk.run("resume", "words", "--wait")
    work_it_off(desk)
    assert desk.published() == served


def test_the_control_table(desk: Desk, shell: Shell) -> None:
    """NoChangeLost, RowsConserved: what changed since the version that is found is derived again."""
    kept, deleted, late, *_ = desk.receipts
    desk.write(kept, deleted)
    desk.settle_down()
    version = desk.settle_down()
    desk.lose_control_table()
    desk.producer.delete_receipt(deleted)
    desk.write(late)
    assert errors_of(desk) == {"PointerMissing"}
    assert desk.head().version == 0
    (script,) = blocks(CHAPTERS["The control table"])
    said = shell.run(script)
    assert said.count("Every receipt is marked pending") == 2
    assert desk.head().version >= version
    work_it_off(desk)
    assert is_right(desk)
    states = {number: row["state"] for number, row in desk.versions().items()}
    assert states[desk.head().version] == "current"
    assert states[version] in ("committed", "expired")
    refused = desk.try_to("restore", "words", "--head-from-bucket", "--yes")
    assert refused.code == 2
    assert "its manifest is there" in " ".join(refused.err.split())


def test_the_control_table_at_an_earlier_moment(desk: Desk, shell: Shell) -> None:
    """moto's recovery copies the table as it is: so it is asked for before the rest happens."""
    kept, deleted, late, *_ = desk.receipts
    desk.write(kept, deleted)
    desk.settle_down()
    chapter = CHAPTERS["The control table at an earlier moment"]
    recover, copy_back = blocks(chapter)
    shell.run(recover)
    desk.producer.delete_receipt(deleted)
    desk.write(late)
    seen = desk.settle_down()
    after = desk.published()
    desk.lose_control_table()
    (shell.folder / "copy_items.py").write_text(program(chapter))
    said = shell.run(copy_back)
    assert "HEAD had gone back" in said
    assert desk.head().version > seen, "readers go forward"
    work_it_off(desk)
    assert desk.published() == after
    assert is_right(desk)
    assert desk.head().went_back is None


def test_begin_anew(desk: Desk, shell: Shell) -> None:
    """The new control table of a stack that was deployed again is empty, and so is its new file system."""
    publish_two_versions(desk)
    before = desk.published()
    empty_efs(desk)
    s3, bucket = desk.stack.client("s3"), desk.stack.connection.bucket
    manifests = s3.list_objects_v2(Bucket=bucket, Prefix="snapshots/words/manifests/")["Contents"]
    for one in manifests:
        s3.delete_object(Bucket=bucket, Key=one["Key"])
    refused = desk.try_to("restore", "words", "--head-from-bucket", "--yes")
    assert refused.code == 2
    assert "begin anew: docs/howto/restore.md" in " ".join(refused.err.split())
    desk.lose_control_table()
    (script,) = blocks(CHAPTERS["Begin anew"])
    first, _, doctor = script.rpartition("\n")
    shell.run(first)
    work_it_off(desk)
    assert "Nothing is unexplained" in shell.run(doctor)
    assert desk.published() == before
    assert is_right(desk)


def test_coming_back_to_kept_data_after_the_stack_was_removed(desk: Desk, shell: Shell) -> None:
    """docs/howto/remove.md: table and bucket are the old ones, control table and file system are new."""
    publish_two_versions(desk)
    before, version = desk.published(), desk.head().version
    empty_efs(desk)
    desk.lose_control_table()
    _deploy, script = blocks(chapters("remove.md")["Coming back to kept data"])
    first, _, doctor = script.rpartition("\n")
    shell.run(first)
    work_it_off(desk)
    assert "Nothing is unexplained" in shell.run(doctor)
    assert desk.head().version >= version
    assert desk.published() == before
    assert is_right(desk)
