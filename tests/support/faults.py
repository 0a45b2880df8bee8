"""What may go wrong with a worker."""

from enum import Enum


class WorkerFault(Enum):
    """What a worker does with one share instead of answering it, or besides."""

    NONE = "answers as it should"
    DIES = "is gone, which the transport notices"
    DIES_HALFWAY = "answers one block, then is gone"
    DIES_UNNOTICED = "is gone, which only a message to it can show"
    SILENT = "never answers"
    LATE = "answers when its lease has long lapsed"
    TWICE = "answers everything twice, differently the second time"
    OLD = "answers, and sends what it answered before once more"
    WRONG_ROUND = "first answers in the name of another round"
    WRONG_ATTEMPT = "first answers an attempt that it was not given"
    FOREIGN_BLOCK = "first answers a block that it was not given"
    IMPOSSIBLE_BLOCK = "answers a range that is no block"
    TOO_CORRECT = "has more correct answers than samples"
    WRONG_SIZE = "sends a gradient that is too short"
    WRONG_SESSION = "answers in the name of another session"
    BAD_HEADER = "sends a header that is no message"
    BAD_SECONDS = "says that it took minus one second"
    NOT_FOR_US = "sends a message that only a coordinator may send"
    READY_AGAIN = "says READY a second time"
    HELLO_AGAIN = "says HELLO a second time and begins anew"
    FAILED = "reports an exception"
    GOODBYE = "leaves"
    NAN = "has a loss and a gradient that are not finite"
    NAN_GRADIENT = "has a gradient that is not finite, as only the sum will show"
    HUGE = "has a gradient that is finite and huge, as only the norm of the sum will show"
    FLIP = "has one bit in a gradient, or the loss, that is wrong"


HARMLESS = [fault for fault in WorkerFault if fault is not WorkerFault.FLIP]  # those that need no audit to be noticed
REFUSED = {
    WorkerFault.IMPOSSIBLE_BLOCK,
    WorkerFault.TOO_CORRECT,
    WorkerFault.WRONG_SIZE,
    WorkerFault.BAD_HEADER,
    WorkerFault.BAD_SECONDS,
    WorkerFault.NOT_FOR_US,
    WorkerFault.READY_AGAIN,
}
