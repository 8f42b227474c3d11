"""Pictures of every page into this folder, light, dark and narrow: `make screenshots`.

They are of a local stack of their own, and need Chromium. Where pngquant or ImageMagick is at hand they become smaller.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, sync_playwright

from console.cli.web_command import serve
from docs.console.story import Story, Told
from local.lambdas.memory import few_arenas
from local.settings import StackSettings
from local.stack import LocalStack
from tests.browser.chromium import open_chromium

FOLDER = Path(__file__).parent
SMALLEST, TALLEST = 480, 1600
COLOURS = "128"


@dataclass(frozen=True)
class Form:
    """How a page is seen: `scheme` is what the person's system prefers."""

    name: str
    width: int
    scheme: Literal["light", "dark"]


FORMS = (Form("light", 1280, "light"), Form("dark", 1280, "dark"), Form("narrow", 390, "light"))


def addresses(told: Told) -> dict[str, str]:
    """The address of each page by the name of its picture."""
    return {
        "overview": "/",
        "executions": "/executions",
        "execution": f"/executions/{told.published}",
        "failed": f"/executions/{told.failed}",
        "snapshots": "/snapshots/words",
        "version": f"/snapshots/words/{told.relabelled}",
        "compare": f"/snapshots/words/compare?older={told.relabelled - 1}&newer={told.relabelled}",
        "pending": "/pending",
        "search": "/search?collection=words&text=organic+milk",
        "start": "/start?collection=words",
    }


def main() -> int:
    """Tell the story, then take the pictures."""
    few_arenas()
    settings = StackSettings(schedule_seconds=None, batch_window_seconds=0.5, poll_seconds=0.1)
    with tempfile.TemporaryDirectory() as folder, LocalStack(Path(folder), settings) as stack:
        story = Story(stack)
        told = story.tell()
        server = serve(stack.connection, port=0)
        try:
            with sync_playwright() as playwright:
                browser = open_chromium(playwright)
                console = server.url.rstrip("/")
                take_each(browser, console, addresses(told))
                story.renew()
                take_each(browser, console, {"renewal": "/renewal/words"})
                browser.close()
        finally:
            server.stop()
    return 0


def take_each(browser: Browser, console: str, wanted: dict[str, str]) -> None:
    """These pages, by the names of their pictures."""
    pages = {form: browser.new_page(color_scheme=form.scheme) for form in FORMS}
    for name, address in wanted.items():
        for form, page in pages.items():
            page.set_viewport_size({"width": form.width, "height": SMALLEST})
            page.goto(console + address)
            if name == "start":
                plan(page)
            take(page, FOLDER / f"{name}-{form.name}.png", form.width)


def plan(page: Page) -> None:
    """From the form to the plan that it shows."""
    page.get_by_role("button", name="Go on").click()
    page.get_by_role("button", name="Start the compaction").wait_for()
    page.wait_for_url(re.compile("/start/"))
    page.get_by_text("A compaction now would merge").wait_for()


def take(page: Page, file: Path, width: int) -> None:
    """One picture, as high as the page but at most TALLEST."""
    height = min(TALLEST, page.evaluate("document.documentElement.scrollHeight"))
    page.set_viewport_size({"width": width, "height": height})
    page.screenshot(path=file, animations="disabled")
    shrink(file)


def shrink(file: Path) -> None:
    """Fewer colours: a page has few."""
    if shutil.which("pngquant"):
        subprocess.run(["pngquant", "--force", "--ext", ".png", "--strip", COLOURS, file], check=True)
    elif shutil.which("convert"):
        subprocess.run(["convert", file, "-strip", "+dither", "-colors", COLOURS, f"png8:{file}"], check=True)


if __name__ == "__main__":
    sys.exit(main())
