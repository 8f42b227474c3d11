"""The console's server: waitress on one address, until it is told to stop."""

import errno
import ipaddress
import secrets
import socket
import threading
from collections.abc import Sequence
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any

from console.embedding import embedder_of
from console.web.app import create_app
from console.web.guard import Guard
from console.web.site import Site
from operate.connection import Connection
from operate.contents.contents import Contents
from operate.errors import UsageError
from operate.stack import Stack

LOOPBACK = "127.0.0.1"
PORT = 8765
_THREADS = 8
_JOIN_SECONDS = 5.0


class ConsoleServer:
    """Serves the pages of one stack. The port is taken when it is made; `start` answers from then on.

    `called` is what the pages call the stack. `names` are further values of the Host header to answer to: of a proxy,
    or of this machine when `host` stands for all its addresses. With them, or on another address than loopback,
    every visitor needs the token that is in `url`.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        called: str,
        host: str = LOOPBACK,
        port: int | None = None,
        names: Sequence[str] = (),
        read_only: bool = False,
        logs: Path | None = None,
        embedder: str | None = None,
    ) -> None:
        """Without a port it is PORT, or any free one when that is taken. embedder: what makes vectors of texts.

        Raises UsageError when the address is taken, or not one of this machine, and for an embedder that is none.
        """
        from console.web.bounded import BoundedServer

        address = _parsed(host)
        if address.is_unspecified and not names:
            raise UsageError(
                f"{host} stands for every address of this machine: say with --allow-host which name to answer to"
            )
        try:
            listener = _listen(address, port)
        except OSError as error:
            raise UsageError(
                f"{host} port {port or PORT} cannot be served: {error.strerror}; give another --port"
            ) from error
        bound: int = listener.getsockname()[1]
        shown = f"[{address}]" if address.version == 6 else str(address)
        own = {f"{name}:{bound}" for name in ({shown, "localhost"} if address.is_loopback else {shown})}
        others = {variant for name in names for variant in (name, f"{name}:{bound}")}
        # A name of our own choosing is a proxy's, so loopback is not the only place that visitors come from.
        self._token = None if address.is_loopback and not names else secrets.token_urlsafe(24)
        self._shown = f"{names[0] if address.is_unspecified else shown}:{bound}"
        stack = Stack(connection)
        self._contents = Contents(stack, embedder=embedder_of(connection, embedder))
        site = Site(stack, self._contents, called, read_only=read_only, logs=logs)
        app = create_app(site, Guard(hosts=own | others, token=self._token))
        self._server: Any = BoundedServer(app, listener, threads=_THREADS)
        self._thread = threading.Thread(target=self._server.run, name="console", daemon=True)

    @property
    def url(self) -> str:
        """Where a person opens it; with the token, if it takes one."""
        return f"http://{self._shown}/" + (f"?token={self._token}" if self._token else "")

    def start(self) -> None:
        """Answer from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Answer no more, and close what was opened of snapshots. May be called twice."""
        if self._thread.is_alive():
            with suppress(OSError):  # a request that ended just now pulled it too: it is done, and the pipe is closed
                self._server.trigger.pull_trigger(self._close_connections)
            self._thread.join(_JOIN_SECONDS)
        else:
            self._close_connections()
        self._server.task_dispatcher.shutdown()
        self._contents.close()

    def _close_connections(self) -> None:
        """waitress's loop ends when it has nothing to listen to; only its own thread may take that away."""
        from waitress.wasyncore import close_all

        close_all(self._server._map, ignore_all=True)


def _parsed(host: str) -> IPv4Address | IPv6Address:
    try:
        return ipaddress.ip_address(LOOPBACK if host == "localhost" else host)
    except ValueError as error:
        raise UsageError(f"{host} is no address of a machine: --host takes one like 192.168.1.5") from error


def _listen(address: IPv4Address | IPv6Address, port: int | None) -> socket.socket:
    """A bound socket. Raises OSError."""
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((str(address), PORT if port is None else port))
    except OSError as error:
        if port is not None or error.errno != errno.EADDRINUSE:
            listener.close()
            raise
        listener.bind((str(address), 0))
    return listener
