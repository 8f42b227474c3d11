"""The process that decodes deltas, with formats that end it in every way that there is."""

import os
import signal
from typing import Any

import numpy as np
from receipt_chroma.delta import child
from receipt_chroma.records import Record


def dies(*_: Any) -> list[Record]:
    os.kill(os.getpid(), signal.SIGSEGV)
    return []


def takes_memory(*_: Any) -> list[Record]:
    return [Record("x", np.ones(1 << 30, np.float32), None, {})]


def takes_time(*_: Any) -> list[Record]:
    while True:
        pass


def has_a_fault(*_: Any) -> list[Record]:
    raise ZeroDivisionError("no\tname\n" * 1000)


def recurses(*_: Any) -> list[Record]:
    return recurses()


def ends(*_: Any) -> list[Record]:
    os._exit(0)


def writes(*_: Any) -> list[Record]:
    with open("/tmp/never-written", "w") as file:  # noqa: PTH123
        file.write("x")
    return []


def tells_its_environment(*_: Any) -> list[Record]:
    return [Record(",".join(sorted(os.environ)), np.ones(1, np.float32), None, {})]


if __name__ == "__main__":
    child.READ_CPU_SECONDS = 1  # type: ignore[misc]
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    child.DECODERS.update(
        dies=dies,
        memory=takes_memory,
        time=takes_time,
        fault=has_a_fault,
        recursion=recurses,
        ends=ends,
        writes=writes,
        environment=tells_its_environment,
    )
    child.main()
