"""Who may ask the console for what: its own pages, from the addresses it serves, with a token for every action.

A browser runs the pages of other sites too. They can send requests to loopback and rename themselves to it (DNS
rebinding), so every request's Host must be ours, its Origin, where there is one, must be ours as well, and what
changes anything carries a token that only our own pages can know. Pages carry no inline script or style, so the
policy forbids both: a text from a run that looked like markup would be inert even if it got past the templates.
"""

import hmac
import secrets
from collections.abc import Collection
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from flask import Flask, Response, abort, redirect, request
from werkzeug.wrappers import Response as AnyResponse

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
READ = ("GET", "HEAD")
COOKIE = "compaction_console"


@dataclass(frozen=True)
class Guard:
    """`hosts` are the values of Host that are ours; `token` is what a visitor must bring, None on loopback."""

    hosts: Collection[str]
    token: str | None = None
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    def attach(self, app: Flask) -> None:
        """Check every request of the app, and mark every answer."""
        app.before_request(self.check)
        app.after_request(_add_headers)
        app.jinja_env.globals["action_token"] = self.action_token

    def check(self) -> AnyResponse | None:
        """Aborts with 400, 401 or 403 unless the request is one of ours."""
        if request.host not in self.hosts:
            abort(400, "This is not the address that the console serves: open it by the address it printed.")
        origin = request.headers.get("Origin")
        if origin is not None and not self._is_ours(origin):
            abort(403, "Another site asked for this: nothing was done.")
        if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin") and not _is_visit():
            abort(403, "Another site asked for this: nothing was done.")
        if self.token is not None and (answer := self._sign_in(self.token)) is not None:
            return answer
        if request.method not in READ and not self._is_from_our_page():
            abort(403, "This page is not of the console that runs now: reload it, then try again. Nothing was done.")
        return None

    def action_token(self, path: str) -> str:
        """What a form that posts to this path must carry."""
        return hmac.new(self.secret, path.encode(), "sha256").hexdigest()

    def _is_ours(self, origin: str) -> bool:
        # A form's origin is `null` only when a page hides it; ours do not.
        parts = urlsplit(origin)
        return parts.scheme in ("http", "https") and parts.netloc == request.host

    def _is_from_our_page(self) -> bool:
        given = request.form.get("action_token", "")
        return hmac.compare_digest(given.encode(), self.action_token(request.path).encode())

    def _sign_in(self, token: str) -> AnyResponse | None:
        """The address with the token in it becomes a cookie; anybody else without the cookie is refused."""
        proof = hmac.new(self.secret, b"signed in", "sha256").hexdigest()
        if hmac.compare_digest(request.cookies.get(COOKIE, "").encode(), proof.encode()):
            return None
        given = request.args.get("token", "")
        if request.method not in READ or not hmac.compare_digest(given.encode(), token.encode()):
            abort(401, "Open the console by the address with the token that `compaction console` printed.")
        answer = redirect(request.path)
        answer.set_cookie(COOKIE, proof, httponly=True, samesite="Strict")
        return answer


def _is_visit() -> bool:
    """Whether a link or the address bar brought a person here, and not a script, an image or a form."""
    return request.method in READ and request.headers.get("Sec-Fetch-Mode") == "navigate"


def _add_headers(answer: Response) -> Response:
    for name, value in HEADERS.items():
        answer.headers.setdefault(name, value)
    return answer
