"""How long a worker of unknown speed may take, by the time that this process took for its proof."""

from hypothesis import given
from hypothesis import strategies as st

from engine.coordinator.arbiter import timed_proof
from engine.coordinator.rounds.leases import UNTRIED, Leases
from tests.support.fakes import FakeClock

USUAL = Leases()


def test_a_quick_job_is_not_waited_for_as_long_as_any_job() -> None:
    late, lease = USUAL.after_proof(0.001).limits(UNTRIED, None)
    assert (late, lease) == (USUAL.least_lease / 4, USUAL.least_lease)


def test_it_grows_with_what_the_proof_took_up_to_the_usual() -> None:
    assert USUAL.after_proof(0.025).limits(UNTRIED, None) == (4.0, 16.0)
    assert USUAL.after_proof(10.0) == USUAL


@given(st.floats(0.0, 1e6), st.floats(1e-6, 1e6))
def test_limits_of_a_known_speed_stay(seconds: float, speed: float) -> None:
    assert USUAL.after_proof(seconds).limits(8, speed) == USUAL.limits(8, speed)


def test_the_proof_is_timed() -> None:
    clock = FakeClock()

    def prove(nonce: int) -> str:
        clock.time += 0.0625
        return f"of {nonce}"

    assert timed_proof(prove, 7, clock) == ("of 7", USUAL.after_proof(0.0625))
