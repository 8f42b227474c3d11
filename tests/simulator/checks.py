"""The invariants, by code that shares nothing with the implementation: what is published is read from the manifest's
text, the segments' Arrow columns and, of a base, by chromadb itself.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa

from .model import Content, Receipt, expected
from .world import Machine


class Broken(AssertionError):
    """An invariant does not hold; the text begins with its name."""


def published(machine: Machine, scratch: Path) -> Content:
    """The records of the snapshot that HEAD names."""
    head = machine.item()
    if "snapshot_id" not in head:
        return {}
    manifest = manifest_of(machine, head["snapshot_id"])
    found: Content = {}
    for shard in manifest["shards"]:
        newest: dict[str, Content] = {}
        for segment in shard.get("segments", ()):
            newest.update(_segment(machine.efs / "words" / segment["path"]))
        if shard.get("path"):
            for name, record in _base(machine.efs / "words" / shard["path"], scratch).items():
                if name.split("#LINE#")[0] not in newest:
                    found[name] = record
        for records in newest.values():
            found.update(records)
    return found


def manifest_of(machine: Machine, snapshot_id: str) -> dict[str, Any]:
    """A manifest from the bucket."""
    content = machine.objects().get(f"snapshots/words/manifests/{snapshot_id}.json")
    if content is None:
        raise Broken(f"RetainedIsReadable: {snapshot_id} has no manifest in the bucket")
    manifest: dict[str, Any] = json.loads(content)
    return manifest


def _segment(path: Path) -> dict[str, Content]:
    with pa.ipc.open_file(path.read_bytes()) as reader:
        rows = reader.read_all().to_pylist()
    return {
        row["receipt"]: {
            one["id"]: (tuple(one["embedding"]), one["document"], json.loads(one["metadata"])) for one in row["records"]
        }
        for row in rows
    }


def _base(path: Path, scratch: Path) -> Content:
    import chromadb

    copy = scratch / hashlib.sha256((path / "chroma.sqlite3").read_bytes()).hexdigest()
    if not copy.exists():
        shutil.copytree(path, copy)
    client = chromadb.PersistentClient(str(copy))
    found = client.list_collections()[0].get(include=["embeddings", "documents", "metadatas"])
    return {
        name: (tuple(map(float, vector)), document, dict(metadata))
        for name, vector, document, metadata in zip(
            found["ids"], found["embeddings"], found["documents"], found["metadatas"], strict=True
        )
    }


class Watch:
    """Looks after every effect at what may only grow."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.head = machine.item()
        self.current = _current(machine)
        self.lineage: list[tuple[str | None, str]] = []
        self.has_efs = True

    def look(self, _effect: Any = None) -> None:
        """VersionsOnlyGrow, OneLineage and FencedNeverPublishes, of what just changed."""
        head, before = self.machine.item(), self.head
        if head != before:
            for number in ("fence", "version", "projected_version", "serving_order"):
                if int(head.get(number, 0)) < int(before.get(number, 0)):
                    raise Broken(f"VersionsOnlyGrow: {number} of HEAD went from {before[number]} to {head.get(number)}")
            if head.get("snapshot_id") != before.get("snapshot_id"):
                self._committed(before, head)
            self.head = head
        current = _current(self.machine)
        if current < self.current:
            raise Broken(f"VersionsOnlyGrow: CURRENT went from {self.current} to {current}")
        self.current = current

    def _committed(self, before: dict[str, Any], head: dict[str, Any]) -> None:
        new, old = head["snapshot_id"], before.get("snapshot_id")
        if int(head["version"]) <= int(before.get("version", 0)):
            raise Broken(f"VersionsOnlyGrow: version {head['version']} was committed over {before.get('version')}")
        if int(new.split("-")[1]) != int(head["fence"]):
            raise Broken(f"FencedNeverPublishes: {new} was committed under fence {head['fence']}")
        manifest = manifest_of(self.machine, new)
        if "paused" in before and manifest["kind"] not in ("rollback", "restore"):
            raise Broken(f"PausedPublishesNothing: {new} was committed while {before['paused']!r}")
        parent = (manifest.get("parent") or {}).get("snapshot_id")
        if parent != old:
            raise Broken(f"OneLineage: {new} is a child of {parent}, and was committed over {old}")
        missing = [path for path in files_of(manifest) if not self._has(path)]
        if missing:
            raise Broken(f"RetainedIsReadable: {new} was committed without {missing}")
        self.lineage.append((old, new))

    def efs_is_lost(self) -> None:
        """From now on CURRENT may begin anew, and a version be committed of which EFS lacks what is old."""
        self.current, self.has_efs = (0, 0), False

    def _has(self, path: str) -> bool:
        is_on_efs = not self.has_efs or (self.machine.efs / "words" / path).is_file()
        return is_on_efs and f"snapshots/words/{path}" in self.machine.objects()


