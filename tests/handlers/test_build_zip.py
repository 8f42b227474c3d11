"""The zip of the light functions: complete, small, light, and the same bytes twice."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from handlers import build_zip

BROUGHT_BY_LAMBDA = ("boto3", "botocore", "s3transfer", "dateutil", "six", "urllib3")


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("zip") / "stream.zip"
    build_zip.build(target)
    return target


def test_building_twice_gives_the_same_bytes(archive: Path, tmp_path: Path) -> None:
    build_zip.build(tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == archive.read_bytes()


def test_it_stays_far_below_its_limit(archive: Path) -> None:
    assert archive.stat().st_size < build_zip.LIMIT_BYTES


def test_it_holds_nothing_heavy_and_nothing_that_lambda_brings(archive: Path) -> None:
    roots = {name.split("/")[0] for name in zipfile.ZipFile(archive).namelist()}
    assert not roots & {"chromadb", "numpy", "pyarrow", "receipt_chroma", *BROUGHT_BY_LAMBDA}


def test_it_holds_no_container_handler_and_no_bytecode(archive: Path) -> None:
    names = zipfile.ZipFile(archive).namelist()
    assert "handlers/merge_deltas.py" not in names
    assert not [name for name in names if name.endswith(".pyc")]


@pytest.mark.parametrize("handler", build_zip.ENTRY_POINTS)
def test_every_handler_in_it_imports_with_only_what_lambda_brings(archive: Path, tmp_path: Path, handler: str) -> None:
    zipfile.ZipFile(archive).extractall(tmp_path)
    allowed = (*BROUGHT_BY_LAMBDA, "jmespath")
    code = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
class OnlyLambda:
    def find_spec(self, name, path=None, target=None):
        top = name.split(".")[0]
        inside = lambda file: __import__("os").path.exists({str(tmp_path)!r} + "/" + file)
        known = top in sys.stdlib_module_names or top in {allowed!r}
        if not known and not inside(top) and not inside(top + ".py"):
            raise ImportError(name + " is neither in the zip nor brought by Lambda", name=name)
sys.meta_path.insert(0, OnlyLambda())
import handlers.{handler} as module
assert module.__file__.startswith({str(tmp_path)!r})
assert callable(module.{handler})
"""
    subprocess.run([sys.executable, "-I", "-c", code], check=True)


def test_a_zip_above_the_limit_is_refused_and_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_zip, "LIMIT_BYTES", 1000)
    with pytest.raises(build_zip.ZipTooLarge, match="more than 1,000"):
        build_zip.build(tmp_path / "stream.zip")
    assert list(tmp_path.iterdir()) == []
