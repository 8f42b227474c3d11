"""Searching from an event loop: one reader for the process, each question in a thread, refreshed in the background."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from types import TracebackType
from typing import Any, Self

from receipt_chroma import QueryHit, SnapshotReader

REFRESH_EVERY = timedelta(seconds=10)


class AsyncSearch:
    """`async with AsyncSearch(root, collection) as search`: opening, asking and closing leave the loop free."""

    def __init__(self, root: str, collection: str, **options: Any) -> None:
        self._open = lambda: SnapshotReader(root, collection, refresh_every=REFRESH_EVERY, **options)

    async def __aenter__(self) -> Self:
        self._reader = await asyncio.to_thread(self._open)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self._reader.close)

    async def nearest(self, vector: Sequence[float], n: int = 10, **filters: Any) -> list[QueryHit]:
        """As SnapshotReader.nearest."""
        return await asyncio.to_thread(self._reader.nearest, vector, n, **filters)

    async def nearest_of_each(self, vectors: Sequence[Sequence[float]], n: int = 10) -> list[list[QueryHit]]:
        """Many questions side by side. One `query` with all vectors answers them of one version; these may span two."""
        return list(await asyncio.gather(*(self.nearest(vector, n) for vector in vectors)))
