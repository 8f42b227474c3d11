"""The bases and segments that one reader has open: each once for all its snapshots, since none ever changes."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from receipt_chroma.reader.base import Base, open_base
from receipt_chroma.reader.fresh import LoadedSegment
from receipt_chroma.reader.proof import read_proved_segment
from receipt_chroma.reader.shared import Shared
from receipt_chroma.segment.content import Segment
from receipt_chroma.segment.file import encode_segment, read_segment
from receipt_chroma.snapshot.manifest import Manifest, ManifestSegment, ManifestShard

Locate = Callable[[str], Path]
"""Where a file or folder of a snapshot is, by its path relative to the collection's folder."""

_OPENED_AT_ONCE: Final = 16
_HASHED_AT_ONCE: Final = 8


@dataclass(frozen=True)
class OpenShards:
    """What is open of a snapshot: bases by the number of their shard, and the segments of every shard, oldest first."""

    bases: dict[int, Base]
    segments: list[list[LoadedSegment]]


class OpenFiles:
    """Opens what snapshots name; threads may share it. asking: threads for calls to several shards.

    cache: below it go private copies; None for the system's temp folder. verify: False takes HNSW files on trust when
    their sizes are right.
    """

    def __init__(self, cache: Path | None, *, verify: bool = True) -> None:
        self._cache = cache
        self._verify = verify
        self._bases: Shared[Any, Base] = Shared()
        self._segments: Shared[Any, LoadedSegment] = Shared()
        self._opening = ThreadPoolExecutor(_OPENED_AT_ONCE, thread_name_prefix="snapshot-opening")
        self._hashing = ThreadPoolExecutor(_HASHED_AT_ONCE, thread_name_prefix="snapshot-hashing")
        self.asking = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="snapshot-shards")
        self._arrow = self._opening.submit(_load_arrow)

    def __len__(self) -> int:
        """How many bases and segments are open."""
        return len(self._bases) + len(self._segments)

    def open(self, manifest: Manifest, locate: Locate, until: ExitStack) -> OpenShards:
        """What a snapshot names, open until that stack is closed; what is open already costs nothing.

        Raises NOT_OPENED of open_snapshot.
        """
        written = [shard for shard in manifest.shards if shard.path is not None]
        bases = [self._base(manifest, shard, locate) for shard in written]
        segments = [self._segment(manifest, one, locate) for shard in manifest.shards for one in shard.segments]
        opened = iter(self._entered([*bases, *segments], until))
        self._arrow.result()  # the first refresh would else pay for it
        return OpenShards(
            bases={shard.shard: next(opened) for shard in written},
            segments=[[next(opened) for _ in shard.segments] for shard in manifest.shards],
        )

    def close(self) -> None:
        """End the threads; what is open is closed by those who opened it."""
        for pool in (self._opening, self._hashing, self.asking):
            pool.shutdown()

    def _base(self, manifest: Manifest, shard: ManifestShard, locate: Locate) -> "_Wanted":
        published, key = locate(str(shard.path)), (manifest.collection, shard.path, shard.files)
        return _Wanted(
            self._bases,
            key,
            lambda: open_base(
                published,
                shard,
                manifest.collection,
                manifest.dimension,
                cache=self._cache,
                verify=self._verify,
                hashing=self._hashing,
                one_of=manifest.shard_count,
            ),
        )

    def _segment(self, manifest: Manifest, entry: ManifestSegment, locate: Locate) -> "_Wanted":
        def load() -> AbstractContextManager[LoadedSegment]:
            segment = read_proved_segment(locate(entry.path), entry, manifest.dimension)
            return nullcontext(LoadedSegment.of(segment))

        return _Wanted(self._segments, (manifest.collection, entry.path, entry.sha256), load)

    def _entered(self, wanted: Sequence["_Wanted"], until: ExitStack) -> list[Any]:
        """All of them, open; several that are not yet open are opened side by side, and none stays open on an error."""
        lacking = {number for number, one in enumerate(wanted) if not one.shared.has(one.key)}
        if len(lacking) < 2:
            return [until.enter_context(one.borrow()) for one in wanted]
        stacks = [ExitStack() for _ in wanted]
        calls = [partial(stack.enter_context, one.borrow()) for stack, one in zip(stacks, wanted, strict=True)]
        running = {number: self._opening.submit(calls[number]) for number in lacking}
        for stack in stacks:
            until.push(stack)
        wait(running.values())
        return [running[number].result() if number in running else call() for number, call in enumerate(calls)]


@dataclass(frozen=True)
class _Wanted:
    """Something that a snapshot names, and how it is opened."""

    shared: Shared[Any, Any]
    key: Any
    open_one: Callable[[], AbstractContextManager[Any]]

    def borrow(self) -> AbstractContextManager[Any]:
        return self.shared.borrow(self.key, self.open_one)


def _load_arrow() -> None:
    read_segment(encode_segment(Segment.of({})))
