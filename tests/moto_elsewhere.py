"""moto in a process of its own: there is one a process, and other tests have theirs in this one."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_SERVER = """
import sys
from moto.server import ThreadedMotoServer
from local.aws.moto_patches import MotoPatches
MotoPatches().apply()  # the tests are quick with them
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
print(*server.get_host_and_port(), flush=True)
sys.stdin.read()  # until whoever asked for it is done, however that ends
"""


@contextmanager
def moto_elsewhere() -> Iterator[str]:
    """Its endpoint, as long as the context lasts or this process lives."""
    with subprocess.Popen(
        [sys.executable, "-c", _SERVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        host, port = server.stdout.readline().split()
        yield f"http://{host}:{port}"
        server.stdin.close()
