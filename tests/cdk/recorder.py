"""Copied as sitecustomize.py beside a function's code: its process writes down every AWS call it makes.

One file a process in RECORDED_CALLS, one JSON line a call: function, service, operation, and the request but its body.
"""

import json
import os
from pathlib import Path
from typing import Any

from botocore.client import BaseClient

_call = BaseClient._make_api_call


def _recorded(self: Any, operation: str, request: dict[str, Any]) -> Any:
    line = {
        "function": os.environ["AWS_LAMBDA_FUNCTION_NAME"],
        "service": self.meta.service_model.service_name,
        "operation": operation,
        "request": {name: value for name, value in request.items() if name != "Body"},
    }
    with Path(os.environ["RECORDED_CALLS"], f"{os.getpid()}.jsonl").open("a") as file:
        file.write(json.dumps(line, default=str) + "\n")
    return _call(self, operation, request)


if "RECORDED_CALLS" in os.environ:
    BaseClient._make_api_call = _recorded
