"""Where a collection is read from: a folder that holds it (EFS, a copy of it), or the bucket alone."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path

from receipt_chroma.snapshot.lineage import earlier_snapshots, read_manifest
from receipt_chroma.snapshot.manifest import Manifest
from receipt_chroma.snapshot.pointer import Current, read_current
from receipt_chroma.snapshot.serving import Serving, read_serving
from receipt_chroma.storage.tree import CURRENT, collection_folder


class Mount(ABC):
    """One collection of a root, or a generation of one. Methods raise what is said there, and StorageUnavailable for
    what may work later.

    folder: where the files that a snapshot names are while they are held.
    """

    folder: Path

    @abstractmethod
    def current(self) -> Current:
        """CURRENT, read anew. Raises NoSnapshotYet, CurrentGone, SnapshotUnavailable."""

    @abstractmethod
    def serving(self) -> Serving:
        """SERVING of the collection, read anew. Raises SnapshotUnavailable."""

    @abstractmethod
    def beside(self, generation: str) -> "Mount":
        """Another generation of the same root."""

    @abstractmethod
    def written_at(self, name: str = CURRENT) -> datetime:
        """When CURRENT was written, or SERVING."""

    @abstractmethod
    def manifest(self, current: Current) -> Manifest:
        """The manifest that is named. Raises SnapshotDamaged, SchemaUnsupported, FileNotFoundError."""

    @abstractmethod
    def holding(self, manifest: Manifest) -> AbstractContextManager[None]:
        """The files of a snapshot are in the folder while the block runs. Raises SnapshotDamaged, SnapshotUnavailable,
        DiskFull."""

    def earlier(self, current: Current) -> Iterator[Current]:
        """The published snapshots before this one, newest first, without those that a rollback undid.

        Where a manifest cannot be read CURRENT says what came before it, or in a folder the older manifests that are
        there.
        """
        return earlier_snapshots(self.folder, current, self.manifest)


class FolderMount(Mount):
    """A root that is a folder: everything is there."""

    def __init__(self, root: Path, collection: str) -> None:
        self._root = root
        self._collection = collection
        self.folder = collection_folder(root, collection)

    def current(self) -> Current:
        """CURRENT, read anew."""
        return read_current(self._root, self._collection)

    def serving(self) -> Serving:
        """SERVING, read anew."""
        return read_serving(self._root, self._collection)

    def beside(self, generation: str) -> "FolderMount":
        """Another folder of the root."""
        return FolderMount(self._root, generation)

    def written_at(self, name: str = CURRENT) -> datetime:
        """When CURRENT was written, or SERVING."""
        return datetime.fromtimestamp((self.folder / name).stat().st_mtime, UTC)

    def manifest(self, current: Current) -> Manifest:
        """The manifest that is named."""
        return read_manifest(self.folder, current)

    def holding(self, manifest: Manifest) -> AbstractContextManager[None]:  # noqa: ARG002
        """Nothing has to be done: what a snapshot names stays, until it expires."""
        return nullcontext()
