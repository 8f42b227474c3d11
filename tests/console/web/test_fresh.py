"""What pages say of bases, segments and folds."""

from operate.stack import Stack

from ...toy_stack.version_histories import History, contents_of
from .conftest import visitor_of


def test_a_version_says_what_it_is_made_of_and_what_made_it(segmented: History) -> None:
    with contents_of(segmented) as contents:
        visitor = visitor_of(Stack(segmented.connection()), contents)
        listed = " ".join(visitor.open("/snapshots/words").split())
        assert listed.count("⊟ fold") == 1
        assert listed.count("↺ rollback") == 1
        assert listed.count('<span title="in 2 segments">11 fresh</span>') == 2
        page = " ".join(visitor.open("/snapshots/words/3").split())
        made_of = page[page.index('id="shards"') : page.index('id="records"')]
        assert made_of.count("<tr><td") == 2
        assert ">no base</td>" in made_of
        assert ">83.3 %</td>" in made_of
        assert made_of.count('title="5 of 2,000 records"') == made_of.count('title="6 of 2,000 records"') == 1
        fold = " ".join(visitor.open("/snapshots/words/4").split())
        assert "nothing: a fold" in fold
        assert "A fold merges nothing" in fold
        assert segmented.versions["words"][2].snapshot_id in fold
        assert ">11 <small>in 2 segments</small>" in visitor.open("/")
