"""The Flask application: the guard, the templates' words, the pages, and what is shown when something goes wrong."""

import logging
from datetime import UTC, datetime
from http import HTTPStatus

from botocore.exceptions import BotoCoreError, ClientError
from flask import Flask, Response, g, make_response, render_template, request
from receipt_dynamo_stream.errors import CompactionError, TransientServiceError
from werkzeug.exceptions import HTTPException

from console.web import words
from console.web.guard import Guard
from console.web.pages import (
    actions,
    execution,
    executions,
    overview,
    played,
    receipt,
    renewal,
    search,
    snapshots,
    start,
    waiting,
)
from console.web.site import Site, collections, seen
from console.web.site import site as here
from operate.errors import CollectionNotFound, ExecutionNotFound, ReceiptNotFound, SnapshotNotFound, VersionNotFound

log = logging.getLogger(__name__)

_MODULES = (overview, executions, execution, snapshots, waiting, receipt, renewal, search, start, played, actions)
PAGES = tuple(module.page for module in _MODULES)
_MISSING = (CollectionNotFound, ExecutionNotFound, ReceiptNotFound, SnapshotNotFound, VersionNotFound)


def create_app(site: Site, guard: Guard) -> Flask:
    """The application that shows one site. Nothing is asked of the stack before the first request."""
    app = Flask(__name__)
    app.secret_key = guard.secret  # signs the notices that an action leaves for the next page
    app.config.update(SESSION_COOKIE_SAMESITE="Strict", SESSION_COOKIE_NAME="compaction_notices")
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.extensions["site"] = site
    words.attach(app)
    guard.attach(app)
    for page in PAGES:
        app.register_blueprint(page)
    app.before_request(_note_time)
    app.after_request(_same_as_before)
    app.context_processor(
        lambda: {"site": site, "now": g.get("now"), "collections": collections, "quarantined": _quarantined}
    )
    app.register_error_handler(HTTPException, _refused)
    app.register_error_handler(CompactionError, _explained)
    for failed in (ClientError, BotoCoreError, TransientServiceError):
        app.register_error_handler(failed, _service_failed)
    return app


def _quarantined() -> int:
    """How many runs wait in quarantine, for the menu; 0 where nobody can say."""
    try:
        return len(seen("quarantine", 5, here().stack.quarantine.runs))
    except (ClientError, BotoCoreError, CompactionError):
        return 0  # the page itself says what is wrong, or needs none of it


def _note_time() -> None:
    g.now = datetime.now(UTC)


def _same_as_before(answer: Response) -> Response:
    """A page that asks for itself again, to stay live, gets no second copy of what it shows already."""
    if request.method == "GET" and answer.status_code == HTTPStatus.OK and not answer.is_streamed:
        answer.add_etag()
        answer.make_conditional(request)
    return answer


def _error_page(status: int, title: str, message: str) -> Response:
    g.setdefault("now", datetime.now(UTC))
    return make_response(render_template("error.html", title=title, message=message), status)


def _refused(error: HTTPException) -> Response:
    return _error_page(error.code or 500, error.name, error.description or "")


def _explained(error: Exception) -> Response:
    """What an operator can cause or mend: the message says what happened and what to do."""
    missing = isinstance(error, _MISSING)
    return _error_page(404 if missing else 409, "Not found" if missing else type(error).__name__, str(error))


def _service_failed(error: Exception) -> Response:
    log.warning("a service did not answer", exc_info=error)
    advice = "Check that the stack is up and that your credentials are valid and allow this; then reload."
    return _error_page(HTTPStatus.BAD_GATEWAY, "The stack did not answer", f"{type(error).__name__}: {error}. {advice}")
