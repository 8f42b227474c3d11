"""Where the noise goes. moto's interpreter logs an error for every Fail state and every retried Task: to a file."""

import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path

_TO_FILE = {"moto": logging.WARNING, "werkzeug": logging.WARNING}
"""Loggers whose records, from that level on, go to the file and nowhere else. werkzeug has a line for every request."""

_ALSO_TO_FILE = {"local": logging.INFO}


MAX_BYTES = 5 * 1024 * 1024
_KEPT = 2


class StackLog:
    """Routes log records into one file while a stack runs; a full one is kept as `….log.1`, the one before as `.2`."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._handler: logging.Handler | None = None
        self._before: dict[str, tuple[int, bool]] = {}

    def start(self) -> None:
        """Open the file and take the loggers over."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        handler = RotatingFileHandler(self._file, maxBytes=MAX_BYTES, backupCount=_KEPT, encoding="utf-8")
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(threadName)s %(name)s %(message)s"))
        for name, level in (_TO_FILE | _ALSO_TO_FILE).items():
            logger = logging.getLogger(name)
            self._before[name] = (logger.level, logger.propagate)
            logger.addHandler(handler)
            logger.setLevel(level)
            logger.propagate = name not in _TO_FILE
        self._handler = handler

    def stop(self) -> None:
        """Give the loggers back and close the file."""
        if self._handler is None:
            return
        for name, (level, propagate) in self._before.items():
            logger = logging.getLogger(name)
            logger.removeHandler(self._handler)
            logger.setLevel(level)
            logger.propagate = propagate
        self._handler.close()
        self._handler = None
