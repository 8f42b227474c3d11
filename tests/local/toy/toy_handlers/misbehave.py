"""Everything a handler can do wrong."""

import os
import time


class OddError(Exception):
    """An error with a name of its own, which the state machine is to see."""


def misbehave(event, _context):
    match event["do"]:
        case "raise":
            raise OddError("as told")
        case "exit":
            os._exit(3)
        case "kill":
            os.kill(os.getpid(), 9)
        case "sleep":
            time.sleep(60)
        case "large":
            return "x" * event["bytes"]
    return None
