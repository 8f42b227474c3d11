"""The rows of the publication benchmark: what was measured, what is promised, and whether it holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from publish_data import Scale

MB: Final = 1e6
WRITTEN, READ, CPU = 3.0, 25.0, 0.5
OF_EACH_OTHER, REFRESH_MS, REFRESH_READ = 1.3, 30.0, 2.0
SLOWER: Final = (1.2, 1.5, 1.8)
SHARDS_SLOWER, AMPLIFICATION, P99, LANCE_BYTES = 3.0, 15.0, 3.0, 6.0


@dataclass(frozen=True)
class Row:
    """One line of the table; holds is None where nothing is promised."""

    what: str
    before: str
    ours: str
    lance: str
    bound: str
    holds: bool | None = None


def publication_rows(found: Mapping[str, Any]) -> list[Row]:
    """Bytes and CPU of one publication of each kind."""
    rows, lance = [], found["lance"]
    beside = lance["publication"] if lance else None
    for which, sides in found.items():
        if which in ("lance", "refresh"):
            continue
        ours, before, first = sides["ours"], sides["before"], which == "new"
        title = "one new receipt" if first else f"one receipt {which}"
        for what, name, most in ((": MB written", "written", WRITTEN), (": MB read", "read", READ)):
            rows.append(
                Row(
                    f"{title}{what}",
                    f"{before[name] / MB:,.1f}",
                    f"{ours[name] / MB:.2f}",
                    f"{beside[name] / MB:.2f}" if beside and first else "",
                    f"<= {most:g}",
                    ours[name] / MB <= most,
                )
            )
        rows.append(
            Row(
                f"{title}: CPU s",
                f"{before['cpu']:.2f}",
                f"{ours['cpu']:.3f}",
                f"{beside['cpu']:.3f}" if beside and first else "",
                f"<= {CPU:g}",
                ours["cpu"] <= CPU,
            )
        )
        wall = f"{beside['wall']:.3f}" if beside and first else ""
        rows.append(Row(f"{title}: wall s", f"{before['wall']:.2f}", f"{ours['wall']:.3f}", wall, ""))
    if beside:
        times = found["new"]["ours"]["written"] / beside["written"]
        bound = f"<= {LANCE_BYTES:g} times"
        rows.append(Row("one new receipt: bytes beside LanceDB", "", f"{times:.1f} times", "1", bound, times <= 6))
    return rows


def size_rows(sizes: Mapping[int, Any]) -> list[Row]:
    """The same publication over a small and over a large base."""
    (small, low), (large, high) = sorted(sizes.items())
    rows = []
    for what, name, unit in (("MB written", "written", MB), ("MB read", "read", MB), ("CPU s", "cpu", 1.0)):
        times = max(high[name], low[name]) / min(high[name], low[name])
        rows.append(
            Row(
                f"{what} over {small * 87:,} and {large * 87:,} records",
                "",
                f"{low[name] / unit:.3f}, {high[name] / unit:.3f}",
                "",
                f"within {OF_EACH_OTHER} times",
                times <= OF_EACH_OTHER,
            )
        )
    return rows


def refresh_rows(found: Mapping[str, Any]) -> list[Row]:
    """A reader's refresh after a publication."""
    before, ours = found["refresh"]["before"], found["refresh"]["ours"]
    lance = found["lance"]["refresh"] if found["lance"] else None
    rows = []
    for what, name, unit, most in (
        ("ms", "wall", 1e-3, REFRESH_MS),
        ("MB read", "read", MB, REFRESH_READ),
        ("MB written", "written", MB, 0.0),
    ):
        rows.append(
            Row(
                f"refresh: {what}",
                f"{before[name] / unit:,.1f}",
                f"{ours[name] / unit:.2f}",
                f"{lance[name] / unit:.2f}" if lance else "",
                f"<= {most:g}",
                ours[name] / unit <= most,
            )
        )
    return rows


