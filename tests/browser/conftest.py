"""One browser and one local stack for all of these tests, with the real ASL file and handlers; emptied in between."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from console.cli.web_command import serve
from console.web.server import ConsoleServer
from local.stack import LocalStack
from tests.quiet_stack import quiet_stack

from ..operator.desk import Desk
from .chromium import open_chromium
from .troubles import complaints

PATIENCE_MS = 30_000

Open = Callable[..., Page]
"""Opens a tab of a context of its own. It may complain `about` what the test is about, and of nothing else; the other
keyword arguments are the context's."""


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = open_chromium(playwright)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    with quiet_stack(tmp_path_factory.mktemp("stack")) as running:
        yield running


@pytest.fixture
def desk(stack: LocalStack) -> Desk:
    stack.reset()
    return Desk(stack)


@pytest.fixture
def console(desk: Desk) -> Iterator[ConsoleServer]:
    server = serve(desk.stack.connection, port=0)
    yield server
    server.stop()


@pytest.fixture
def open_tab(browser: Browser, console: ConsoleServer) -> Iterator[Open]:
    """Tabs on the console. When the test ends none of them may have had anything to complain of."""
    with ExitStack() as closing:
        complained: list[str] = []
        expected: list[str] = []

        def open_tab(*, about: str | None = None, **options: object) -> Page:
            context = browser.new_context(**{"base_url": console.url, **options})  # type: ignore[arg-type]
            closing.callback(context.close)
            context.set_default_timeout(PATIENCE_MS)
            page = context.new_page()
            complaints(page, complained)
            expected.extend([about] if about else [])
            return page

        yield open_tab
        assert [one for one in complained if not any(about in one for about in expected)] == []


@pytest.fixture
def page(open_tab: Open) -> Page:
    return open_tab()
