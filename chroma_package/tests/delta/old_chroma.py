"""Run by an old chromadb, in an environment of its own: makes directories as that release writes them.

Arguments: a folder, and a JSON file with {name of the directory: {collection, metadata, records, deleted, updated}}.
Knows nothing of this project, and only what chromadb 0.5, 0.6 and 1.0 have in common.
"""

import json
import sys
from pathlib import Path
from typing import Any

import chromadb
from chromadb.config import Settings

BATCH = 100


def make(path: Path, spec: dict[str, Any]) -> None:
    client = chromadb.PersistentClient(path=str(path), settings=Settings(anonymized_telemetry=False))
    collection = client.create_collection(
        spec["collection"], metadata=spec["metadata"] or None, embedding_function=None
    )
    for start in range(0, len(spec["records"]), BATCH):
        some = spec["records"][start : start + BATCH]
        collection.add(**{name: [one[key] for one in some] for name, key in FIELDS.items()})
    if spec["deleted"]:
        collection.delete(ids=spec["deleted"])
    if spec["updated"]:
        collection.update(ids=spec["updated"], metadatas=[{"text": "EGGS"} for _ in spec["updated"]])


FIELDS = {"ids": "id", "embeddings": "embedding", "documents": "document", "metadatas": "metadata"}

if __name__ == "__main__":
    folder, specs = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())
    for name, spec in specs.items():
        make(folder / name, spec)
    print(chromadb.__version__)
