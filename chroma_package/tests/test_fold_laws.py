"""The laws of folds, over thousands of histories: whatever comes in between, the records are those of the naive model.

The rules are the real ones (which fold still fits, what a folded shard is, what a receipt's newest place is); files are
left out, so a base is what its index says.
"""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from receipt_chroma.digests import add_digests
from receipt_chroma.fold import fits, folded
from receipt_chroma.publish import laid_over
from receipt_chroma.segment.places import ShardContent, newest_places
from receipt_chroma.snapshot.manifest import Manifest, ManifestShard
from receipt_dynamo_stream.control.head import Pointer
from receipt_dynamo_stream.round.fold_report import FoldReport
from receipt_dynamo_stream.round.report import ReceiptContent, StagedSegment, StagedShard

RECEIPTS = [f"IMAGE#image-{letter}#RECEIPT#00001" for letter in "abcd"]
POINTER = Pointer(1, "0000000001-0000000001-1", "key", "0" * 64)

EVENTS = st.one_of(
    st.tuples(st.just("publish"), st.dictionaries(st.sampled_from(RECEIPTS), st.integers(0, 3), min_size=1)),
    st.tuples(st.just("fold"), st.none()),
    st.tuples(st.just("commit"), st.integers(0, 3)),
    st.tuples(st.just("rollback"), st.integers(0, 9)),
)


class Shard:
    """A shard through a history: the manifest's entry, the indexes of all bases ever staged, and the naive model."""

    def __init__(self) -> None:
        self.entry = ManifestShard(0)
        self.bases: dict[str | None, dict[str, ReceiptContent]] = {None: {}}
        self.model: dict[str, ReceiptContent] = {}
        self.versions = [(self.entry, dict(self.model))]
        self.folds: list[FoldReport] = []
        self.names = 0

    def name(self) -> str:
        self.names += 1
        return f"{self.names:04d}"

    def contents(self, entry: ManifestShard) -> dict[str, ReceiptContent]:
        segments = [segment.receipts for segment in entry.segments]
        return {key: place.content for key, place in newest_places(self.bases[entry.path].values(), segments).items()}

    def commit(self, entry: ManifestShard) -> None:
        self.entry = entry
        self.versions.append((entry, dict(self.model)))

    def publish(self, wanted: dict[str, int]) -> None:
        name = self.name()
        now = {key: ReceiptContent(key, n, add_digests(hash((key, n, name)) if n else 0)) for key, n in wanted.items()}
        before = self.contents(self.entry)
        whole = ShardContent(self.entry.records, self.entry.digest).after(
            [before[key] for key in now if key in before], now.values()
        )
        covered = tuple(now[key] for key in sorted(now))
        staged = StagedSegment("staging", name, 1, "0" * 64, covered, whole.records, whole.digest, 8)
        self.model = {key: one for key, one in (self.model | now).items() if one.records}
        self.commit(laid_over(self.entry, staged))

    def fold(self) -> None:
        """Prepare a fold of the current version; it may be committed whenever."""
        name, contents = self.name(), self.contents(self.entry)
        whole = ShardContent.of(contents.values())
        assert whole == ShardContent(self.entry.records, self.entry.digest)
        staged = StagedShard("staging", name, (), whole.records, 0, whole.digest, 8)
        segments = tuple(segment.path for segment in self.entry.segments)
        self.folds.append(FoldReport("words", "fold", 0, name, POINTER, self.entry.path, segments, staged))
        self.bases[f"shards/0000/{name}"] = contents

    def commit_fold(self, which: int) -> None:
        report = self.folds[which % len(self.folds)]
        if fits(report, manifest_of(self.entry)):
            self.commit(folded(self.entry, report))

    def roll_back(self, which: int) -> None:
        entry, model = self.versions[which % len(self.versions)]
        self.model = dict(model)
        self.commit(entry)


def manifest_of(entry: ManifestShard) -> Manifest:
    return Manifest(
        "words", 1, "id", None, 8, "l2", "1", 1, entry.records, entry.digest, (entry,), "plan", "e", "t", ""
    )


@settings(max_examples=1_000)
@given(st.lists(EVENTS, max_size=14))
def test_wherever_folds_begin_and_commit_the_content_is_that_of_the_publications(
    events: list[tuple[str, object]],
) -> None:
    shard = Shard()
    for kind, what in events:
        if kind == "publish":
            assert isinstance(what, dict)
            shard.publish(what)
        elif kind == "fold":
            shard.fold()
        elif kind == "commit" and shard.folds:
            assert isinstance(what, int)
            shard.commit_fold(what)
        elif kind == "rollback":
            assert isinstance(what, int)
            shard.roll_back(what)
        assert shard.contents(shard.entry) == shard.model
        whole = ShardContent.of(shard.model.values())
        assert (shard.entry.records, shard.entry.digest) == (whole.records, whole.digest)
        base = ShardContent.of(shard.bases[shard.entry.path].values())
        assert (shard.entry.base_records, shard.entry.base_digest) == (base.records, base.digest)


def test_a_fold_fits_only_over_its_own_base_and_while_its_segments_are_the_oldest() -> None:
    shard = Shard()
    shard.publish({RECEIPTS[0]: 1})
    shard.fold()
    (report,) = shard.folds
    first = shard.entry
    shard.publish({RECEIPTS[1]: 2})
    assert fits(report, manifest_of(shard.entry))
    assert not fits(report, manifest_of(replace(shard.entry, path="shards/0000/another")))
    assert not fits(report, manifest_of(replace(first, segments=first.segments[:0])))
    assert not fits(report, manifest_of(replace(shard.entry, segments=tuple(reversed(shard.entry.segments)))))
    assert [segment.receipts[0].key for segment in folded(shard.entry, report).segments] == [RECEIPTS[1]]
