"""Who is there, under which name, and what each has done."""

import tracemalloc

from engine.coordinator.membership import REMEMBERED, Membership
from engine.coordinator.source import WorkerReport, that_compute
from engine.wire import relays


def test_a_worker_comes_works_and_goes() -> None:
    members = Membership()
    member = members.add(b"a", "box", 7, part=3)
    assert (members.peers(), members.reports(), members.get(b"a")) == ([b"a"], [], member)
    assert (member.name, member.part, member.ready) == ("box:7", 3, False)
    member.ready = True
    assert members.reports() == [WorkerReport("box:7", "box", 7, 0, 0.0, 0.0)]
    members.credit(b"a", 64, seconds=0.25, cpu=2.0)
    members.credit(b"a", 36, seconds=0.25, cpu=1.5)
    done = WorkerReport("box:7", "box", 7, 100, 0.5, 2.0)
    assert members.reports() == [done]
    assert members.drop(b"a") is member
    assert member.report() == done
    assert (members.peers(), members.reports(), members.get(b"a"), members.drop(b"a")) == ([], [], None, None)


def test_processor_seconds_of_those_that_left_still_count() -> None:
    members = Membership()
    for i, peer in enumerate((b"a", b"b"), 1):
        members.add(peer, "box", i)
        members.credit(peer, 1, seconds=0.1, cpu=float(i))
    members.drop(b"a")
    assert members.cpu_seconds() == 3.0


def test_no_two_workers_share_a_name() -> None:
    members = Membership()
    names = []
    for peer in (b"a", b"b", b"c"):
        names.append(members.add(peer, "box", 7).name)
        members.drop(peer)
    assert names == ["box:7", "box:7#2", "box:7#3"]


def test_the_name_of_a_worker_of_an_earlier_session_is_not_given_again() -> None:
    members = Membership(known=["box:7", "box:7#3", "other:1"])
    assert [members.add(peer, "box", 7).name for peer in (b"a", b"b", b"c")] == ["box:7#2", "box:7#4", "box:7#5"]


def test_names_stay_apart_and_few_are_remembered_however_many_come_and_go() -> None:
    later = f"box:{REMEMBERED + 1}#{REMEMBERED + 4}"
    members = Membership(known=[later])
    names = []
    for pid in [*range(1, REMEMBERED + 1), 1, 1, REMEMBERED + 1, REMEMBERED + 1, 2 * REMEMBERED, 1]:
        names.append(members.add(b"a", "box", pid).name)
        members.drop(b"a")
    assert len({*names, later}) == len(names) + 1
    assert (names[0], names[REMEMBERED], names[-1]) == ("box:1", "box:1#2", "box:1#4")
    tracemalloc.start()
    for pid in range(50_000):
        members.add(b"a", "elsewhere", pid)
        members.drop(b"a")
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 100_000


def test_names_for_the_records() -> None:
    members = Membership()
    members.add(b"a", "box", 7)
    assert [members.name(b"a"), members.name(b"\x00\xff")] == ["box:7", "stranger 00ff"]


def test_what_a_relay_answers_is_credited_to_its_processes() -> None:
    members = Membership()
    relay = members.add(b"r", "box", 1)
    relay.ready = True
    first, second = (members.add_process(relay, relays.Process("s", number, 1 + number)) for number in (1, 2))
    assert [report.name for report in members.reports()] == ["box:1", "box:2", "box:3"]
    told = relays.Credit("s", 4, 5, 0, 2), [relays.Contribution(1, 8, 0.5, 3.0), relays.Contribution(2, 4, 0.25, 2.0)]
    relay.told = told
    assert list(members.told(b"r", 4, (0, 2))) == told[1]
    assert not members.told(b"r", 4, (0, 1)), "it is of another block"
    assert not members.told(b"r", 3, (0, 2)), "it is of another round"
    members.credit(b"r", 12, 0.5, 1.0, told[1])
    members.credit(b"r", 0, 0.5, 1.0, told[1])  # the same block, computed again
    rows = [(r.name, r.images, r.seconds, r.cpu, r.via) for r in members.reports()]
    assert rows == [("box:1", 0, 0.0, 1.0, ""), ("box:2", 8, 1.0, 3.0, "box:1"), ("box:3", 4, 0.5, 2.0, "box:1")]
    assert [report.name for report in that_compute(members.reports())] == ["box:2", "box:3"]
    assert members.drop_process(relay, 2) is second
    members.credit(b"r", 12, 0.5, 2.0, told[1])
    assert (relay.images, first.images) == (4, 16), "nobody else is credited with what one that is gone has done"
    assert members.cpu_seconds() == 2.0 + 3.0 + 2.0
    members.drop(b"r")
    assert members.cpu_seconds() == 2.0 + 3.0 + 2.0


def test_a_relay_cannot_claim_more_than_its_block_has() -> None:
    members = Membership()
    relay = members.add(b"r", "box", 1)
    process = members.add_process(relay, relays.Process("s", 1, 2))
    members.credit(b"r", 12, 0.5, 1.0, [relays.Contribution(1, 1000, 0.5, 3.0)])
    assert (process.images, relay.images) == (12, 0)