def files_of(manifest: dict[str, Any]) -> dict[str, str]:
    """sha256 of every file that a manifest names, by its path."""
    found = {}
    for shard in manifest["shards"]:
        found |= {f"{shard['path']}/{file['name']}": file["sha256"] for file in shard.get("files", ())}
        found |= {segment["path"]: segment["sha256"] for segment in shard.get("segments", ())}
    return found


def _current(machine: Machine) -> tuple[int, int]:
    path = machine.efs / "words/CURRENT"
    if not path.is_file():
        return (0, 0)
    try:
        version, fence, _round = json.loads(path.read_text())["snapshot_id"].split("-")
    except ValueError:
        raise Broken(f"ReadersNeverMix: CURRENT is {path.read_text()!r}") from None
    return int(version), int(fence)


def check_at_rest(machine: Machine, receipts: dict[str, Receipt], scratch: Path, *, efs_was_lost: bool) -> None:
    """After the faults stopped and the schedule came twice: everything is kept, published and shown.

    To an EFS that was lost the schedule brings back what HEAD names; what is retained besides is in the bucket.
    """
    head, objects = machine.item(), machine.objects()
    kept = {row["SK"].partition("#")[2] for row in machine.rows("COLLECTION#words") if row.get("state") == "committed"}
    for snapshot_id in kept | {head["snapshot_id"]} if "snapshot_id" in head else ():
        _check_readable(
            machine, snapshot_id, objects, in_bucket_alone=efs_was_lost and snapshot_id != head["snapshot_id"]
        )
    if "holder" in head:
        raise Broken(f"CrashLeavesGarbageOnly: {head['holder']} holds the lease")
    if pending := [row["SK"] for row in machine.rows("PENDING#words")]:
        raise Broken(f"NoChangeLost: still pending after two schedules: {pending}")
    if "snapshot_id" not in head:
        raise Broken("NoChangeLost: nothing was published")
    current = machine.efs / "words/CURRENT"
    for where, text in (
        ("EFS", current.read_text() if current.is_file() else "{}"),
        ("the bucket", objects.get("snapshots/words/CURRENT", b"{}").decode()),
    ):
        if json.loads(text).get("snapshot_id") != head["snapshot_id"]:
            raise Broken(f"ReadersNeverMix: CURRENT in {where} is {text.strip()}, HEAD names {head['snapshot_id']}")
    _check_serving(machine, head, objects)
    wanted, found = expected(receipts), published(machine, scratch)
    if wanted != found:
        raise Broken(f"RowsConserved: {difference(wanted, found)}")


def _check_serving(machine: Machine, head: dict[str, Any], objects: dict[str, bytes]) -> None:
    """SERVING on both sides is what HEAD says, where there ever was a switch."""
    if "serving_order" not in head:
        return
    wanted = {"generation": head["serving"], "order": int(head["serving_order"])}
    file = machine.efs / "words/SERVING"
    for where, text in (
        ("EFS", file.read_bytes() if file.is_file() else b"{}"),
        ("the bucket", objects.get("snapshots/words/SERVING", b"{}")),
    ):
        if json.loads(text) != wanted or "serving_unseen" in head:
            raise Broken(f"ReadersNeverMix: SERVING in {where} is {text!r}, HEAD says {wanted}")


def _check_readable(machine: Machine, snapshot_id: str, objects: dict[str, bytes], *, in_bucket_alone: bool) -> None:
    content = objects.get(f"snapshots/words/manifests/{snapshot_id}.json")
    if content is None:
        raise Broken(f"RetainedIsReadable: the bucket has no manifest of {snapshot_id}")
    files = files_of(json.loads(content)) | {f"manifests/{snapshot_id}.json": hashlib.sha256(content).hexdigest()}
    for path, digest in files.items():
        file = machine.efs / "words" / path
        sides = {"S3": objects.get(f"snapshots/words/{path}")}
        if not in_bucket_alone:
            sides["EFS"] = file.read_bytes() if file.is_file() else None
        for side, found in sides.items():
            if found is None or hashlib.sha256(found).hexdigest() != digest:
                raise Broken(f"RetainedIsReadable: {path} of {snapshot_id} on {side}")


def difference(wanted: Content, found: Content) -> str:
    """In words."""
    both = sorted(wanted.keys() & found.keys())
    other = [(name, found[name][1:], wanted[name][1:]) for name in both if wanted[name] != found[name]]
    missing, many = sorted(wanted.keys() - found.keys()), sorted(found.keys() - wanted.keys())
    return f"missing {missing}, too many {many}, other (found, wanted) {other}"
