"""Export of a version from a stack, from an EFS folder alone, or from a bucket alone.

Without a control table nobody knows which manifests were published, but for what the files themselves say: what CURRENT
names was, nothing newer is known to be, and whatever a manifest names as its parent was.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from receipt_chroma.errors import CurrentGone, ExportRefused, NoSnapshotYet, SnapshotDamaged
from receipt_chroma.export import Exported, check_target, export_snapshot
from receipt_chroma.snapshot.lineage import read_manifest, snapshot_ids
from receipt_chroma.snapshot.manifest import Manifest
from receipt_chroma.snapshot.pointer import Current, read_current
from receipt_chroma.storage.tree import MANIFESTS, manifest_path
from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.control.head import parse_snapshot_id

from operate.contents.shard_files import CACHE, CACHE_BYTES, ShardFiles
from operate.errors import SnapshotNotFound, UsageError, VersionAmbiguous, VersionNotFound, VersionUnreadable
from operate.stack import Stack
from operate.stored import Stored


class Source(Protocol):
    """Where a version comes from. Methods raise VersionUnreadable."""

    def manifest(self, collection: str, given: str | None) -> Manifest:
        """That of a version, given by number or snapshot id; None is the current one.

        Raises SnapshotNotFound, VersionNotFound, VersionRefused, VersionAmbiguous, UsageError.
        """

    def home(self, manifest: Manifest) -> AbstractContextManager[Path]:
        """The collection's folder that has all files of the version, while it is used."""


def export_version(
    source: Source, manifest: Manifest, target: Path, *, progress: Callable[[int], None] | None = None
) -> Exported:
    """Write a version into a directory that is empty or not there; `progress` is told how many records were written.

    Raises UsageError for another target, VersionUnreadable.
    """
    check_directory(target)
    with source.home(manifest) as folder:
        try:
            return export_snapshot(manifest, folder, target, progress=progress)
        except SnapshotDamaged as error:
            raise VersionUnreadable(str(error)) from error


def check_directory(target: Path) -> None:
    """Raise UsageError for a target that an export cannot be."""
    if target.absolute() == Path.cwd():
        raise UsageError("an export takes the place of its directory: name another one than the current directory")
    try:
        check_target(target)
    except ExportRefused as error:
        raise UsageError(str(error)) from error


class StackSource:
    """A stack: its file system where that is in reach, else its bucket."""

    def __init__(self, stack: Stack, cache: Path = CACHE, cache_bytes: int = CACHE_BYTES) -> None:
        self._stack = stack
        self._files = ShardFiles.of(stack, cache, cache_bytes)

    def manifest(self, collection: str, given: str | None) -> Manifest:
        return self._stack.stored.manifest(self._stack.versions.pointer(collection, given))

    def home(self, manifest: Manifest) -> AbstractContextManager[Path]:
        return self._files.home(manifest)


class FolderSource:
    """The root of an EFS, or a copy of it: CURRENT says which version is current."""

    def __init__(self, efs: Path) -> None:
        self._efs = efs

    def manifest(self, collection: str, given: str | None) -> Manifest:
        folder = self._efs / collection
        try:
            current = read_current(self._efs, collection)
        except (NoSnapshotYet, CurrentGone) as error:
            if given is None:
                raise SnapshotNotFound(f"{error}: is {self._efs} the folder that has the collections?") from error
            current = None
        if current is not None and (given is None or given == current.snapshot_id):
            try:
                return read_manifest(folder, current)
            except (FileNotFoundError, SnapshotDamaged) as error:
                raise VersionUnreadable(f"the manifest of version {current.version} cannot be read: {error}") from error
        there = snapshot_ids(path.name for path in (folder / MANIFESTS).glob("*.json"))
        return _found(_Manifests(str(folder), there, self._content(folder), current), collection, given or "")

    @contextmanager
    def home(self, manifest: Manifest) -> Iterator[Path]:
        yield self._efs / manifest.collection

    def _content(self, folder: Path) -> Callable[[str], bytes | None]:
        def content(snapshot_id: str) -> bytes | None:
            try:
                return (folder / manifest_path(snapshot_id)).read_bytes()
            except FileNotFoundError:
                return None

        return content


