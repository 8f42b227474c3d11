"""Frames of ordinary libraries, as people have them, become the records that they show."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

OURS = [place for place in sys.path if place.endswith("site-packages")]
LIBRARIES = {
    "pandas": """
import numpy as np, pandas as pd
frame = pd.DataFrame({"id": IDS, "embedding": list(np.array(VECTORS)), "document": TEXTS, "metadata": METADATA})
indexed = frame.set_index(np.array(["x", "y"]))
given = [frame, indexed, frame[frame.id != ""], frame.drop(columns="metadata").assign(metadata=TEXTS_OF_METADATA)]
""",
    "polars": """
import polars as pl
frame = pl.DataFrame({"id": IDS, "embedding": VECTORS, "document": TEXTS, "metadata": METADATA}, strict=False)
fixed = frame.with_columns(pl.col("embedding").cast(pl.Array(pl.Float32, 2)))
given = [frame, fixed, frame.with_columns(pl.Series("metadata", TEXTS_OF_METADATA))]
""",
    "duckdb": """
import duckdb, pyarrow as pa
source = pa.table({"id": IDS, "embedding": VECTORS, "document": TEXTS, "metadata": METADATA})
given = [
    duckdb.sql("SELECT * FROM source").to_arrow_table(),
    duckdb.sql("SELECT id, embedding::FLOAT[2] AS embedding, document, metadata FROM source").to_arrow_table(),
]
if hasattr(duckdb.DuckDBPyRelation, "__arrow_c_stream__"):
    given.append(duckdb.sql("SELECT * FROM source"))
""",
}
PROGRAM = """
import json
IDS, TEXTS = ["a", "b"], ["MILK", None]
VECTORS = [[0.5, 1.0], [2.0, 0.25]]
METADATA = [{"x": 0.5, "n": 3}, {"x": 1.5, "n": 4}]
TEXTS_OF_METADATA = [json.dumps(one) for one in METADATA]
%s
from receipt_chroma.delta.given import records_of
for one in given:
    shown = [(r.id, r.embedding.tolist(), r.document, r.metadata) for r in records_of(one)]
    assert shown == list(zip(IDS, VECTORS, TEXTS, METADATA)), (type(one), shown)
print(len(given))
"""


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("library", LIBRARIES)
def test_a_frame_is_read_as_it_is(tmp_path: Path, library: str) -> None:
    python = tmp_path / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", tmp_path], check=True)
    install = [python, "-m", "pip", "install", "--quiet", "--only-binary", ":all:", library]
    installed = subprocess.run(install, capture_output=True, text=True)
    if installed.returncode:
        pytest.skip(f"{library} cannot be installed on this Python: {installed.stderr[-300:]}")
    (its_packages,) = tmp_path.glob("lib/python*/site-packages")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*OURS, str(its_packages)])}
    command = [sys.executable, "-c", PROGRAM % LIBRARIES[library]]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) >= 2
