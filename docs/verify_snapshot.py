"""Prove a published version from its files alone, in a folder or a bucket: numpy, pyarrow, and none of our code.

    python verify_snapshot.py /mnt/chroma words      # s3://BUCKET/snapshots; --version SNAPSHOT_ID, --chain, --json
Trust begins at CURRENT, or at a `--sha256` that you noted; all else is named by its sha256. Exit code 0: all holds."""

import argparse
import io
import json
import pickle
import shutil
import sqlite3
import struct
import sys
import tempfile
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow.fs import FileSelector, FileSystem, LocalFileSystem, copy_files

Json = dict[str, Any]
Content = dict[Any, tuple[int, int]]  # of each receipt, by key: how many records, and the sum of their hashes
HEADER = struct.Struct("<iQQQQQQiIQQQdQ")  # of the HNSW index, as chromadb's fork of hnswlib writes it
Plain: Any = type("Plain", (pickle.Unpickler,), {"find_class": None})  # refuses whatever is no text, number or dict
canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


def need(holds: object, says: str) -> None:
    if not holds:
        raise ValueError(says)


class Place:
    """A collection's files, in a folder or in a bucket. What is read is a copy, so that it stays as it was proved."""

    def __init__(self, where: str, collection: str, copies: str) -> None:
        self.files, root = FileSystem.from_uri(where if "://" in where else str(Path(where).absolute()))
        self.collection, self.root, self.copies = collection, f"{root}/{collection}/", Path(copies) / collection

    def has(self, path: str) -> bool:
        return bool(self.files.get_file_info(self.root + path).is_file)

    def file(self, path: str, digest: str = "", size: int | None = None) -> Path:
        """A file that is there, with this sha256 and size where they are given."""
        need(".." not in path.split("/") and self.has(path), f"{path} is not there")
        copy = self.copies / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy_files(self.root + path, str(copy), self.files, LocalFileSystem())
        with copy.open("rb") as file:
            summed = file_digest(file, "sha256").hexdigest()
        found = (summed if digest else "", copy.stat().st_size if size is not None else None)
        need(found == (digest, size), f"{path} has sha256 and size {found}, not {(digest, size)}")
        return copy


def record_hash(record_id: str, vector: Any, document: str | None, metadata: Json) -> int:
    need(np.isfinite(vector).all() and vector.any(), f"{record_id} has no vector that could be searched")
    parts = (record_id.encode(), vector.astype("<f4").tobytes(), canonical(metadata).encode())
    content = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
    return int.from_bytes(sha256(content + (b"" if document is None else b"d" + document.encode())).digest(), "big")


def total(found: Content) -> tuple[int, str]:
    return sum(one for one, _ in found.values()), f"{sum(one for _, one in found.values()) % (1 << 256):064x}"


def segment_content(file: Path, says: Json, dimension: int | None) -> Content:
    """What a segment has of each receipt that it covers."""
    batch, found = pa.ipc.open_file(file.read_bytes()).read_all(), Content()
    batch.validate(full=True)
    for key, _, records in zip(*(one.to_pylist() for one in batch.columns), strict=True):
        ids, hashes = [one["id"] for one in records], 0
        need(ids == sorted(set(ids)) and all(one.startswith(f"{key}#") for one in ids), f"{key} has an id that is not")
        for one in records:
            vector = np.array(one["embedding"], "<f4")
            need(vector.shape == (dimension,), f"{one['id']} has a vector of another dimension")
            hashes += record_hash(one["id"], vector, one["document"], json.loads(one["metadata"]))
        found[key] = len(records), hashes
    covered = [{"key": key, "records": found[key][0], "digest": total({key: found[key]})[1]} for key in found]
    need(covered == says["receipts"], "it has other records of its receipts than the manifest says")
    return found


