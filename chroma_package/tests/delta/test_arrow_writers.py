"""Arrow files that ordinary libraries write of the same columns are read without loss."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from .strangers import GOOD, read, shown

SCRIPT = Path(__file__).parent / "arrow_writers.py"
LIBRARIES = {"pandas": ["pandas", "pyarrow"], "polars": ["polars"], "duckdb": ["duckdb", "pyarrow"]}


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("library", LIBRARIES)
def test_what_a_library_writes_is_read(tmp_path: Path, library: str) -> None:
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    install = [python, "-m", "pip", "install", "--quiet", "--only-binary", ":all:", *LIBRARIES[library]]
    installed = subprocess.run(install, capture_output=True, text=True)
    if installed.returncode:
        pytest.skip(f"{library} cannot be installed on this Python: {installed.stderr[-300:]}")
    made = [
        {"id": one.id, "embedding": one.embedding.tolist(), "document": one.document, "metadata": one.metadata}
        for one in GOOD
    ]
    (tmp_path / "made.json").write_text(json.dumps(made))
    command = [python, SCRIPT, library, tmp_path / "delta.arrow", tmp_path / "made.json"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert shown(read("arrow", {"delta.arrow": (tmp_path / "delta.arrow").read_bytes()})) == shown(GOOD)
