"""The facts of the invariants, by code that shares nothing with the implementation: what is published is read from the
manifest's text, the segments' Arrow columns and, of a base, by chromadb itself. What is law is asked of the one list.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
from receipt_dynamo_stream.invariants import (
    crash_leaves_garbage_only,
    fenced_never_publishes,
    no_change_lost,
    one_lineage,
    paused_publishes_nothing,
    readers_never_mix,
    retained_is_readable,
    rows_conserved,
    versions_only_grow,
)

from .broken import breaking
from .model import Content, Receipt, expected
from .world import Machine


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
    with breaking():
        retained_is_readable(snapshot_id, ["its manifest in the bucket"] if content is None else [])
    assert content is not None
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

    @breaking()
    def look(self, _effect: Any = None) -> None:
        """VersionsOnlyGrow, OneLineage and FencedNeverPublishes, of what just changed."""
        head, before = self.machine.item(), self.head
        if head != before:
            for number in ("fence", "version", "projected_version", "serving_order"):
                versions_only_grow(f"{number} of HEAD", int(before.get(number, 0)), int(head.get(number, 0)))
            if head.get("snapshot_id") != before.get("snapshot_id"):
                self._committed(before, head)
            self.head = head
        current = _current(self.machine)
        versions_only_grow("CURRENT", self.current, current)
        self.current = current

    def _committed(self, before: dict[str, Any], head: dict[str, Any]) -> None:
        new, old = head["snapshot_id"], before.get("snapshot_id")
        versions_only_grow(f"HEAD, by {new},", int(before.get("version", 0)), int(head["version"]), strictly=True)
        own, leased = int(new.split("-")[1]), int(head["fence"])
        fenced_never_publishes(new, fence=own, newest=leased)
        fenced_never_publishes(f"HEAD, at {new},", fence=leased, newest=own)
        manifest = manifest_of(self.machine, new)
        paused_publishes_nothing(new, paused=before.get("paused"), kind=manifest["kind"])
        one_lineage(new, parent=(manifest.get("parent") or {}).get("snapshot_id"), replaced=old)
        retained_is_readable(new, [path for path in files_of(manifest) if not self._has(path)])
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
    text = path.read_text()
    try:
        version, fence, _round = json.loads(text)["snapshot_id"].split("-")
    except (ValueError, KeyError, TypeError):
        readers_never_mix("CURRENT", shown=text, named="a whole pointer")
        raise AssertionError from None
    return int(version), int(fence)


@breaking()
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
    crash_leaves_garbage_only("words", holder=head.get("holder"))
    no_change_lost("after two schedules", [row["SK"] for row in machine.rows("PENDING#words")])
    no_change_lost("nothing was published", () if "snapshot_id" in head else ("anything",))
    current = machine.efs / "words/CURRENT"
    for where, text in (
        ("EFS", current.read_text() if current.is_file() else "{}"),
        ("the bucket", objects.get("snapshots/words/CURRENT", b"{}").decode()),
    ):
        readers_never_mix(f"CURRENT in {where}", shown=json.loads(text).get("snapshot_id"), named=head["snapshot_id"])
    _check_serving(machine, head, objects)
    wanted, found = expected(receipts), published(machine, scratch)
    rows_conserved("what is published", wanted=wanted, found=found, difference=difference)


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
        readers_never_mix(f"SERVING in {where}", shown=json.loads(text), named=wanted)
    readers_never_mix("serving_unseen of HEAD", shown=head.get("serving_unseen"), named=None)


def _check_readable(machine: Machine, snapshot_id: str, objects: dict[str, bytes], *, in_bucket_alone: bool) -> None:
    content = objects.get(f"snapshots/words/manifests/{snapshot_id}.json")
    retained_is_readable(snapshot_id, ["its manifest in the bucket"] if content is None else [])
    assert content is not None
    files = files_of(json.loads(content)) | {f"manifests/{snapshot_id}.json": hashlib.sha256(content).hexdigest()}
    broken = []
    for path, digest in files.items():
        file = machine.efs / "words" / path
        sides = {"S3": objects.get(f"snapshots/words/{path}")}
        if not in_bucket_alone:
            sides["EFS"] = file.read_bytes() if file.is_file() else None
        broken += [
            f"{path} on {side}"
            for side, found in sides.items()
            if found is None or hashlib.sha256(found).hexdigest() != digest
        ]
    retained_is_readable(snapshot_id, broken)


def difference(wanted: Content, found: Content) -> str:
    """In words."""
    both = sorted(wanted.keys() & found.keys())
    other = [(name, found[name][1:], wanted[name][1:]) for name in both if wanted[name] != found[name]]
    missing, many = sorted(wanted.keys() - found.keys()), sorted(found.keys() - wanted.keys())
    return f"missing {missing}, too many {many}, other (found, wanted) {other}"
