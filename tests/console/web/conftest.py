"""The application on the toy stack, without a server: what pages say, and what actions do."""

import html
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from console.embedding import embedder_of
from console.web.app import create_app
from console.web.guard import Guard
from console.web.site import Site
from operate.contents.contents import Contents
from operate.stack import Stack

from ...toy_stack.toy import ToyStack

HOST = "127.0.0.1:8765"


class Visitor:
    """A person with a browser: follows addresses, fills in forms, and is told where an action led."""

    def __init__(self, client: FlaskClient, guard: Guard) -> None:
        self.client = client
        self._guard = guard

    def open(self, path: str, status: int = 200) -> str:
        """The text of a page."""
        answer = self._get(path)
        assert answer.status_code == status, answer.text
        return answer.text

    def fetch(self, path: str, etag: str | None = None) -> TestResponse:
        """A page as the live script asks for it."""
        headers = {"If-None-Match": etag} if etag else {}
        return self.client.get(path, base_url=f"http://{HOST}", headers=headers)

    def confirm(self, path: str, **fields: str) -> str:
        """Open the question, answer it through its own form; where that led."""
        page = self.open(path)
        action = re.search(r'<form method="post" action="([^"]+)"', page)
        token = re.search(r'name="action_token" value="([0-9a-f]+)"', page)
        assert action is not None
        assert token is not None
        return self.post(html.unescape(action[1]), action_token=token[1], **fields)

    def post(self, path: str, status: int = 303, **fields: str) -> str:
        """Send a form; the address that it led to, or what the refusal says."""
        answer = self.client.post(path, base_url=f"http://{HOST}", data=fields)
        assert answer.status_code == status, answer.text
        return answer.headers["Location"] if status == 303 else answer.text

    def _get(self, path: str) -> TestResponse:
        return self.client.get(path, base_url=f"http://{HOST}")


Visit = Callable[..., Visitor]


def visitor_of(operator: Stack, contents: Contents, **site: object) -> Visitor:
    """A visitor of a console on any stack."""
    guard = Guard(hosts={HOST})
    app = create_app(Site(operator, contents, "toy", **site), guard)  # type: ignore[arg-type]
    return Visitor(app.test_client(), guard)


@pytest.fixture
def visit(stack: ToyStack, tmp_path: Path) -> Iterator[Visit]:
    """A visitor of a console on the toy stack; keyword arguments are the site's."""
    opened: list[Contents] = []

    def visit(**site: object) -> Visitor:
        operator = Stack(stack.connection)
        opened.append(Contents(operator, cache=tmp_path / "cache", embedder=embedder_of(stack.connection)))
        return visitor_of(operator, opened[-1], **site)

    yield visit
    for contents in opened:
        contents.close()


@pytest.fixture
def visitor(visit: Visit) -> Visitor:
    return visit()
