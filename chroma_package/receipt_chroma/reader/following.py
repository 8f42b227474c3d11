"""Which generation a reader follows: the one that SERVING names, and of that one what its CURRENT names.

A switch is taken up when what CURRENT of the other generation names is open: an earlier version of it may be of the
time when it was not yet filled. Until then the generation that was followed goes on, with its newer versions.
"""

import logging
from datetime import datetime
from typing import Final

from receipt_chroma.errors import NoSnapshotYet, SnapshotUnavailable, StorageUnavailable
from receipt_chroma.reader.mount import Mount
from receipt_chroma.reader.open_files import OpenFiles
from receipt_chroma.reader.open_snapshot import OpenSnapshot
from receipt_chroma.reader.opening import SnapshotOpener
from receipt_chroma.snapshot.lineage import newer_since
from receipt_chroma.snapshot.serving import Serving
from receipt_chroma.storage.tree import SERVING

logger = logging.getLogger(__name__)

_NOTHING: Final = Serving("", -1)

_ATTEMPTS: Final = 2
"""A file that was replaced while it was opened is there when it is opened again."""


class Follower:
    """Opens what SERVING and CURRENT name; open_newer is for one thread at a time.

    mount: of the collection. only: a generation to stay with, whatever SERVING says.
    """

    def __init__(self, mount: Mount, collection: str, files: OpenFiles, *, only: str | None = None) -> None:
        self._mount = mount
        self._collection = collection
        self._files = files
        self._only = Serving(only, 0) if only else None
        self._followed = _NOTHING
        self._openers: dict[str, SnapshotOpener] = {}
        self._problem: str | None = None

    @property
    def reason(self) -> str | None:
        """Why what SERVING and CURRENT name is not served, as of the last look; None when it is."""
        opener = self._openers.get(self._followed.generation)
        return self._problem or (opener.reason if opener else None)

    def open_newer(self, served: OpenSnapshot | None, *, folds: bool) -> OpenSnapshot | None:
        """The newest snapshot that can be opened, opened; None when `served` is as new, or nothing newer can be.

        It never goes back: not to an earlier switch, and within a generation not to an earlier version. Without
        `served` it raises NoSnapshotYet and SnapshotUnavailable. folds: see SnapshotOpener.
        """
        serving, problem = self._newest(served)
        if served is not None and serving.generation != served.generation:
            opened, problem = self._opened(serving)
            if opened is not None:
                self._followed, self._problem = serving, None
                return opened
            serving = self._followed
        self._followed, self._problem = serving, problem
        return self._opener(serving.generation).open_newer(served, folds=folds)

    def newer_since(self, served: OpenSnapshot) -> datetime | None:
        """Since when there is something newer than what is served: another generation that serves, or a version of the
        same one. None when there is nothing.

        Raises NoSnapshotYet, SnapshotUnavailable, StorageUnavailable.
        """
        serving = self._only or self._mount.serving()
        if serving > self._followed and serving.generation != served.generation:
            return self._mount.written_at(SERVING)
        mount = self.mount_of(served)
        current = mount.current()
        if current.place <= served.current.place:
            return None
        # Where not even the newest manifest can be read: since CURRENT names it.
        return newer_since(mount.manifest, served.current, current) or mount.written_at()

    def mount_of(self, served: OpenSnapshot) -> Mount:
        """Where the generation of what is served is read from."""
        return self._opener(served.generation).mount

    def _newest(self, served: OpenSnapshot | None) -> tuple[Serving, str | None]:
        """What SERVING says, unless a later switch was followed already; and why it cannot be read, when it cannot.

        Without `served` it raises SnapshotUnavailable then.
        """
        if self._only is not None:
            return self._only, None
        problem: Exception | None = None
        for _ in range(_ATTEMPTS):
            try:
                return max(self._followed, self._mount.serving()), None
            except StorageUnavailable as error:
                problem = error
            except SnapshotUnavailable as error:
                problem = error
                break
        if served is None:
            raise SnapshotUnavailable(f"{self._collection}: SERVING cannot be read: {problem}") from problem
        return self._followed, f"SERVING cannot be read: {problem}"

    def _opened(self, serving: Serving) -> tuple[OpenSnapshot | None, str]:
        """What CURRENT of the generation that serves by now names, opened; or None, and why."""
        opener = self._opener(serving.generation)
        try:
            opened = opener.open_newer(None, earlier=False)
            why = opener.reason  # it is not tried again yet
        except (NoSnapshotYet, SnapshotUnavailable) as error:
            opened, why = None, str(error)
            logger.warning(
                "the generation that serves cannot be opened; the one before is served",
                extra={"collection": self._collection, "generation": serving.generation, "reason": why},
            )
        return opened, f"{serving.generation} serves, and cannot be opened: {why}"

    def _opener(self, generation: str) -> SnapshotOpener:
        if generation not in self._openers:
            mount = self._mount if generation == self._collection else self._mount.beside(generation)
            self._openers[generation] = SnapshotOpener(mount, generation, self._files)
        return self._openers[generation]
