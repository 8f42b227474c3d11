"""What the work of a Load costs with other services, from foreign_prices.py; crossover.py makes tables of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from cost import DAYS, OTHER_GB, PUBLICATION_SECONDS, SEGMENT_KB, Load
from foreign_prices import (
    CHROMA_SERVER,
    CHROMA_SERVER_DIMENSIONS,
    CHROMA_SERVERS,
    FOREIGN,
    LANCEDB_QUERY_SECONDS,
    TURBOPUFFER_LEAST_QUERY_GB,
    TURBOPUFFER_STEPS,
)
from prices import PRICES

DIMENSIONS = 1_536
GIB = 2**30 / 1e9
ANSWER_KB = 10 * (SEGMENT_KB - DIMENSIONS * 4 / 1e3)  # ten records without their vectors
PAGE_KB, CACHE_SHARE, ACU_GIB = 8.192, 0.75, 2.0  # pgvector: one such vector on a page; the index in Postgres' cache
PRICE = {name: value[0] for name, value in PRICES.items()} | {name: value[0] for name, value in FOREIGN.items()}


def gigabytes(load: Load) -> float:
    """What is kept: vector, document and metadata, as a segment of ours has them."""
    return load.records * SEGMENT_KB / 1e6


def gigabytes_written(load: Load) -> float:
    """A month's changes."""
    return DAYS * load.changes * load.records_a_change * SEGMENT_KB / 1e6


def questions(load: Load) -> float:
    """A month's queries."""
    return DAYS * 86_400 * load.queries


def terabytes_queried(load: Load) -> float:
    """A month's queries, each over all that is kept: how three of the others count."""
    return questions(load) * gigabytes(load) / 1e3


def s3_vectors(load: Load) -> float:
    """Without the price of a terabyte queried, which no page of AWS that could be read states."""
    kept, written = PRICE["s3_vectors_month"] * gigabytes(load), PRICE["s3_vectors_write"] * gigabytes_written(load)
    return kept + written + PRICE["s3_vectors_query"] * questions(load)


def lancedb(load: Load) -> float:
    """On Lambda and S3, without S3's requests: how many a query makes is not stated."""
    seconds = questions(load) * LANCEDB_QUERY_SECONDS + DAYS * load.changes * PUBLICATION_SECONDS
    lambdas = seconds * OTHER_GB * PRICE["x86_second"] + questions(load) * PRICE["request"]
    return PRICE["s3_month"] * gigabytes(load) + lambdas


def turbopuffer(load: Load) -> float:
    """One namespace, all attributes indexed."""
    size, below, counted = gigabytes(load), 0.0, 0.0
    for up_to, share in TURBOPUFFER_STEPS:
        counted += share * max(0.0, min(size, up_to) - below)
        below = up_to
    queried = questions(load) * max(counted, TURBOPUFFER_LEAST_QUERY_GB)
    bill = (
        PRICE["turbopuffer_month"] * size
        + PRICE["turbopuffer_write"] * gigabytes_written(load)
        + PRICE["turbopuffer_query"] * queried
        + PRICE["turbopuffer_returned"] * questions(load) * ANSWER_KB / 1e6
    )
    return max(bill, PRICE["turbopuffer_least"])


def chroma_server(load: Load) -> float:
    """The smallest machine of Chroma's own table that holds the records; ValueError past the largest."""
    for _instance, most, dollars in CHROMA_SERVERS:
        if load.records * DIMENSIONS <= most * CHROMA_SERVER_DIMENSIONS:
            return dollars
    raise ValueError(f"no machine of {CHROMA_SERVER[0]} holds {load.records:,} records")


def chroma_cloud(load: Load) -> float:
    """Without filters: each predicate counts as one more query."""
    return (
        PRICE["chroma_month"] * gigabytes(load) / GIB
        + PRICE["chroma_write"] * gigabytes_written(load) / GIB
        + PRICE["chroma_query"] * terabytes_queried(load) * 1e12 / 2**40
        + PRICE["chroma_returned"] * questions(load) * ANSWER_KB / 1e6 / GIB
    )


def pgvector(load: Load) -> float:
    """Aurora Serverless with the whole index in its cache; without what Aurora asks for reads and writes."""
    index_gib = load.records * PAGE_KB / 1e6 / GIB
    units = max(0.5, math.ceil(2 * index_gib / CACHE_SHARE / ACU_GIB) / 2)
    kept = index_gib + gigabytes(load) / GIB
    return PRICE["aurora_acu"] * units * DAYS * 24 + PRICE["aurora_month"] * kept


@dataclass(frozen=True)
class Elsewhere:
    """A way to do it, its bill, and what the bill counts or leaves out; at_least: what is left out is paid for."""

    bill: Callable[[Load], float]
    counts: str
    at_least: bool = False


ELSEWHERE = {
    "S3 Vectors": Elsewhere(
        s3_vectors, "storage, writes, queries; **not** the data that queries go over (below)", at_least=True
    ),
    "LanceDB on S3": Elsewhere(
        lancedb,
        "storage, and a function of 1.77 GB that waits 0.5 s a query; **not** S3's requests: a query's are not stated",
        at_least=True,
    ),
    "turbopuffer": Elsewhere(
        turbopuffer, "one namespace, all indexed, without its discount for batches: up to half of the writes"
    ),
    "Chroma server": Elsewhere(chroma_server, "one machine of Chroma's table; the largest is just full"),
    "Chroma Cloud": Elsewhere(chroma_cloud, "a query without a filter: each predicate is one more"),
    "pgvector": Elsewhere(
        pgvector, "Aurora Serverless with the index in memory (at half precision: less); **not** its reads and writes"
    ),
}