def index_rows(folder: Path, dimension: int | None, tombstones: int) -> tuple[Any, dict[str, int]]:
    """All vectors of an HNSW index, and the row of each record's."""
    version, level0, capacity, count, size, label, vector, *_ = HEADER.unpack((folder / "header.bin").read_bytes())
    need((version, level0, size - 8, label - vector) == (1, 0, label, 4 * (dimension or 0)), "header.bin is of another")
    need((folder / "data_level0.bin").stat().st_size in (count * size, capacity * size), "data_level0.bin is cut")
    fields = {"names": ["flags", "vector", "label"], "formats": ["u1", ("<f4", (dimension,)), "<u8"]}
    layout: Any = {**fields, "offsets": [2, vector, label], "itemsize": size}
    elements = np.memmap(folder / "data_level0.bin", np.dtype(layout), "r", 0, (count,))
    live = np.flatnonzero((elements["flags"] & 1) == 0)  # the bit of a deleted element
    row_of = dict(zip(elements["label"][live].tolist(), live.tolist(), strict=True))
    labels = Plain(io.BytesIO((folder / "index_metadata.pickle").read_bytes())).load()["id_to_label"]
    need(sorted(labels.values()) == sorted(row_of) and count - len(row_of) == tombstones, "other labels or tombstones")
    return elements["vector"], {record_id: row_of[label] for record_id, label in labels.items()}


def base_content(folder: Path, collection: str, dimension: int | None, tombstones: int) -> Content:
    """What a base has of each receipt, from its tables and its index."""
    sql = sqlite3.connect(f"{(folder / 'chroma.sqlite3').absolute().as_uri()}?mode=ro&immutable=1", uri=True)
    need(sql.execute("PRAGMA quick_check(1)").fetchall() == [("ok",)], "chroma.sqlite3 is damaged")
    need(sql.execute("SELECT name FROM collections").fetchall() == [(collection,)], "it has other collections")
    parts = dict(sql.execute("SELECT scope, id FROM segments").fetchall())
    index, hashes = folder / parts["VECTOR"], dict[str, list[int]]()
    vectors, row_of = index_rows(index, dimension, tombstones) if index.is_dir() else (np.empty(0), dict[str, int]())
    table = "SELECT {}, key, coalesce(string_value, int_value), float_value, bool_value FROM embedding_metadata{}"
    cells = f"{table} WHERE id = :id UNION ALL {table} WHERE id = :id ORDER BY 1, 2"
    cells = cells.format("0, rowid", "", "1, rowid", "_array")
    for row, one, part in sql.execute("SELECT id, embedding_id, segment_id FROM embeddings").fetchall():
        metadata, receipt = Json(), "#".join(one.split("#", 4)[:4])
        for many, _, key, plain, number, truth in sql.execute(cells, {"id": row}):
            cell = float(f"{number:.15g}") if number is not None else bool(truth) if plain is None else plain
            metadata[key] = [*metadata.get(key, ()), cell] if many else cell
        document = metadata.pop("chroma:document", None)
        metadata = {key: metadata[key] for key in metadata if not key.startswith("chroma:")}
        need(part == parts["METADATA"] and one in row_of, f"{one} is there twice, or has no vector")
        hashes.setdefault(receipt, []).append(record_hash(one, vectors[row_of.pop(one)], document, metadata))
    sql.close()
    need(not row_of, f"the index has records that the tables do not have: {[*row_of][:3]}")
    return {key: (len(some), sum(some)) for key, some in hashes.items()}


def prove_shard(place: Place, manifest: Json, shard: Json) -> str:
    path, segments, dimension = f"{shard['path']}/", shard.get("segments", []), manifest["dimension"]
    base = shard.get("base_records", shard["records"]), shard.get("base_digest", shard["digest"])
    files, found = {path + one["name"]: one for one in shard["files"]}, Content()
    if shard["path"]:
        there = place.files.get_file_info(FileSelector(place.root + path, recursive=True))
        names = {one.path.removeprefix(place.root) for one in there if one.is_file}
        need(names == files.keys(), f"{path} has other files than it should: {sorted(names ^ files.keys())}")
        for name, one in files.items():
            place.file(name, one["sha256"], one["size"])
        found = base_content(place.copies / path, manifest["collection"], dimension, shard["tombstones"])
    need(total(found) == base, f"its base comes to {total(found)}, not {base}")
    for one in segments:
        found |= segment_content(place.file(one["path"], one["sha256"], one["size"]), one, dimension)
    homes = {int.from_bytes(sha256(key.encode()).digest()[:8], "big") % manifest["shard_count"] for key in found}
    need(homes <= {shard["shard"]}, f"it has receipts of the shards {homes}")
    need(total(found) == (shard["records"], shard["digest"]), f"base and segments come to {total(found)}")
    shutil.rmtree(place.copies, ignore_errors=True)
    return f"{len(files)} files of its base, {len(segments)} segments, {shard['records']} records: all digests"


