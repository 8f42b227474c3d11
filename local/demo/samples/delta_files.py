"""The files of a receipt's delta, good or corrupt in one of the ways that must be refused."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal, get_args

import numpy as np
from receipt_chroma import DeltaRecord
from receipt_chroma.delta.arrow import encode_arrow

from local.demo.samples.chroma_delta import chroma_files, chroma_tar
from local.demo.samples.embedding import Vector
from local.demo.samples.model import Receipt
from local.demo.samples.records import Record, records_of

GoodKind = Literal["arrow", "tar", "loose"]
BrokenFile = Literal["missing", "truncated", "truncated tar", "unsafe tar"]
SpoiltRecord = Literal["zero vector", "not finite", "wrong dimension", "twice", "foreign"]
CorruptKind = BrokenFile | SpoiltRecord
DeltaKind = GoodKind | CorruptKind

GOOD_KINDS: tuple[GoodKind, ...] = get_args(GoodKind)
CORRUPT_KINDS: tuple[CorruptKind, ...] = (*get_args(BrokenFile), *get_args(SpoiltRecord))


def delta_files(receipt: Receipt, collection: str, dimension: int, kind: DeltaKind) -> dict[str, bytes]:
    """Path below the run's prefix -> content."""
    records = records_of(receipt, collection, dimension)
    match kind:
        case "arrow":
            return {"delta.arrow": arrow(records)}
        case "tar":
            return {"delta.tar.gz": chroma_tar(collection, records)}
        case "loose":
            return chroma_files(collection, records)
        case "missing":
            return {}
        case "truncated":
            content = arrow(records)
            return {"delta.arrow": content[: len(content) // 2]}
        case "truncated tar":
            content = chroma_tar(collection, records)
            return {"delta.tar.gz": content[: len(content) // 2]}
        case "unsafe tar":
            return {"delta.tar.gz": _tar_that_climbs(chroma_tar(collection, records))}
        case _:
            return {"delta.arrow": arrow(_SPOILT[kind](records))}


def arrow(records: Sequence[Record]) -> bytes:
    """The bytes of a `delta.arrow`, whatever its records are."""
    return encode_arrow(
        [DeltaRecord(record.id, record.embedding, record.document, record.metadata) for record in records]
    )


def _with_vector(change: Callable[[Vector], Vector]) -> Callable[[Sequence[Record]], list[Record]]:
    def spoil(records: Sequence[Record]) -> list[Record]:
        return [*records[:-1], replace(records[-1], embedding=change(records[-1].embedding).astype(np.float32))]

    return spoil


def _shorter(records: Sequence[Record]) -> list[Record]:
    return [replace(record, embedding=record.embedding[:-1]) for record in records]


def _twice(records: Sequence[Record]) -> list[Record]:
    return [*records, records[0]]


def _foreign(records: Sequence[Record]) -> list[Record]:
    return [*records[:-1], replace(records[-1], id=records[-1].id.replace("#RECEIPT#0", "#RECEIPT#9"))]


_SPOILT: dict[SpoiltRecord, Callable[[Sequence[Record]], list[Record]]] = {
    "zero vector": _with_vector(np.zeros_like),
    "not finite": _with_vector(lambda vector: np.full_like(vector, np.nan)),
    "wrong dimension": _shorter,
    "twice": _twice,
    "foreign": _foreign,
}


def _tar_that_climbs(content: bytes) -> bytes:
    """The same tar with one more member, which would be written beside the folder it is unpacked into."""
    climbing = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as source,
        tarfile.open(fileobj=climbing, mode="w:gz", compresslevel=1) as target,
    ):
        for member in source.getmembers():
            target.addfile(member, source.extractfile(member))
        target.addfile(tarfile.TarInfo("../outside.txt"), io.BytesIO())
    return climbing.getvalue()
