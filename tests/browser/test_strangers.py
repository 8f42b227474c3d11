"""What other sites, other names and those who may only read can get out of a console: nothing."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from console.cli.web_command import serve
from console.web.server import ConsoleServer

from ..operator.desk import Desk
from .conftest import Open
from .troubles import run_into_lost_shards

pytestmark = pytest.mark.browser

ATTEMPTS = """
async ([address, token]) => {
  const body = new URLSearchParams({ action_token: token });
  const told = [];
  const posted = { method: "POST", body };
  for (const options of [{}, { mode: "no-cors" }, posted, { mode: "no-cors", ...posted }]) {
    for (const path of ["/", "/do/start?collection=words"]) {
      try {
        told.push((await (await fetch(address + path, { credentials: "include", ...options })).text()).length);
      } catch (error) {
        told.push(0);
      }
    }
  }
  return told;
}
"""
SUBMIT = """
([action, token]) => {
  const form = document.createElement("form");
  Object.assign(form, { method: "post", action });
  const field = document.createElement("input");
  Object.assign(field, { name: "action_token", value: token });
  form.append(field);
  document.body.append(form);
  form.submit();
}
"""


class Another(BaseHTTPRequestHandler):
    """A page of somebody else."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><link rel=icon href=data:,><title>another site</title><p>Hello")

    def log_message(self, format: str, *args: Any) -> None:
        """Silent."""


@contextmanager
def another_site() -> Iterator[int]:
    """Its port on loopback."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Another)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def token(page: Page) -> str:
    """A good token for starting: not even with that may another site start anything."""
    page.goto("/do/start?collection=words")
    return page.locator("input[name=action_token]").input_value()


@pytest.mark.parametrize("host", ["127.0.0.1", "evil.example"])
def test_another_sites_page_starts_nothing_and_reads_nothing(
    desk: Desk, browser: Browser, page: Page, console: ConsoleServer, token: str, host: str
) -> None:
    address = console.url.rstrip("/")
    with another_site() as port:
        stranger = page.context.new_page()  # with everything that the person's browser has
        stranger.goto(f"http://{host}:{port}/")
        assert stranger.evaluate(ATTEMPTS, [address, token]) == [0] * 8
        with stranger.expect_navigation(url=f"{address}/**") as led_to:
            stranger.evaluate(SUBMIT, [f"{address}/do/start?collection=words", token])
        assert led_to.value.status == 403
        expect(stranger.get_by_text("Another site asked for this: nothing was done.")).to_be_visible()
    assert desk.stack.executions.find() == []


def test_a_page_that_was_renamed_to_another_host_is_refused(browser: Browser, console: ConsoleServer) -> None:
    stranger = browser.new_page()
    answer = stranger.goto(f"http://evil.example:{urlsplit(console.url).port}/")
    assert answer is not None
    assert answer.status == 400
    expect(stranger.get_by_text("This is not the address that the console serves")).to_be_visible()
    expect(stranger.get_by_text("lines", exact=True)).to_have_count(0)
    stranger.close()


@pytest.mark.slow
def test_reading_only_offers_no_action_and_refuses_those_that_are_asked_for(desk: Desk, open_tab: Open) -> None:
    desk.write(desk.receipts[0])
    version = desk.settle_down()
    failed = run_into_lost_shards(desk, desk.receipts[1])
    before = len(desk.stack.executions.find())
    server = serve(desk.stack.connection, port=0, read_only=True)
    try:
        page = open_tab(base_url=server.url, about="403 (FORBIDDEN)")
        for path in ("/", "/executions", f"/executions/{failed}", "/snapshots/words", f"/snapshots/words/{version}",
                     "/pending", "/start"):  # fmt: skip
            page.goto(path)
            expect(page.get_by_text("read only").first).to_be_visible()
            assert page.locator("form[method=post], a[href^='/do/']").count() == 0, path
        page.goto("/")
        status = page.evaluate(
            "async path => (await fetch(path, { method: 'POST', body: new URLSearchParams() })).status",
            f"/do/rerun?execution={failed}",
        )
        assert status == 403
    finally:
        server.stop()
    assert len(desk.stack.executions.find()) == before
