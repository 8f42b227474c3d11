"""An export has the records of its version, as plain chromadb reads them, wherever the version came from."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from receipt_chroma.snapshot.manifest import Manifest
from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.control.head import Pointer, snapshot_id_of

from operate.connection import save_local
from operate.contents.exporting import BucketSource, FolderSource, Source, StackSource, export_version
from operate.errors import (
    SnapshotNotFound,
    VersionAmbiguous,
    VersionNotFound,
    VersionRefused,
    VersionUnreadable,
)
from operate.stack import Stack

from ...toy_stack.toy import toy_manifest
from ...toy_stack.version_histories import History, NewHistory, read_plainly, three_versions


def source_of(kind: str, history: History, cache: Path) -> Source:
    match kind:
        case "folder":
            return FolderSource(history.efs)
        case "bucket":
            return BucketSource(Bucket(history.s3, history.bucket), cache)
        case _:
            return StackSource(Stack(history.connection(local=kind == "stack with its EFS")), cache)


KINDS = ["stack with its EFS", "stack without", "folder", "bucket"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("which", ["segmented", pytest.param("mixed", marks=pytest.mark.slow)])
def test_every_version_is_exported_from_every_source(
    request: pytest.FixtureRequest, which: str, kind: str, tmp_path: Path
) -> None:
    history = request.getfixturevalue(which)
    source = source_of(kind, history, tmp_path / "cache")
    told: list[int] = []
    for collection in ("words", "lines"):
        for pointer in history.versions[collection][:5]:
            manifest = source.manifest(collection, str(pointer.version))
            assert manifest.pointer == pointer
            target = tmp_path / f"{collection}-{pointer.version}"
            done = export_version(source, manifest, target, progress=told.append)
            assert (done.version, done.snapshot_id, done.records) == (*pointer_of(pointer), manifest.records)
            assert told[-1] == manifest.records
            assert read_plainly(target, tmp_path / "copy") == history.content(collection, pointer)
    assert (tmp_path / "cache").exists() == (kind in ("stack without", "bucket"))


def pointer_of(pointer: Pointer) -> tuple[int, str]:
    return pointer.version, pointer.snapshot_id


def test_the_current_version_is_that_of_the_control_table_or_of_current(segmented: History, tmp_path: Path) -> None:
    """What a fold wrote as the sixth version is committed, and neither CURRENT shows it yet."""
    versions = segmented.versions["words"]
    assert source_of("stack without", segmented, tmp_path).manifest("words", None).pointer == versions[5]
    current = json.loads((segmented.efs / "words" / "CURRENT").read_text())["version"]
    assert current == 5
    for kind in ("folder", "bucket"):
        source = source_of(kind, segmented, tmp_path)
        assert source.manifest("words", None).pointer == versions[4]
        assert source.manifest("words", versions[4].snapshot_id).version == 5
        with pytest.raises(VersionNotFound, match=r"versions 1 to 5$"):
            source.manifest("words", "6")
        assert source.manifest("words", versions[5].snapshot_id).version == 6, "who names it knows it"


def test_a_bucket_whose_current_is_no_pointer_or_not_there_still_has_the_versions_that_are_named(
    new_history: NewHistory, tmp_path: Path
) -> None:
    history = new_history(1, three_versions)
    source = source_of("bucket", history, tmp_path)
    here = {"Bucket": history.bucket, "Key": "snapshots/words/CURRENT"}
    history.s3.put_object(**here, Body=b"{")
    with pytest.raises(VersionUnreadable, match="CURRENT of words in the bucket cannot be read"):
        source.manifest("words", None)
    assert source.manifest("words", "2").version == 2
    history.s3.delete_object(**here)
    with pytest.raises(SnapshotNotFound, match=r"pass --version, it has versions 1 to 3$"):
        source.manifest("words", None)
    assert source.manifest("words", "2").version == 2


@pytest.mark.slow
def test_a_file_that_the_file_system_lost_comes_from_the_bucket(new_history: NewHistory, tmp_path: Path) -> None:
    history = new_history(2, three_versions)
    pointer = history.versions["words"][2]
    content = history.content("words", pointer)
    for file in (history.efs / "words" / "shards").rglob("header.bin"):
        file.unlink()
    source = source_of("stack with its EFS", history, tmp_path / "cache")
    export_version(source, source.manifest("words", None), tmp_path / "export")
    assert read_plainly(tmp_path / "export", tmp_path / "copy") == content
    alone = source_of("folder", history, tmp_path)
    for file in (history.efs / "words" / "shards").rglob("data_level0.bin"):
        file.unlink()
    with pytest.raises(VersionUnreadable, match="version 3 cannot be exported"):
        export_version(alone, alone.manifest("words", None), tmp_path / "another")
    assert not (tmp_path / "another").exists()


@pytest.mark.slow
def test_of_several_manifests_of_a_version_the_one_that_newer_ones_grew_from_counts(
    new_history: NewHistory, tmp_path: Path
) -> None:
    history = new_history(1, three_versions)
    versions = history.versions["words"]
    lost = [put_lost(history, version, version - 1) for version in (2, 3)]
    bucket, folder = (source_of(kind, history, tmp_path) for kind in ("bucket", "folder"))
    for source in (bucket, folder):
        assert source.manifest("words", "2").pointer == versions[1]
        assert source.manifest("words", lost[0].snapshot_id) == lost[0]
        with pytest.raises(VersionNotFound, match=r"no version 4 of words in .*: versions 1 to 3$"):
            source.manifest("words", "4")
        with pytest.raises(VersionNotFound, match=r"there is no version$"):
            source.manifest("receipts", "1")
        assert source.manifest("words", "3").pointer == versions[2], "CURRENT names it"
    history.s3.delete_object(Bucket=history.bucket, Key="snapshots/words/CURRENT")
    with pytest.raises(VersionAmbiguous, match=f"pass one of {versions[2].snapshot_id}, {lost[1].snapshot_id}$"):
        bucket.manifest("words", "3")
    (history.efs / "words" / "CURRENT").unlink()
    with pytest.raises(SnapshotNotFound, match=r"is .* the folder that has the collections"):
        folder.manifest("words", None)
    with pytest.raises(VersionAmbiguous):
        folder.manifest("words", "3")
    for number, content in ((2, b"{"), (1, None)):
        path = history.efs / "words" / "manifests" / f"{versions[number - 1].snapshot_id}.json"
        path.unlink() if content is None else path.write_bytes(content)
        with pytest.raises((VersionUnreadable, VersionNotFound)):
            folder.manifest("words", versions[number - 1].snapshot_id)


def put_lost(history: History, version: int, parent: int) -> Manifest:
    """A manifest of an attempt that never committed."""
    made = toy_manifest("words", snapshot_id_of(version, 9_000, 0))
    manifest = replace(made, parent=history.versions["words"][parent - 1])
    history.s3.put_object(Bucket=history.bucket, Key=manifest.pointer.manifest_key, Body=manifest.encode())
    path = history.efs / "words" / "manifests" / f"{manifest.snapshot_id}.json"
    path.write_bytes(manifest.encode())
    return manifest


def test_an_expired_version_is_refused_by_a_stack(new_history: NewHistory, tmp_path: Path) -> None:
    history = new_history(1, three_versions)
    history.control.versions("words").mark_expired(history.versions["words"][0].snapshot_id)
    with pytest.raises(VersionRefused):
        source_of("stack without", history, tmp_path).manifest("words", "1")


def test_the_command_exports_from_a_stack_a_folder_and_a_bucket(
    run, segmented: History, endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    save_local(segmented.connection())
    said = run("export", "words", "out/of stack")
    assert said.code == 0
    assert said.err == "exporting version 6 of words: 11 records …\n"
    assert "Version 6 of words: 11 records" in said.out
    assert "chromadb.PersistentClient('out/of stack') opens it as it is." in " ".join(said.out.split())
    content = segmented.content("words", segmented.versions["words"][2])
    assert read_plainly(tmp_path / "out" / "of stack", tmp_path / "copy") == content
    for name, value in (
        *(("AWS_ENDPOINT_URL", endpoint), ("AWS_ACCESS_KEY_ID", "local")),
        *(("AWS_SECRET_ACCESS_KEY", "local"), ("AWS_DEFAULT_REGION", "us-east-1")),
    ):
        monkeypatch.setenv(name, value)
    for source in (("--efs", str(segmented.efs)), ("--bucket", segmented.bucket)):
        answer = run("export", "words", f"from{source[0]}", "--version", "3", *source, "--json").json
        assert answer["directory"] == str(tmp_path / f"from{source[0]}")
        assert (answer["version"], answer["records"], answer["collection"]) == (3, 11, "words")
        assert read_plainly(tmp_path / f"from{source[0]}", tmp_path / "copy") == content
        assert run("export", "words", f"current{source[0]}", *source, "--json").json["version"] == 5


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("full",), "full is there already and not empty"),
        (("full/file",), "not empty"),
        ((".",), "name another one than the current directory"),
        (("out", "--version", "99"), "no version 99 of words"),
        (("out", "--efs", "nowhere"), "nowhere is no folder"),
        (("out", "--efs", "full"), "is full the folder that has the collections?"),
        (("out", "--efs", "full", "--region", "x"), "leave out --region"),
        (("out", "--efs", "full", "--stack", "x"), "leave out --stack"),
        (("out", "--efs", "full", "--bucket", "x"), "not allowed with"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_what_cannot_be_exported_is_refused_in_one_line_and_nothing_is_left(
    run, segmented: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], problem: str
) -> None:
    monkeypatch.chdir(tmp_path)
    save_local(segmented.connection())
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("mine")
    said = run("export", "words", *arguments)
    assert said.code == 2
    assert problem in said.error_line
    assert not (tmp_path / "out").exists()
    assert (tmp_path / "full" / "file").read_text() == "mine"
    shutil.rmtree(tmp_path / "full")