def read_manifests(args: argparse.Namespace, copies: str, todo: list[Any]) -> str:
    """The version's manifest and its ancestors', each by the sha256 that its child has of it, while they are there."""
    place, chain, name, digest = Place(args.where, args.collection, copies), list[Json](), args.version, args.sha256
    if not name and place.has("SERVING"):  # a collection that has generations
        place = Place(args.where, json.loads(place.file("SERVING").read_text())["generation"], copies)
    if not (name and digest):
        current = json.loads(text := place.file("CURRENT").read_text())
        need(f"{json.dumps(current)}\n" == text, "CURRENT is not as it is written")
        for one in filter(None, (current, current.get("before"))):
            number, path = f"{one['version']:010d}-{one['fence']:010d}", f"manifests/{one['snapshot_id']}.json"
            need(one["snapshot_id"].startswith(f"{number}-"), f"CURRENT calls {one['snapshot_id']} {number}")
            need(one.keys() <= {"version", "snapshot_id", "manifest_sha256", "fence", "before"}, "CURRENT says more")
            need((one is not current and not place.has(path)) or place.file(path, one["manifest_sha256"]), path)
        name, digest = current["snapshot_id"], digest or current["manifest_sha256"]
    wanted, first = args.version or name, name
    while name and (name == first or place.has(f"manifests/{name}.json")) and (args.chain or len(chain) < 2):
        manifest = json.loads(place.file(f"manifests/{name}.json", digest).read_bytes())
        need((manifest["collection"], manifest["snapshot_id"]) == (place.collection, name), f"{name} is another's")
        shards = {one["shard"]: (one["records"], int(one["digest"], 16)) for one in manifest["shards"]}
        need([*shards] == [*range(manifest["shard_count"])], f"{name} has other shards than it says")
        need(total(shards) == (manifest["records"], manifest["digest"]), f"its shards come to {total(shards)}")
        if chain and chain[-1].get("kind") in ("fold", "reshard", "restore"):
            need(chain[-1]["digest"] == manifest["digest"], f"its child is a fold of {name}, with other records")
        chain += [manifest] if chain or name == wanted else []
        parent = manifest["parent"] or {"version": 0, "snapshot_id": "", "manifest_sha256": ""}
        need(parent["version"] < manifest["version"], f"{name} is not newer than its parent")
        name, digest = parent["snapshot_id"], parent["manifest_sha256"]
    need(chain, f"no chain of manifests leads to {wanted}: give its --sha256")
    todo += [(f"shard {one['shard']}", prove_shard, place, chain[0], one) for one in chain[0]["shards"]]
    return f"{wanted} of {place.collection}, digest {chain[0]['digest']}; {len(chain)} manifests, then {name or 'none'}"


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("where", "collection", "--version", "--sha256"):
        parser.add_argument(name)
    for name in ("--chain", "--json"):
        parser.add_argument(name, action="store_true")
    args, holds, todo = parser.parse_args(argv), True, list[Any]()
    with tempfile.TemporaryDirectory() as copies:
        todo.append(("manifests", read_manifests, args, copies, todo))
        for name, prove, *of in todo:  # which grows by a check for each shard
            try:
                check = {"check": name, "holds": True, "says": prove(*of)}
            except Exception as error:  # noqa: BLE001 - whatever a damaged file makes a library raise
                check = {"check": name, "holds": False, "says": str(error) or repr(error)}
            holds &= check["holds"]
            line = f"{'holds' if check['holds'] else 'WRONG'}  {name}: {check['says']}"
            print(json.dumps(check) if args.json else line, flush=True)
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
