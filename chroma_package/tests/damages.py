"""What may happen to the files of a published version: bytes flip, files go, files and records change places."""

import json
import random
import shutil
import sqlite3
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from receipt_chroma.segment.content import Segment
from receipt_chroma.segment.file import encode_segment, read_segment
from receipt_chroma.shard.hnsw_files import element_layout, read_header
from receipt_chroma.storage.tree import CURRENT, manifest_path

FOLDER = "words"


class Published:
    """A copy of what was published, which can be damaged and made whole again."""

    def __init__(self, source: Path, copy: Path) -> None:
        self.efs = copy
        self._folder = copy / FOLDER
        shutil.copytree(source / FOLDER, self._folder)
        self._whole = {path: path.read_bytes() for path in self._folder.rglob("*") if path.is_file()}

    @property
    def current(self) -> dict[str, Any]:
        """What CURRENT says."""
        value: dict[str, Any] = json.loads((self._folder / CURRENT).read_bytes())
        return value

    @property
    def manifest_file(self) -> Path:
        """The current version's manifest."""
        return self._folder / manifest_path(self.current["snapshot_id"])

    @property
    def manifest(self) -> dict[str, Any]:
        """The same, read."""
        value: dict[str, Any] = json.loads(self.manifest_file.read_bytes())
        return value

    def named(self) -> list[Path]:
        """CURRENT, the manifest, and every file that it names."""
        shards = self.manifest["shards"]
        files = [f"{one['path']}/{file['name']}" for one in shards for file in one["files"]]
        files += [segment["path"] for one in shards for segment in one.get("segments", ())]
        return [self._folder / CURRENT, self.manifest_file, *(self._folder / name for name in files)]

    def restore(self) -> None:
        """Everything as it was published."""
        for path, content in self._whole.items():
            if not path.is_file() or path.read_bytes() != content:
                path.write_bytes(content)

    def seal(self) -> None:
        """Let every size and sha256, up to CURRENT, be that of the files as they are now. No content digest changes."""
        manifest, current = self.manifest, self.current
        for shard in manifest["shards"]:
            files = [(f"{shard['path']}/{one['name']}", one) for one in shard["files"]]
            for name, entry in [*files, *((one["path"], one) for one in shard.get("segments", ()))]:
                content = (self._folder / name).read_bytes()
                entry |= {"size": len(content), "sha256": sha256(content).hexdigest()}
        text = (json.dumps(manifest, indent=1) + "\n").encode()
        self.manifest_file.write_bytes(text)
        (self._folder / CURRENT).write_text(json.dumps(current | {"manifest_sha256": sha256(text).hexdigest()}) + "\n")


def flip(published: Published, chance: random.Random) -> None:
    path = chance.choice(published.named())
    content = bytearray(path.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)


def omit(published: Published, chance: random.Random) -> None:
    chance.choice(published.named()).unlink()


def cut(published: Published, chance: random.Random) -> None:
    path = chance.choice(published.named())
    content = path.read_bytes()
    path.write_bytes(content[: chance.randrange(len(content))])


def swap(published: Published, chance: random.Random) -> None:
    while True:
        one, other = chance.sample(published.named(), 2)
        if (first := one.read_bytes()) != (second := other.read_bytes()):
            one.write_bytes(second)
            other.write_bytes(first)
            return


def exchange_manifests(published: Published, chance: random.Random) -> None:
    mine = published.manifest_file
    other = chance.choice([path for path in sorted(mine.parent.glob("*.json")) if path != mine])
    mine.write_bytes(other.read_bytes())


def swap_vectors(published: Published, chance: random.Random) -> None:
    """Two live elements of a base's index exchange their vectors."""
    data = chance.choice([path for path in published.named() if path.name == "data_level0.bin"])
    header = read_header(data.parent)
    elements = np.memmap(data, element_layout(header), "r+", shape=(header.elements,))  # and not what is room for more
    live = np.flatnonzero((elements["flags"] & 1) == 0).tolist()
    one = chance.choice(live)
    other = chance.choice(
        [row for row in live if elements["vector"][row].tobytes() != elements["vector"][one].tobytes()]
    )
    elements["vector"][[one, other]] = elements["vector"][[other, one]]
    elements.flush()
    published.seal()


def change_document(published: Published, chance: random.Random) -> None:
    """A record of a base says something else."""
    path = chance.choice([path for path in published.named() if path.name == "chroma.sqlite3"])
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT id FROM embedding_metadata WHERE key = 'text'").fetchall()
    change = "UPDATE embedding_metadata SET string_value = string_value || 'X' WHERE key = 'text' AND id = ?"
    connection.execute(change, chance.choice(rows))
    connection.commit()
    connection.close()
    published.seal()


def swap_ids(published: Published, chance: random.Random) -> None:
    """Two records of a base exchange their ids."""
    path = chance.choice([path for path in published.named() if path.name == "chroma.sqlite3"])
    connection = sqlite3.connect(path)
    (one, first), (other, second) = chance.sample(
        connection.execute("SELECT id, embedding_id FROM embeddings").fetchall(), 2
    )
    for row, name in ((one, "-"), (other, first), (one, second)):
        connection.execute("UPDATE embeddings SET embedding_id = ? WHERE id = ?", (name, row))
    connection.commit()
    connection.close()
    published.seal()


def swap_fresh(published: Published, chance: random.Random) -> None:
    """Two records of a segment exchange their vectors."""
    path = chance.choice(
        [one for one in published.named() if one.suffix == ".arrow" and len(read_segment(one).records) > 1]
    )
    segment = read_segment(path)
    order = list(range(len(segment.records)))
    one, other = chance.sample(order, 2)
    order[one], order[other] = other, one
    path.write_bytes(encode_segment(Segment(segment.receipts, segment.records, segment.vectors[order])))
    published.seal()


Damage = Callable[[Published, random.Random], None]
OF_FILES: tuple[Damage, ...] = (flip, flip, flip, omit, cut, swap, exchange_manifests)
OF_BASES: tuple[Damage, ...] = (swap_vectors, change_document, swap_ids)
OF_SEGMENTS: tuple[Damage, ...] = (swap_fresh,)
