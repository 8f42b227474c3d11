"""Every page at once, on a stack where everything has happened and every text that can be anybody's is markup."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest
from playwright.sync_api import Browser, Page, expect

from console.cli.web_command import serve
from console.web.server import ConsoleServer
from local.demo.samples.model import Receipt
from local.stack import LocalStack
from operate.stack import Stack

from ..operator.desk import Desk
from .conftest import PATIENCE_MS
from .looks import hard_to_read, misses_names, too_wide
from .troubles import announce_broken, complaints, frozen, run_into_lost_shards

pytestmark = [pytest.mark.browser, pytest.mark.slow]  # a minute of both cores: `make test-browser` has them

MARKUP = "<img src=nowhere onerror=alert(1)><script>alert(2)<!--"  # no slash, so that it can stand in an address
NARROW = {"width": 390, "height": 844}


@dataclass(frozen=True)
class Shown:
    """A page: where it is, and a text that must be on it."""

    path: str
    says: str


@dataclass(frozen=True)
class Everything:
    """A console and all its pages; `marked` are those that show MARKUP."""

    console: ConsoleServer
    pages: tuple[Shown, ...]
    marked: tuple[Shown, ...]


Visit = Callable[..., Iterator[tuple[Shown, Page]]]


@pytest.fixture(scope="module")
def everything(stack: LocalStack) -> Iterator[Everything]:
    stack.reset()
    desk = Desk(stack)
    operator = Stack(stack.connection)
    first, second, third, fourth, odd, *_ = desk.receipts
    desk.write(first, second, marked(odd))
    older = desk.settle_down()
    desk.producer.delete_receipt(second)
    desk.producer.relabel(first, first.labels[0], MARKUP)
    newer = desk.settle_down()
    failed = run_into_lost_shards(desk, third)
    operator.versions.pin("words", str(older), MARKUP)
    stack.poller.pause()
    run_id = announce_broken(stack, desk.producer, first)
    stack.poller.resume()
    with frozen(stack, "MergeDeltas", "words") as stopped:
        operator.executions.stop(stopped, MARKUP)
    healing = stack.wait_for_execution(operator.executions.start("words")).name
    desk.settle_down()
    asked = {"collection": "words", "mode": "plan", "note": MARKUP}
    planned = stack.wait_for_execution(stack.executions.start_with(asked)).name
    operator.collections.pause("lines", MARKUP)
    desk.write(fourth)
    desk.settle_down()
    begun = operator.renewing.begin(operator.renewing.to_begin("words", model=MARKUP, dimension=8))
    stack.wait_for_execution(begun.arn)
    console = serve(stack.connection, port=0)
    odd_one = f"/snapshots/words/{older}?containing=onerror"
    yield Everything(
        console,
        pages=(
            Shown("/", "lines"),
            Shown("/executions?idle=1&first=failures", "healed by"),
            Shown("/executions?result=timed_out", "is like that"),
            Shown(f"/executions/{failed}", "SnapshotDamaged"),
            Shown(f"/executions/{healing}?whole=1", "What it planned and merged"),
            Shown(f"/executions/{failed}/steps/6", "Input"),
            Shown(f"/executions/{failed}/events", "ExecutionStarted"),
            Shown(f"/executions/{failed}/log/DownloadSnapshot", "Log of DownloadSnapshot"),
            Shown("/executions/nobody", "Not found"),
            Shown("/snapshots/words", "Version"),
            Shown("/snapshots/words/archive", "Nothing of words expired so long ago"),
            Shown(f"/snapshots/words/{newer}", "What it brought"),
            Shown(f"/snapshots/words/{newer}/receipts", "Records"),
            Shown(f"/snapshots/words/compare?older={older}&newer={newer}", "Removed"),
            Shown(f"/receipts/{first.image_id}/{first.receipt_id}", "Runs"),
            Shown("/search?collection=lines&text=total", "nearest first"),
            Shown("/search", "Write a text"),
            Shown("/start", "What for"),
            Shown("/watch", "This is how it begins"),
            Shown(f"/start/{planned}", "Plan for words"),
            Shown("/start?collection=words&mode=reshard", "Into how many shards"),
            Shown("/do/reshard?collection=words&shards=7", "Every reader opens the new shards"),
            Shown("/renewal/words", "words-2 has 0 of"),
            Shown("/snapshots/words-2", "Nothing of words-2 is published yet"),
            Shown("/do/switchwhencomplete?collection=words&generation=words-2", "Nobody is asked again"),
            Shown("/do/finish?collection=words", "the way back ends"),
            Shown("/do/pause?collection=words", "Why it is paused"),
            Shown(f"/do/rollback?collection=words&version={older}", "stays paused afterwards"),
            Shown(f"/do/drop?collection=words&run={run_id}", "It is given up for good"),
        ),
        marked=(
            Shown("/", MARKUP),
            Shown("/executions", MARKUP),
            Shown(f"/executions/{stopped}", MARKUP),
            Shown(f"/executions/{planned}", MARKUP),
            Shown(f"/executions/{planned}/events", MARKUP),
            Shown("/snapshots/lines", MARKUP),
            Shown(f"/snapshots/words/{older}", MARKUP),
            Shown(odd_one, MARKUP),
            Shown("/pending", "DeltaCorrupt"),
            Shown("/renewal/words", MARKUP),
            Shown(f"/snapshots/words/compare?older={older}&newer={newer}", MARKUP),
            Shown(f"/search?collection=words&text={MARKUP}", MARKUP),
            Shown(f"/executions?text={MARKUP}", MARKUP),
            Shown(f"/executions/{MARKUP}", MARKUP),
        ),
    )
    console.stop()


def marked(receipt: Receipt) -> Receipt:
    """The same receipt with MARKUP for its first word."""
    line = receipt.line(1)
    word = replace(line.words[0], text=MARKUP, noise=False)
    return replace(receipt, lines=(replace(line, words=(word, *line.words[1:])), *receipt.lines[1:]))


@pytest.fixture
def visit(browser: Browser, everything: Everything) -> Iterator[Visit]:
    """`visit(pages, **options)` opens one page after the other, and gives each with its Page; none may complain."""
    complained: list[str] = []

    def visit(pages: tuple[Shown, ...], **options: object) -> Iterator[tuple[Shown, Page]]:
        context = browser.new_context(base_url=everything.console.url, **options)  # type: ignore[arg-type]
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        complaints(page, complained)
        for shown in pages:
            page.goto(shown.path)
            yield shown, page
        context.close()

    yield visit
    assert [one for one in complained if "404" not in one] == []


def test_nothing_that_is_anybodys_text_becomes_markup(visit: Visit, everything: Everything) -> None:
    for shown, page in visit(everything.marked):
        expect(page.locator("body")).to_contain_text(shown.says)
        assert page.locator("img, script:not([src^='/static/'])").count() == 0, shown.path


def test_every_page_shows_its_content_without_a_script(visit: Visit, everything: Everything) -> None:
    for shown, page in visit(everything.pages, java_script_enabled=False):
        expect(page.locator("main")).to_contain_text(shown.says)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_scrolls_sideways_in_a_narrow_window_and_every_text_is_easy_to_read(
    visit: Visit, everything: Everything, scheme: str
) -> None:
    wrong = {
        shown.path: found
        for shown, page in visit((*everything.pages, *everything.marked), viewport=NARROW, color_scheme=scheme)
        if (found := [*too_wide(page), *hard_to_read(page)])
    }
    assert not wrong, "\n".join(f"{path}: {one}" for path, found in wrong.items() for one in found)


def test_controls_have_labels_pictures_have_names_and_headings_are_in_order(
    visit: Visit, everything: Everything
) -> None:
    wrong = {
        shown.path: found
        for shown, page in visit((*everything.pages, *everything.marked))
        if (found := misses_names(page))
    }
    assert not wrong, "\n".join(f"{path}: {one}" for path, found in wrong.items() for one in found)
