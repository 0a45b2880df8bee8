"""What went wrong in a worker, in a FAILED."""

from engine.errors import ProtocolError
from engine.wire.messages import ERROR_LIMIT, Failed, Frame, clip

TRACEBACK_LIMIT = 1 << 14  # bytes of a traceback; most have a tenth of it


def failed(session: str, traceback: str) -> tuple[Failed, Frame]:
    """Return a FAILED with its payload: of a traceback that is too long, the end."""
    last = traceback.strip().rpartition("\n")[2]
    return Failed(session, clip(last, ERROR_LIMIT)), traceback.encode(errors="backslashreplace")[-TRACEBACK_LIMIT:]


def traceback_of(message: Failed, payload: Frame | None) -> str:
    """Return the traceback that came with a FAILED; ProtocolError if it is too long."""
    if payload is None:
        return message.error
    if len(payload) > TRACEBACK_LIMIT:
        raise ProtocolError(f"a traceback of {len(payload)} bytes, at most {TRACEBACK_LIMIT} are allowed")
    return bytes(payload).decode(errors="replace")
