"""`compaction console`: the pages of one stack, until Ctrl-C."""

from argparse import Namespace
from pathlib import Path

from rich.text import Text

from console.cli.commands import connect, print_json
from console.cli.progress import stdout_console
from console.cli.signals import stop_signal
from console.web.server import ConsoleServer
from operate.connection import Connection

LOCAL = "local stack"


def console(arguments: Namespace) -> int:
    """Exit code 0 once it was told to stop. Raises UsageError when the address cannot be served."""
    connection = connect(arguments)
    with stop_signal() as stopped:
        server = serve(
            connection,
            called=arguments.stack or LOCAL,
            host=arguments.host,
            port=arguments.port,
            names=arguments.allow_host,
            read_only=arguments.read_only,
            embedder=arguments.embedder,
        )
        try:
            if arguments.json:
                print_json({"url": server.url, "read_only": arguments.read_only})
            else:
                stdout_console().print(
                    Text(f"The console is at {server.url} ; Ctrl-C stops it.", overflow="ignore", no_wrap=True)
                )
            stopped.wait()
        finally:
            server.stop()
    return 0


def serve(
    connection: Connection,
    *,
    called: str = LOCAL,
    host: str = "127.0.0.1",
    port: int | None = None,
    names: tuple[str, ...] | list[str] = (),
    read_only: bool = False,
    embedder: str | None = None,
) -> ConsoleServer:
    """A console that answers already. Without a port it takes the usual one, or any when that is taken."""
    server = ConsoleServer(
        connection,
        called=called,
        host=host,
        port=port,
        names=tuple(names),
        read_only=read_only,
        logs=logs_of(connection),
        embedder=embedder,
    )
    server.start()
    return server


def logs_of(connection: Connection) -> Path | None:
    """Where the workers of a local stack log, beside its file system."""
    return Path(connection.efs_root).parent / "logs" if connection.efs_root is not None else None
