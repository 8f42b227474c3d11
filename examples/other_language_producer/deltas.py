"""Writes lines.arrow and words.arrow of one receipt with polars alone: what any language's Arrow library can do.

Arguments: the receipt's key, and the folder to write into.
"""

import json
import math
import sys
from pathlib import Path

import polars as pl

DIMENSION = 1536
WORDS = ("ORGANIC", "MILK", "2.99")
COLUMNS = {
    "id": pl.String,
    "embedding": pl.Array(pl.Float32, DIMENSION),
    "document": pl.String,
    "metadata": pl.String,
    "op": pl.String,
}


def embed(text: str) -> list[float]:
    """Stands for your model: a vector of length one that depends on the text."""
    values = [math.sin(place * (1 + sum(text.encode()) % 97)) for place in range(1, DIMENSION + 1)]
    length = math.sqrt(sum(value * value for value in values))
    return [value / length for value in values]


def write(path: Path, texts: dict[str, str]) -> None:
    """One row for each record; the metadata is a JSON object as text."""
    rows = [
        {"id": name, "embedding": embed(text), "document": text, "metadata": json.dumps({"text": text}), "op": "upsert"}
        for name, text in texts.items()
    ]
    pl.DataFrame(rows, schema=COLUMNS).write_ipc(path, compression="zstd")


if __name__ == "__main__":
    receipt, folder = sys.argv[1], Path(sys.argv[2])
    line = f"{receipt}#LINE#00001"
    write(folder / "lines.arrow", {line: " ".join(WORDS)})
    write(folder / "words.arrow", {f"{line}#WORD#{number:05d}": word for number, word in enumerate(WORDS, 1)})
