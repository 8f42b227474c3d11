"""Which snapshots came before one, as the manifests say.

A manifest's parent is what HEAD named when it was planned. So whatever a manifest names as its parent was published
once, even where the manifest itself never was.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final

from receipt_dynamo_stream.control.head import Pointer, parse_snapshot_id
from receipt_dynamo_stream.errors import KeyMalformed, SchemaUnsupported
from receipt_dynamo_stream.times import instant

from receipt_chroma.errors import SnapshotDamaged, StorageUnavailable
from receipt_chroma.snapshot.manifest import RESTORE, ROLLBACK, SAME_RECORDS, Manifest, check_manifest
from receipt_chroma.snapshot.pointer import Current
from receipt_chroma.storage.files import storage_errors
from receipt_chroma.storage.tree import MANIFESTS, SHARDS, manifest_path

_UNREADABLE: Final = (FileNotFoundError, SnapshotDamaged, SchemaUnsupported, StorageUnavailable)

ReadManifest = Callable[[Current], Manifest]
"""What read_manifest does for a folder; raises as that does."""


def read_manifest(folder: Path, current: Current) -> Manifest:
    """The manifest on EFS, in the collection's folder, with the sha256 that is expected of it.

    Raises SnapshotDamaged, SchemaUnsupported, StorageUnavailable, FileNotFoundError.
    """
    path = folder / manifest_path(current.snapshot_id)
    with storage_errors():
        return check_manifest(path.read_bytes(), current.manifest_sha256, str(path))


def earlier_snapshots(folder: Path, current: Current, read: ReadManifest | None = None) -> Iterator[Current]:
    """The published snapshots before this one, newest first, without those that a rollback undid.

    read: how manifests are read, where it is not from the folder alone.

    Where a manifest cannot be read, CURRENT says what came before it, or else the newest older manifest that can be
    read tells how it goes on. It ends where the manifest of a rollback cannot be read, and CURRENT says nothing: what
    that undid is not known then, and nobody may fall back to it.
    """
    read = read or partial(read_manifest, folder)
    while True:
        manifest = _readable(read, current)
        if manifest is None and current.before is not None:
            current = current.before
        else:
            manifest = manifest or _newest_before(folder, current)
            parent = _falls_back_to(read, manifest) if manifest else None
            if parent is None:
                return
            current = Current.of(parent)
        yield current


def newer_since(read: ReadManifest, served: Current, current: Current) -> datetime | None:
    """When the first snapshot after `served` was made, on the way from `current` back as far as manifests are there.

    None when not even the manifest of `current` can be read.
    """
    made = None
    while current.place > served.place and (manifest := _readable(read, current)):
        made = instant(manifest.created_at) or made
        if manifest.parent is None:
            break
        current = Current.of(manifest.parent)
    return made


def falls_back_to(folder: Path, manifest: Manifest) -> Pointer | None:
    """What readers fall back to from here: the parent, or for a rollback the version whose shards it took up again."""
    return _falls_back_to(partial(read_manifest, folder), manifest)


def _falls_back_to(read: ReadManifest, manifest: Manifest) -> Pointer | None:
    pointer = manifest.parent
    if manifest.kind not in (None, ROLLBACK):
        return pointer
    if any(shard.path and f"/{manifest.snapshot_id}-" in shard.path for shard in manifest.shards):
        return pointer  # of schema version 1, and it wrote a shard itself; a rollback writes none
    while pointer is not None and (ancestor := _readable(read, Current.of(pointer))):
        if ancestor.shards == manifest.shards:
            return pointer
        pointer = ancestor.parent
    return None


def newest_merge(read: ReadManifest, manifest: Manifest) -> Manifest:
    """The snapshot that brought the newest change of this one's records: folds, re-shards, restores and rollbacks bring
    none.

    Where that has expired, the oldest one that still has the same records.
    """
    while manifest.kind in (*SAME_RECORDS, RESTORE, ROLLBACK):
        older = _falls_back_to(read, manifest)
        found = _readable(read, Current.of(older)) if older else None
        if found is None:
            return manifest
        manifest = found
    return manifest


def _readable(read: ReadManifest, current: Current) -> Manifest | None:
    try:
        return read(current)
    except _UNREADABLE:
        return None


def _newest_before(folder: Path, current: Current) -> Manifest | None:
    """The newest manifest below this one. It may never have been published: only its parent was, for sure."""
    unreadable = current.snapshot_id
    listed = snapshot_ids(path.name for path in (folder / MANIFESTS).glob("*.json"))
    for snapshot_id in reversed(listed):  # the ids sort by version, then fence
        if snapshot_id >= unreadable:
            continue
        if not any((folder / SHARDS).glob(f"*/{unreadable}-*")):
            return None  # no shard of its own: it may be a rollback
        try:
            with storage_errors():
                return Manifest.decode((folder / manifest_path(snapshot_id)).read_bytes())
        except _UNREADABLE:
            unreadable = snapshot_id
    return None


def snapshot_ids(names: Iterable[str]) -> list[str]:
    """Those whose manifests' file names are among these, oldest first."""
    found = []
    for name in names:
        with suppress(KeyMalformed):  # a temp file of a manifest that is written at this moment
            parse_snapshot_id(name.removesuffix(".json"))
            found.append(name.removesuffix(".json"))
    return sorted(found)
