"""What a question asks of its records: told to Chroma for a base, to a predicate for fresh records."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

from receipt_chroma.errors import QuestionInvalid, RegexUnsupported
from receipt_chroma.segment.where import Predicate, compile_where
from receipt_chroma.shard.chroma_dir import check_where, check_where_document


@dataclass(frozen=True, eq=False)
class Filters:
    """A `where`, a `where_document` and the ids that may answer; None for all records, false when none is given."""

    where: Mapping[str, Any] | None = None
    where_document: Mapping[str, Any] | None = None
    ids: frozenset[str] | None = None

    @classmethod
    def of(
        cls,
        where: Mapping[str, Any] | None,
        where_document: Mapping[str, Any] | None,
        ids: Iterable[str] | None = None,
    ) -> Self:
        """The filters. Raises QuestionInvalid for what Chroma refuses, whether records are fresh or not."""
        filters = cls(where, where_document, None if ids is None else frozenset(ids))
        try:
            if where is not None:
                check_where(where)
            if where_document is not None:
                check_where_document(where_document)
            with suppress(RegexUnsupported):  # a base understands it
                _ = filters.predicate
        except (ValueError, TypeError) as error:
            raise QuestionInvalid(f"the filter is refused: {error}") from error
        return filters

    def __bool__(self) -> bool:
        return self.on_content or self.ids is not None

    @property
    def on_content(self) -> bool:
        """Whether they ask anything of document or metadata."""
        return self.where is not None or self.where_document is not None

    @cached_property
    def predicate(self) -> Predicate:
        """True for the records that are asked for, by document and metadata. Raises RegexUnsupported."""
        return compile_where(self.where, self.where_document)
