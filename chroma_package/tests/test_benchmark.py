"""The merge benchmark runs, and its stand-in for S3 answers as S3 does."""

import importlib.util
import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.mark.slow
def test_a_quick_run_prints_every_row(tmp_path: Path) -> None:
    command = [sys.executable, str(BENCHMARKS / "merge.py"), "--quick", "--folder", str(tmp_path)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    rows = ("new records in 100", "bytes written", "validation and hashing", "replaced", "metadata-only", "peak memory")
    promises = printed.splitlines()[-len(rows) :]
    assert all(row in promise for row, promise in zip(rows, promises, strict=True)), printed
    assert not list(tmp_path.iterdir())


def folder_s3(folder: Path) -> Any:
    spec = importlib.util.spec_from_file_location("folder_s3", BENCHMARKS / "folder_s3.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.FolderS3(folder)


@pytest.mark.parametrize("which", ["S3", "folder"])
def test_the_stand_in_for_s3_does_what_s3_does(s3: Any, tmp_path: Path, which: str) -> None:
    client = s3 if which == "S3" else folder_s3(tmp_path / "objects")
    if which == "S3":
        client.create_bucket(Bucket="stand-in")
    file = tmp_path / "file"
    file.write_bytes(b"from a file")
    client.put_object(Bucket="stand-in", Key="a/one", Body=b"first")
    client.put_object(Bucket="stand-in", Key="a/one", Body=io.BytesIO(b"second"))
    client.upload_file(str(file), "stand-in", "a/b/two")
    client.put_object(Bucket="stand-in", Key="c", Body=b"", IfNoneMatch="*")
    with pytest.raises(ClientError, match="PreconditionFailed"):
        client.put_object(Bucket="stand-in", Key="c", Body=b"other", IfNoneMatch="*")
    answer = client.get_object(Bucket="stand-in", Key="a/one")
    with answer["Body"] as body:
        assert (answer["ContentLength"], body.read()) == (6, b"second")
    assert b"".join(client.get_object(Bucket="stand-in", Key="a/b/two")["Body"].iter_chunks(4)) == b"from a file"
    with pytest.raises(ClientError, match="NoSuchKey"):
        client.get_object(Bucket="stand-in", Key="a")
    pages = client.get_paginator("list_objects_v2").paginate(Bucket="stand-in", Prefix="a/")
    found = [entry for page in pages for entry in page.get("Contents", ())]
    assert [(entry["Key"], entry["Size"]) for entry in found] == [("a/b/two", 11), ("a/one", 6)]
    assert all(entry["LastModified"].tzinfo for entry in found)


@pytest.mark.slow
def test_a_quick_run_of_publications_prints_every_row(tmp_path: Path) -> None:
    """LanceDB is an extra of the benchmark alone: without it its rows are left out."""
    command = [sys.executable, str(BENCHMARKS / "publish.py"), "--quick", "--folder", str(tmp_path), "--lance", "none"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    rows = [line for line in printed.splitlines() if line.startswith("| ")]
    for what in ("one new receipt: MB written", "edited: CPU", "deleted: MB read", "embedded again", "refresh: ms"):
        assert any(what in row for row in rows), printed
    for what in ("MB read over", "nothing fresh", "300 fresh", "K = 2", "recall@10 with", "bytes per byte changed"):
        assert any(what in row for row in rows), printed
    assert "MISSED" not in printed
    assert "LanceDB is not at none" in printed
