"""Parameters leave for one worker after another, and nobody waits for one that does not answer."""

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.coordinator.outbox import FAST, FIRST_PATIENCE, Outbox, Parcel
from engine.wire import messages as m

SLOW = 10 * FAST


def parcel(number: int, attempt: int = 1, parameters: bool = True) -> Parcel:
    work = m.Work("s", 1, attempt, m.WorkKind.TRAIN, 1, 0, 1, 2, 0)
    return Parcel(b"%d" % number, work, b"parameters" if parameters else None)


def outbox(*parcels: Parcel) -> Outbox:
    made = Outbox()
    for one in parcels:
        made.put(one)
    return made


def test_the_next_is_sent_when_the_last_has_arrived() -> None:
    parcels = [parcel(n) for n in range(3)]
    box = outbox(*parcels)
    for number in range(3):
        assert box.take(number * SLOW) == parcels[number : number + 1]
        assert box.take(number * SLOW) == []
        assert box.arrived(b"%d" % number, 1, (number + 1) * SLOW)
    assert box.next_deadline() is None


def test_two_are_on_the_way_where_that_takes_no_time() -> None:
    parcels = [parcel(n) for n in range(5)]
    box = outbox(*parcels)
    assert box.take(0.0) == parcels[:1]
    assert box.arrived(b"0", 1, FAST / 2)
    assert box.take(FAST) == parcels[1:3]
    assert box.arrived(b"2", 1, 2.5 * FAST)
    assert box.take(2.5 * FAST) == [], "it took longer, and one is still on the way"


def test_what_has_no_parameters_need_not_wait() -> None:
    box = outbox(parcel(0), parcel(1), parcel(2, parameters=False))
    assert box.take(0.0) == [parcel(2, parameters=False), parcel(0)]


def test_what_is_for_one_worker_stays_in_order() -> None:
    box = outbox(parcel(0), parcel(1), parcel(1, 2, parameters=False), parcel(2))
    assert box.take(0.0) == [parcel(0)]
    assert box.arrived(b"0", 1, SLOW)
    assert box.take(SLOW) == [parcel(1), parcel(1, 2, parameters=False)]


def test_one_that_does_not_answer_keeps_others_waiting_for_a_while() -> None:
    box = outbox(parcel(0), parcel(1), parcel(2))
    assert box.take(0.0) == [parcel(0)]
    assert box.next_deadline() == FIRST_PATIENCE
    assert box.take(FIRST_PATIENCE - 0.001) == []
    assert box.take(FIRST_PATIENCE) == [parcel(1)]
    assert box.arrived(b"1", 1, FIRST_PATIENCE + SLOW)
    assert box.take(FIRST_PATIENCE + SLOW) == [parcel(2)]
    assert box.arrived(b"0", 1, 9.0), "late, but it did"
    assert not box.arrived(b"0", 1, 9.0)
    box.put(parcel(0, 2))
    box.put(parcel(1, 2))
    assert box.take(10.0) == [parcel(0, 2)], "the last one took 9 s"
    assert box.take(19.0) == []


def test_what_is_for_one_that_is_gone_is_dropped_and_keeps_nobody_waiting() -> None:
    box = outbox(parcel(0), parcel(1), parcel(1, 2, parameters=False), parcel(2), parcel(3, parameters=False))
    box.forget(b"3")
    assert box.take(0.0) == [parcel(0)]
    box.forget(b"0")
    box.forget(b"1")
    assert box.take(0.0) == [parcel(2)]
    assert not box.arrived(b"0", 1, 1.0)


def test_only_what_was_sent_arrives() -> None:
    box = outbox(parcel(0, attempt=4))
    assert not box.arrived(b"0", 4, 0.0)
    box.take(0.0)
    assert not box.arrived(b"0", 3, 0.0)
    assert not box.arrived(b"1", 4, 0.0)
    assert box.arrived(b"0", 4, 0.0)


@given(st.lists(st.tuples(st.sampled_from(["put", "bare", "arrived", "forget", "wait"]), st.integers(0, 3))))
@settings(deadline=None)
def test_all_is_sent_once_and_in_order(acts: list[tuple[str, int]]) -> None:
    box, now, wanted, sent = Outbox(), 0.0, list[Parcel](), list[Parcel]()
    for attempt, (act, number) in enumerate(acts):
        match act:
            case "put" | "bare":
                wanted.append(parcel(number, attempt, act == "put"))
                box.put(wanted[-1])
            case "arrived":
                attempts = [one.work.attempt for one in sent if one.peer == b"%d" % number and one.payload]
                if attempts:
                    box.arrived(b"%d" % number, attempts[-1], now)
            case "forget":
                box.forget(b"%d" % number)
                wanted = [one for one in wanted if one.peer != b"%d" % number or one in sent]
            case "wait":
                now += 0.1
        sent += box.take(now)
    while (deadline := box.next_deadline()) is not None:
        now = max(now, deadline)
        sent += box.take(now)
    for number in range(4):
        mine = [one for one in sent if one.peer == b"%d" % number]
        assert mine == [one for one in wanted if one.peer == b"%d" % number]
