"""What a peer must say to join that knows the protocol and does no work."""

from functools import cache

from engine.compute.evaluator import Evaluator
from engine.compute.job import job_from
from engine.data.cache import open_cached
from engine.wire import messages as m


def ready(welcome: m.Welcome, job: m.Frame) -> m.Ready:
    """Return the answer to a WELCOME with the description of a job, whose data is in the cache."""
    return m.Ready(welcome.session, *_computed(bytes(job), welcome.nonce))


@cache
def _computed(description: bytes, nonce: int) -> tuple[str, str]:
    job = job_from(m.unpack(description))
    data = open_cached(job.data).hold_out(job.validation)
    return job.model.layout().digest, Evaluator(job, data).prove(nonce)
