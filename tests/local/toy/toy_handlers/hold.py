"""Works until a file appears: the test says when."""

import time
from pathlib import Path


def hold(event, _context):
    folder = Path(event["folder"])
    (folder / "started").touch()
    while not (folder / "release").exists():
        time.sleep(0.01)
    with (folder / "finished").open("a") as finished:
        finished.write("x")
    return {"held": True}
