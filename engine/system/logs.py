"""The log: one logger per room ("gradsum.wire", "gradsum.launch", ...), silent unless it is configured.

A program that imports gradsum configures the loggers with Python's `logging`; a user of the commands sets GRADSUM_LOG.
"""

import logging
import os

from engine.errors import SettingsError

VARIABLE = "GRADSUM_LOG"
LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
FORMAT = "%(asctime)s %(process)d %(name)s %(levelname)s: %(message)s"


def configure_logging() -> None:
    """Log to standard error from the level that GRADSUM_LOG names; nothing if it is not set or empty.

    SettingsError if it names no level. The last call counts.
    """
    wanted = os.environ.get(VARIABLE, "").lower()
    if wanted and wanted not in LEVELS:
        raise SettingsError(f"{VARIABLE} must be one of {', '.join(LEVELS)}, got {wanted!r:.40}")
    logger = logging.getLogger("gradsum")
    for handler in [handler for handler in logger.handlers if handler.name == VARIABLE]:
        logger.removeHandler(handler)
    if wanted:
        handler = logging.StreamHandler()
        handler.name = VARIABLE
        handler.setFormatter(logging.Formatter(FORMAT))
        logger.addHandler(handler)
        logger.setLevel(LEVELS[wanted])