def query_rows(queries: Mapping[str, Any], shards: Mapping[str, float], scale: Scale) -> list[Row]:
    """Median query times beside plain chromadb and LanceDB, and recall."""
    rows = []
    for fresh, most in zip((0, *scale.fresh), SLOWER, strict=True):
        sides = queries[str(fresh)]
        times = sides["ours"]["p50"] / sides["chroma"]["p50"]
        what = (
            f"query p50 ms, {fresh:,} fresh; plain chromadb" if fresh else "query p50 ms, nothing fresh; plain chromadb"
        )
        rows.append(
            Row(
                f"{what} {1e3 * sides['chroma']['p50']:.2f}",
                "",
                f"{1e3 * sides['ours']['p50']:.2f}, {times:.2f} times",
                f"{1e3 * sides['lance']['p50']:.2f}" if "lance" in sides else "",
                f"<= {most} times",
                times <= most,
            )
        )
    first = queries["0"]
    if "lance" in first:
        faster = first["ours"]["p50"] <= first["lance"]["p50"]
        rows.append(
            Row(
                "query p50 ms beside LanceDB",
                "",
                f"{1e3 * first['ours']['p50']:.2f}",
                f"{1e3 * first['lance']['p50']:.2f}",
                "not slower",
                faster,
            )
        )
        rows.append(
            Row("recall@10, nothing fresh", "", f"{first['ours']['recall']:.3f}", f"{first['lance']['recall']:.3f}", "")
        )
    times = shards["many"] / shards["one"]
    rows.append(
        Row(
            f"query p50 ms, K = {scale.shards}; K = 1 {1e3 * shards['one']:.2f}",
            "",
            f"{1e3 * shards['many']:.2f}, {times:.2f} times",
            "",
            f"<= {SHARDS_SLOWER:g} times",
            times <= SHARDS_SLOWER,
        )
    )
    ours, folded = queries[str(scale.fresh[-1])]["ours"]["recall"], queries["folded"]["chroma"]["recall"]
    what = f"recall@10 with {scale.fresh[-1]:,} fresh; chromadb on the folded shard {folded:.4f}"
    rows.append(Row(what, "", f"{ours:.4f}", "", ">= folded", ours >= folded))
    return rows


def many_rows(many: Mapping[str, Any], scale: Scale) -> list[Row]:
    """Publications one by one with folds beside."""
    times = many["written"] / many["changed"]
    slower = many["p99_beside"] / many["p50"] if many["p99_beside"] else None
    rows = [
        Row(
            f"{scale.many:,} receipts one by one, {many['folds']} folds: bytes per byte changed",
            "",
            f"{times:.1f}",
            "",
            f"<= {AMPLIFICATION:g}",
            times <= AMPLIFICATION,
        ),
        Row(f"{scale.many:,} receipts one by one: CPU s, median", "", f"{many['cpu']:.3f}", "", ""),
        Row("publication ms while nothing folds, p50 and p99", "", _milliseconds(many["p50"], many["p99"]), "", ""),
    ]
    if slower is not None:
        seconds = _milliseconds(many["p50_beside"], many["p99_beside"])
        rows.append(
            Row(
                f"publication ms while one folds, p50 and p99 of {many['beside']}",
                "",
                f"{seconds}, {slower:.1f} times",
                "",
                f"<= {P99:g} times p50",
                slower <= P99,
            )
        )
    return rows


def _milliseconds(*seconds: float) -> str:
    return ", ".join(f"{1e3 * one:.0f}" for one in seconds)


def table(rows: Sequence[Row], *, judged: bool) -> str:
    """Markdown."""
    lines = ["| | before | ours | LanceDB | bound | |", "|---|--:|--:|--:|---|---|"]
    for row in rows:
        verdict = "" if row.holds is None or not judged else "ok" if row.holds else "**MISSED**"
        lines.append(f"| {row.what} | {row.before} | {row.ours} | {row.lance} | {row.bound} | {verdict} |")
    return "\n".join(lines)
