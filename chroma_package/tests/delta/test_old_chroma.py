"""Deltas that an old chromadb wrote are read bit for bit, or refused by name."""

import json
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from receipt_chroma.delta.own_directory import own_directory
from receipt_chroma.delta.read import read_delta
from receipt_chroma.errors import DeltaRefused, WrongCollection, WrongSpace
from receipt_chroma.records import Record

from ..chroma_files import chroma_directory, tar_of
from ..samples import RECEIPT, word
from ..world import World

SCRIPT = Path(__file__).parent / "old_chroma.py"
SMALL = [word(1, number) for number in range(1, 6)]
LARGE = [word(line, number, number_of) for number_of, (line, number) in enumerate(
    ((line, number) for line in range(1, 13) for number in range(1, 101)), start=1
)]  # fmt: skip
"""1,200 records: old releases, too, persist the index from 1,000 on, and keep the rest in the queue."""


def spec(records: list[Record], **more: Any) -> dict[str, Any]:
    return {
        "collection": "words",
        "metadata": {},
        "deleted": [],
        "updated": [],
        "records": [
            {"id": r.id, "embedding": r.embedding.tolist(), "document": r.document, "metadata": r.metadata}
            for r in records
        ],
        **more,
    }


MADE = {
    "small": spec(SMALL),
    "large": spec(LARGE),
    "in l2 by name": spec(SMALL, metadata={"hnsw:space": "l2"}),
    "persisted at once": spec(SMALL, metadata={"hnsw:sync_threshold": 3, "hnsw:batch_size": 3}),
    "edited": spec(LARGE, deleted=[LARGE[0].id, LARGE[-1].id], updated=[LARGE[1].id, LARGE[-2].id]),
    "emptied": spec(SMALL, deleted=[record.id for record in SMALL]),
    "cosine": spec(SMALL, metadata={"hnsw:space": "cosine"}),
    "large cosine": spec(LARGE, metadata={"hnsw:space": "cosine"}),
    "inner product": spec(SMALL, metadata={"hnsw:space": "ip"}),
    "another collection": spec(SMALL, collection="lines"),
}
REFUSED: dict[str, type[DeltaRefused]] = {
    "cosine": WrongSpace,
    "large cosine": WrongSpace,
    "inner product": WrongSpace,
    "another collection": WrongCollection,
}


def wanted(name: str) -> dict[str, Record]:
    made = MADE[name]
    records = {record.id: record for record in (LARGE if len(made["records"]) > len(SMALL) else SMALL)}
    for record_id in made["deleted"]:
        del records[record_id]
    for record_id in made["updated"]:
        records[record_id] = replace(records[record_id], metadata={"text": "EGGS"})
    return records


def plain(records: dict[str, Record]) -> dict[str, Any]:
    return {name: (one.embedding.tobytes(), one.document, one.metadata) for name, one in records.items()}


def read(world: World, prefix: str) -> dict[str, Record]:
    found = read_delta(world.store, prefix, collection="words", receipt=RECEIPT, dimension=None)
    return {record.id: record for record in found}


def upload(world: World, folder: Path, prefix: str) -> None:
    """As a tar.gz below `{prefix}tar/`, and as loose objects below `{prefix}loose/`."""
    world.s3.put_object(Bucket=world.bucket, Key=f"{prefix}tar/delta.tar.gz", Body=tar_of(folder))
    for path in folder.rglob("*"):
        if path.is_file():
            key = f"{prefix}loose/{path.relative_to(folder).as_posix()}"
            world.s3.put_object(Bucket=world.bucket, Key=key, Body=path.read_bytes())


@pytest.mark.slow
@pytest.mark.timeout(1_200)
@pytest.mark.parametrize("release", ["0.4.24", "0.5.23", "0.6.3", "1.0.20"])
def test_directories_of_an_old_release_are_read_or_refused_by_name(world: World, tmp_path: Path, release: str) -> None:
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    wanted_packages = [f"chromadb=={release}", *(["numpy<2"] if release == "0.4.24" else [])]
    install = [python, "-m", "pip", "install", "--quiet", "--only-binary", "numpy,chroma-hnswlib", *wanted_packages]
    installed = subprocess.run(install, capture_output=True, text=True)
    if installed.returncode:
        pytest.skip(f"chromadb {release} cannot be installed on this Python: {installed.stderr[-300:]}")
    (tmp_path / "made.json").write_text(json.dumps(MADE))
    done = subprocess.run([python, SCRIPT, tmp_path / "made", tmp_path / "made.json"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split()[-1] == release
    for name in MADE:
        upload(world, tmp_path / "made" / name, f"{name}/")
        for form in ("tar", "loose"):
            if name in REFUSED:
                with pytest.raises(REFUSED[name]):
                    read(world, f"{name}/{form}/")
            else:
                assert plain(read(world, f"{name}/{form}/")) == plain(wanted(name)), (name, form)
        if name not in REFUSED:
            with own_directory(tmp_path / "made" / name, "words") as own:
                assert plain({one.id: one for one in own}) == plain(wanted(name)), name
    assert not world.work.exists()


@pytest.mark.parametrize("space", ["cosine", "ip"])
def test_the_space_that_an_old_release_wrote_into_the_metadata_counts(world: World, tmp_path: Path, space: str) -> None:
    """Before chromadb 1.0 the configuration said l2 whatever the space was; 1.5 still believes the configuration."""
    upload(world, old_directory(tmp_path, space), "old/")
    with pytest.raises(WrongSpace, match=space):
        read(world, "old/tar/")


def test_an_old_directory_in_l2_is_read(world: World, tmp_path: Path) -> None:
    upload(world, old_directory(tmp_path, "l2"), "old/")
    assert plain(read(world, "old/loose/")) == plain(wanted("small"))


def old_directory(folder: Path, space: str) -> Path:
    made = chroma_directory(folder / "made", SMALL)
    database = sqlite3.connect(made / "chroma.sqlite3")
    insert = (
        "INSERT INTO collection_metadata (collection_id, key, str_value) SELECT id, 'hnsw:space', ? FROM collections"
    )
    database.execute(insert, (space,))
    database.commit()
    database.close()
    return made
