"""waitress within bounds: whoever does not finish a request in time, or does not read its answer, gives way.

waitress alone takes no connection any more when a hundred are open, and leaves one that sent half a request for as long
as bytes drip. Here newcomers are always taken: at the bound, the connection that has waited longest without a whole
request is closed for them. One whose request is being answered never is.
"""

import time
from dataclasses import dataclass
from typing import Any

from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer

HEADER_BYTES = 32 * 1024
BODY_BYTES = 64 * 1024
"""Pages are asked for by their address, and what is posted is a short form."""


@dataclass(frozen=True)
class Limits:
    """Connections at once; seconds from the first byte of a request (or from the connection) to its last; seconds that
    a connection may be idle between two requests, or not read its answer."""

    connections: int = 96
    request_seconds: float = 10.0
    idle_seconds: float = 60.0


class BoundedChannel(HTTPChannel):  # type: ignore[misc]  # waitress has no types
    """A connection that knows since when it has been sending the request that is not whole yet."""

    began: float | None

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.began = self.creation_time

    def received(self, data: bytes) -> bool:
        """As HTTPChannel's."""
        if self.began is None:
            self.began = time.time()
        taken: bool = super().received(data)
        if self.request is None:
            self.began = None
        return taken

    def is_answered(self) -> bool:
        """Whether a request is being answered, or an answer read."""
        return bool(self.requests or self.total_outbufs_len)

    def is_late(self, now: float, limits: Limits) -> bool:
        """Whether it had its time. What is being worked on has as much as it takes."""
        if self.requests:
            return False
        if self.began is not None and not self.total_outbufs_len:
            return now - self.began > limits.request_seconds
        return bool(now - self.last_activity > limits.idle_seconds)


class BoundedServer(TcpWSGIServer):  # type: ignore[misc]  # waitress has no types
    """A server on one listening socket, which it makes its own. `run` serves until there is nothing to listen to."""

    channel_class = BoundedChannel

    def __init__(self, application: Any, listener: Any, *, threads: int, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        adjustments = Adjustments(
            sockets=[listener],
            threads=threads,
            ident=None,
            clear_untrusted_proxy_headers=True,
            max_request_header_size=HEADER_BYTES,
            max_request_body_size=BODY_BYTES,
            connection_limit=1 << 30,  # the bound is held below, where somebody gives way
            cleanup_interval=1,
            asyncore_use_poll=True,  # select() knows no descriptor above 1,023
        )
        place = (listener.family, listener.type, listener.proto, listener.getsockname())
        super().__init__(application, _sock=listener, adj=adjustments, bind_socket=False, sockinfo=place)

    def handle_accept(self) -> None:
        """Take a newcomer; past the bound one that waits is closed, the newcomer where all others are answered."""
        super().handle_accept()
        open_now = [channel for channel in self.active_channels.values() if not channel.will_close]
        if len(open_now) > self.limits.connections:
            waiting = [channel for channel in open_now if not channel.is_answered()]
            if waiting:
                min(waiting, key=lambda channel: channel.began or channel.last_activity).will_close = True

    def maintenance(self, now: float) -> None:
        """Close the connections that had their time."""
        for channel in self.active_channels.values():
            if channel.is_late(now, self.limits):
                channel.will_close = True
