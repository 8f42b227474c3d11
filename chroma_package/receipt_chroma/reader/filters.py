"""What a question asks of metadata and documents: told to Chroma for a base, to a predicate for fresh records."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

from receipt_chroma.errors import RegexUnsupported
from receipt_chroma.segment.where import Predicate, compile_where
from receipt_chroma.shard.chroma_dir import check_where, check_where_document


@dataclass(frozen=True, eq=False)
class Filters:
    """A `where` and a `where_document`, None for all records; false when neither is given."""

    where: Mapping[str, Any] | None = None
    where_document: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, where: Mapping[str, Any] | None, where_document: Mapping[str, Any] | None) -> Self:
        """The filters. Raises ValueError for what Chroma refuses, whether records are fresh or not."""
        if where is not None:
            check_where(where)
        if where_document is not None:
            check_where_document(where_document)
        filters = cls(where, where_document)
        with suppress(RegexUnsupported):  # a base understands it
            _ = filters.predicate
        return filters

    def __bool__(self) -> bool:
        return self.where is not None or self.where_document is not None

    @cached_property
    def predicate(self) -> Predicate:
        """True for the records that are asked for, by document and metadata. Raises RegexUnsupported."""
        return compile_where(self.where, self.where_document)
