"""The one module that knows chromadb: a Chroma directory with one collection, opened privately.

chromadb is imported inside functions, so that everything else imports fast. What holds here (measured with 1.5.9):

- Vectors reach the HNSW files only when `sync_threshold` is reached, and closing flushes nothing. With 1 every call
  persists.
- The client is cached by path string and opening writes to `chroma.sqlite3`: every directory opened here is private,
  under a path that is used once.
- No embedding function: the default one would download a model.
- What a reader asks goes past Collection.query and Collection.modify to their private parts: test_chroma_dir holds
  that both ways say the same.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import numpy as np

from receipt_chroma.errors import ChromaUnreadable
from receipt_chroma.records import Metadata, MetadataValue, Record, normal_metadata

SPACE: Final = "l2"
_READ_BATCH: Final = 2_000
_FOREIGN_WRITE_BATCH: Final = 500

T = TypeVar("T")


class ChromaDir:
    """An open Chroma directory. A context manager: closing releases the client and its files."""

    def __init__(self, client: Any, collection: Any) -> None:
        self._client = client
        self.collection = collection
        self._write_batch = int(client.get_max_batch_size()) if client is not None else _FOREIGN_WRITE_BATCH

    @classmethod
    def create(cls, path: Path, name: str) -> Self:
        """Make a new directory with one empty collection in the l2 space that persists with every call."""
        client = _client(path)
        with chroma_errors(path), _closing_on_error(client):
            collection = client.create_collection(
                name, embedding_function=None, configuration={"hnsw": {"space": SPACE, "sync_threshold": 1}}
            )
        return cls(client, collection)

    @classmethod
    def open(cls, path: Path, name: str) -> Self:
        """Open a private directory. Raises ChromaUnreadable when chromadb cannot, or has no collection of that name."""
        client = _client(path)
        with chroma_errors(path), _closing_on_error(client):
            return cls(client, client.get_collection(name, embedding_function=None))

    @classmethod
    def open_for_writing(cls, path: Path, name: str) -> Self:
        """Like open, and every later call persists; vectors that were only queued are in the HNSW files afterwards."""
        directory = cls.open(path, name)
        if directory.sync_threshold == 1:
            return directory
        with chroma_errors(path), directory:
            directory.collection.modify(configuration={"hnsw": {"sync_threshold": 1}})
        directory = cls.open(path, name)
        with chroma_errors(path):
            directory.collection.count()
        return directory

    @classmethod
    def around(cls, collection: Any) -> Self:
        """A collection that the caller opened, and closes; only its records may be read and written."""
        return cls(None, collection)

    @property
    def space(self) -> str:
        """The collection's distance: l2, cosine or ip."""
        return str(self._hnsw.get("space"))

    @property
    def sync_threshold(self) -> int:
        """After how many writes the vectors are persisted."""
        return int(self._hnsw.get("sync_threshold") or 0)

    @property
    def _hnsw(self) -> Mapping[str, Any]:
        # Not `configuration`: that one also builds the embedding function that a producer's directory may name.
        return self.collection.configuration_json.get("hnsw") or {}

    def ids(self) -> list[str]:
        """All record ids."""
        with chroma_errors():
            return list(self.collection.get(include=[])["ids"])

    def records(self, ids: Sequence[str]) -> Iterator[Record]:
        """These records, metadata in normal form, read in batches; ids that are not there are left out.

        Raises DeltaMetadataInvalid for metadata without a normal form.
        """
        for record_id, vector, document, metadata in self.rows(ids):
            yield Record(record_id, vector, document, normal_metadata(metadata))

    def rows(self, ids: Sequence[str]) -> Iterator[tuple[str, Any, str | None, Mapping[str, object] | None]]:
        """These records as Chroma gives them: id, float32 vector, document, metadata."""
        for batch in batches(ids, _READ_BATCH):
            with chroma_errors():
                found = self.collection.get(ids=batch, include=["embeddings", "documents", "metadatas"])
            vectors = np.asarray(found["embeddings"], dtype=np.float32)
            yield from zip(found["ids"], vectors, found["documents"], found["metadatas"], strict=True)

    def texts(self, ids: Sequence[str]) -> Iterator[tuple[str, str | None, Metadata]]:
        """Id, document and metadata (in normal form) of these records; without the vectors it takes a fraction."""
        for batch in batches(ids, _READ_BATCH):
            with chroma_errors():
                found = self.collection.get(ids=batch, include=["documents", "metadatas"])
            for record_id, document, metadata in zip(found["ids"], found["documents"], found["metadatas"], strict=True):
                yield record_id, document, normal_metadata(metadata)

    def vectors(self, ids: Sequence[str]) -> Iterator[tuple[str, Any]]:
        """Id and float32 vector of these records; ids that are not there are left out."""
        for batch in batches(ids, _READ_BATCH):
            with chroma_errors():
                found = self.collection.get(ids=batch, include=["embeddings"])
            yield from zip(found["ids"], np.asarray(found["embeddings"], dtype=np.float32), strict=True)

    def add(self, records: Sequence[Record]) -> None:
        """Insert records whose ids are not there (chromadb silently leaves out those that are)."""
        for batch in batches(records, self._write_batch):
            with chroma_errors():
                self.collection.add(
                    ids=[record.id for record in batch],
                    embeddings=np.array([record.embedding for record in batch], dtype=np.float32),
                    documents=[record.document for record in batch],
                    metadatas=[record.metadata or None for record in batch],
                )

    def delete(self, ids: Sequence[str]) -> None:
        """Delete records; ids that are not there are ignored."""
        for batch in batches(ids, self._write_batch):
            with chroma_errors():
                self.collection.delete(ids=batch)

    def update_metadata(self, changes: Mapping[str, Mapping[str, MetadataValue | None]]) -> None:
        """Merge changes into the metadata of records, by id; None removes a key. Vectors are not touched."""
        for batch in batches(sorted(changes), self._write_batch):
            with chroma_errors():
                self.collection.update(ids=batch, metadatas=[dict(changes[record_id]) for record_id in batch])

    def matching(
        self, *, where: Mapping[str, Any] | None = None, where_document: Mapping[str, Any] | None = None
    ) -> list[str]:
        """Ids of the records that Chroma's filters select, None for all."""
        with chroma_errors():
            found = self.collection.get(where=_plain(where), where_document=_plain(where_document), include=[])
        return list(found["ids"])

    def nearest(
        self,
        vector: Any,
        n_results: int,
        *,
        where: Mapping[str, Any] | None = None,
        where_document: Mapping[str, Any] | None = None,
        ids: Sequence[str] | None = None,
    ) -> list[tuple[float, str]]:
        """Squared distance and id of the nearest records to a float32 vector that the filters select, nearest first.

        ids: the only records that may answer; one that is not there is an error. None for all. Filters and the
        vector's length were checked before. What Collection.query does beside this call is a fifth of
        the time of a small shard; documents and metadata are a third of all.
        """
        collection = self.collection
        with chroma_errors():
            found = collection._client.bindings.query(
                str(collection.id),
                ids,
                [vector],
                n_results,
                None if where is None else json.dumps(where),
                None if where_document is None else json.dumps(where_document),
                ["distances"],
                collection.tenant,
                collection.database,
            )
        return list(zip(found.distances[0], found.ids[0], strict=True))

    def query(self, vectors: Any, n_results: int) -> list[list[str]]:
        """Ids of the nearest records to each vector, nearest first."""
        with chroma_errors():
            found = self.collection.query(query_embeddings=vectors, n_results=n_results, include=[])
        return [list(ids) for ids in found["ids"]]

    def keep_candidates(self, candidates: int) -> None:
        """Keep that many candidates in a search (100 unless told), and never fewer than are asked for.

        To be called before anything is asked. Collection.modify would warn of an embedding function that is none.
        """
        collection = self.collection
        with chroma_errors():
            collection._client._modify(
                collection.id,
                new_configuration={"hnsw": {"ef_search": candidates}},
                tenant=collection.tenant,
                database=collection.database,
            )

    def warm_up(self) -> None:
        """Load the index now: the first query is as fast as the others, and an index that cannot be read shows here."""
        with chroma_errors():
            self.collection.get(limit=1, include=["embeddings"])

    def count(self) -> int:
        """Number of records, as SQLite has them."""
        with chroma_errors():
            return int(self.collection.count())

    def close(self) -> None:
        """Release the client and its files. What was queued only stays queued."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def chromadb_version() -> str:
    """The installed release of chromadb, without importing it."""
    return version("chromadb")


def check_where(where: Mapping[str, Any]) -> None:
    """Raise ValueError unless this is a Chroma `where` filter."""
    from chromadb.api.types import validate_where

    validate_where(dict(where))


def check_where_document(where_document: Mapping[str, Any]) -> None:
    """Raise ValueError unless this is a Chroma `where_document` filter."""
    from chromadb.api.types import validate_where_document

    validate_where_document(dict(where_document))


@contextmanager
def chroma_errors(path: Path | None = None) -> Iterator[None]:
    """Raise ChromaUnreadable for what chromadb raises about a directory's content."""
    import chromadb.errors

    where = f"{path}: " if path else ""
    try:
        yield
    except (chromadb.errors.ChromaError, ValueError, KeyError, TypeError) as error:
        raise ChromaUnreadable(f"{where}{type(error).__name__}: {error}") from error
    except BaseException as error:
        # A panic in chromadb's Rust code is a BaseException of a class that nothing exports.
        if type(error).__name__ == "PanicException":
            raise ChromaUnreadable(f"{where}chromadb panicked: {error}") from error
        raise


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of at most `size` items, in order; nothing for no items."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def _plain(filters: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if filters is None else dict(filters)


@contextmanager
def _closing_on_error(client: Any) -> Iterator[None]:
    try:
        yield
    except BaseException:
        with suppress(AttributeError):
            client.close()
        raise


def _client(path: Path) -> Any:
    import chromadb
    from chromadb.config import Settings

    with chroma_errors(path):
        return chromadb.PersistentClient(path=str(path), settings=Settings(anonymized_telemetry=False))