@dataclass(frozen=True)
class _Alone:
    """A bucket where services are expected."""

    bucket: Bucket


class BucketSource:
    """A bucket without its stack: its CURRENT says which version is current; the files come by way of the cache."""

    def __init__(self, bucket: Bucket, cache: Path = CACHE, cache_bytes: int = CACHE_BYTES) -> None:
        self._name = bucket.name
        self._stored = Stored(_Alone(bucket))
        self._files = ShardFiles(self._stored, bucket.name, None, cache, cache_bytes)

    def manifest(self, collection: str, given: str | None) -> Manifest:
        there, where = self._stored.snapshot_ids(collection), f"s3://{self._name}"
        try:
            current = self._stored.current(collection)
        except VersionUnreadable:
            if given is None:
                raise
            current = None
        if current is not None and given in (None, current.snapshot_id):
            return self._stored.current_manifest(collection, current)
        if given is None:
            raise SnapshotNotFound(
                f"{where} does not say which version of {collection} is current: pass --version,"
                f" it has {_listed(there)}"
            )
        manifests = _Manifests(where, there, lambda one: self._stored.manifest_content(collection, one), current)
        return _found(manifests, collection, given)

    def home(self, manifest: Manifest) -> AbstractContextManager[Path]:
        return self._files.home(manifest)


@dataclass(frozen=True)
class _Manifests:
    """The manifests of a collection in one place, and what CURRENT says there."""

    where: str
    ids: Sequence[str]
    content: Callable[[str], bytes | None]
    current: Current | None

    def read(self, snapshot_id: str) -> Manifest:
        content = self.content(snapshot_id)
        if content is None:
            raise VersionUnreadable(f"the manifest {snapshot_id} in {self.where} is gone")
        try:
            return Manifest.decode(content)
        except SnapshotDamaged as error:
            raise VersionUnreadable(f"{snapshot_id} in {self.where}: {error}") from error

    def of(self, version: int) -> list[str]:
        """The snapshot ids of a version number."""
        return [one for one in self.ids if parse_snapshot_id(one).version == version]

    def parents(self, snapshot_ids: Iterable[str]) -> set[str]:
        """What these name as their parents."""
        manifests = (self.read(one) for one in snapshot_ids)
        return {manifest.parent.snapshot_id for manifest in manifests if manifest.parent}


def _found(manifests: _Manifests, collection: str, given: str) -> Manifest:
    if given in manifests.ids:
        return manifests.read(given)
    published: set[str] = set()
    if (current := manifests.current) is not None:
        published = {current.snapshot_id}
        ids = [one for one in manifests.ids if parse_snapshot_id(one).version <= current.version]
        manifests = replace(manifests, ids=ids)
    version = int(given) if given.isascii() and given.isdigit() else 0
    found = manifests.of(version)
    if not found:
        raise VersionNotFound(f"no version {given} of {collection} in {manifests.where}: {_listed(manifests.ids)}")
    if len(found) > 1:
        # Whatever attempt made one of the next version, published or not, grew from the one that HEAD named.
        grown_from = set(found) & (published | manifests.parents(manifests.of(version + 1)))
        if len(grown_from) != 1:
            raise VersionAmbiguous(
                f"{len(found)} manifests are of version {given} of {collection}, and nothing says which was published:"
                f" pass one of {', '.join(found)}"
            )
        found = list(grown_from)
    return manifests.read(found[0])


def _listed(ids: Sequence[str]) -> str:
    """`versions 3, 5 to 9`."""
    if not ids:
        return "there is no version"
    numbers = sorted({parse_snapshot_id(one).version for one in ids})
    spans: list[list[int]] = []
    for number in numbers:
        if spans and spans[-1][-1] == number - 1:
            spans[-1] = [spans[-1][0], number]
        else:
            spans.append([number])
    return "versions " + ", ".join(" to ".join(map(str, span)) for span in spans)
