"""The browser of the tests and of the screenshots: Debian's Chromium, or Chrome."""

import os
import shutil

from playwright.sync_api import Browser, Playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    "--disable-dev-shm-usage",  # containers have a small one
    "--host-resolver-rules=MAP evil.example 127.0.0.1",
)


class NoChromium(Exception):
    """There is no browser on the path; the message says how to get one."""


def find_chromium() -> str:
    """Its path. Raises NoChromium."""
    for name in NAMES:
        if found := shutil.which(name):
            return found
    raise NoChromium(f"there is none of {', '.join(NAMES)} on the path: `apt-get install chromium`")


def open_chromium(playwright: Playwright) -> Browser:
    """A headless browser, to be closed. It knows 127.0.0.1 by the name evil.example too. Raises NoChromium."""
    root = ("--no-sandbox",) if os.geteuid() == 0 else ()  # the sandbox cannot be had as root
    return playwright.chromium.launch(executable_path=find_chromium(), args=[*_FLAGS, *root])
