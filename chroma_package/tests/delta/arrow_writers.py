"""Run by pandas, polars or duckdb, in an environment of its own: a delta.arrow as that library writes it.

Arguments: the library's name, the file to write, and a JSON file with the records. Knows nothing of this project.
"""

import json
import sys
from pathlib import Path
from typing import Any


def columns(records: list[dict[str, Any]]) -> dict[str, list[Any]]:
    return {
        "id": [one["id"] for one in records],
        "embedding": [one["embedding"] for one in records],
        "document": [one["document"] for one in records],
        "metadata": [json.dumps(one["metadata"]) for one in records],
        "op": ["upsert"] * len(records),
    }


def with_pandas(path: str, records: list[dict[str, Any]]) -> None:
    import pandas as pd
    import pyarrow as pa

    write(path, pa.Table.from_pandas(pd.DataFrame(columns(records))))


def with_polars(path: str, records: list[dict[str, Any]]) -> None:
    import polars as pl

    pl.DataFrame(columns(records)).write_ipc(path, compression="zstd")


def with_duckdb(path: str, records: list[dict[str, Any]]) -> None:
    import duckdb
    import pyarrow as pa

    source = pa.table(columns(records))  # noqa: F841  # duckdb finds it by its name
    write(
        path,
        duckdb.sql("SELECT id, embedding::FLOAT[] AS embedding, document, metadata, op FROM source").to_arrow_table(),
    )


def write(path: str, table: Any) -> None:
    import pyarrow as pa

    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table)


if __name__ == "__main__":
    library, target, source_path = sys.argv[1:]
    made = json.loads(Path(source_path).read_text())
    {"pandas": with_pandas, "polars": with_polars, "duckdb": with_duckdb}[library](target, made)
