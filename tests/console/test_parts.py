"""What the pages are made of, without a browser: counts, drafts, handsets, switches, and what they cost AWS."""

import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

pytest.importorskip("nicegui", reason="the console is not installed: make .venv/marks/console")

from kuaixintong.core.answers import Balance
from kuaixintong.core.errors import StoreUnavailable
from kxt.console.composing import Naming, composed, mobiles_of
from kxt.console.desk import Desk, ReadOnly
from kxt.console.handsets import Mode, bubbles, mode_of
from kxt.console.jobs import Jobs, Standing
from kxt.console.language import Words
from kxt.console.live import CALLS, sentence
from kxt.console.pages import attention, mobile, overview, sends
from kxt.console.pages.handsets import set_mode
from kxt.console.pages.platform import SWITCHES, looked_at, same, switched
from kxt.console.simulation import Simulation, SimulatorSilent
from local.processes import wait_until
from local.records import ROOT
from local.simulator.running import RunningSimulator, running_simulator
from tests.console.world import LocalWorld, local_world

FIRST, SECOND = "13800000860", "18930612517"


# --- drafts -----------------------------------------------------------------------------------------------------


def test_a_draft_is_counted_as_the_sender_would_count_it() -> None:
    found = composed({"mobiles": [FIRST, "+86 138-0000-0860", SECOND, "12"], "content": "好" * 71})
    assert (found.units, found.segments, found.mobiles, found.requests, found.cost) == (71, 2, 2, 1, 4)
    assert [reported for reported, _ in found.invalid] == ["12"]
    assert composed({"mobiles": [f"138{number:08d}" for number in range(10_001)], "content": "x"}).requests == 2


def test_all_faults_of_a_draft_are_told_and_it_is_counted_all_the_same() -> None:
    found = composed({"mobiles": [], "content": "好" * 1001, "atTime": "tomorrow"})
    assert (found.units, found.segments, found.cost) == (1001, 15, 0)
    assert [next(name for name in ("mobiles", "content", "atTime") if name in fault) for fault in found.faults]
    assert len(found.faults) == 3


def test_mobiles_stand_one_a_line_or_with_commas_of_any_kind_between_them() -> None:
    assert mobiles_of(" 138 \n139,150；151、152\t153;\n\n") == ["138", "139", "150", "151", "152", "153"]


def test_a_draft_that_is_sent_twice_is_one_send_and_another_is_another() -> None:
    naming, draft = Naming(), {"mobiles": [FIRST], "content": "x", "hold": None}
    first = naming.id_of(draft)
    assert naming.id_of(dict(draft)) == first
    second = naming.id_of(draft | {"content": "y"})
    assert second != first
    assert naming.id_of(draft | {"id": "order-1"}) == "order-1"
    assert Naming().id_of(draft) not in (first, second)


# --- counts in the background -----------------------------------------------------------------------------------


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def jobs() -> Iterator[tuple[Jobs, Clock]]:
    clock = Clock()
    made = Jobs(clock)
    yield made, clock
    made.close()


def finished(jobs: Jobs, work: Callable[[Any], Any]) -> Standing[Any]:
    def standing() -> Standing[Any] | None:
        found = jobs.standing("count", work)
        return None if found.running else found

    return wait_until(standing, "the count is over", seconds=60)


def test_a_count_shows_how_far_it_is_and_what_was_known_meanwhile(jobs: tuple[Jobs, Clock]) -> None:
    made, clock = jobs
    go_on = threading.Event()

    def work(tell: Callable[[int], None]) -> int:
        tell(500)
        go_on.wait(5)
        return 1000

    wait_until(lambda: made.standing("count", work).seen == 500, "it has begun", seconds=60)
    assert made.standing("count", work) == Standing(None, 500, running=True)
    go_on.set()
    assert finished(made, work).result == 1000
    clock.now += 5
    assert not made.standing("count", work).running  # a result is good for a while
    go_on.clear()
    clock.now += 60
    again = made.standing("count", work)
    assert (again.result, again.running) == (1000, True)
    go_on.set()
    finished(made, work)


def test_a_count_ends_when_nobody_looks_any_more(jobs: tuple[Jobs, Clock]) -> None:
    made, clock = jobs
    told: list[int] = []

    def work(tell: Callable[[int], None]) -> int:
        for number in range(100_000):
            told.append(number)
            clock.now += 1
            tell(number)
        return 0

    made.standing("count", work)
    wait_until(lambda: len(told) > 20, "it goes on for a while", seconds=60)
    time.sleep(0.05)
    assert len(told) < 30


def test_a_store_that_does_not_answer_is_told_and_what_was_known_stays(jobs: tuple[Jobs, Clock]) -> None:
    made, clock = jobs
    assert finished(made, lambda _tell: 7).result == 7

    def silent(_tell: Any) -> int:
        raise StoreUnavailable("DynamoDB Query: timed out")

    clock.now += 60
    found = finished(made, silent)
    assert (found.result, found.trouble) == (7, "DynamoDB Query: timed out")


# --- handsets and the platform ----------------------------------------------------------------------------------


@pytest.fixture
def sim() -> Iterator[RunningSimulator]:
    with running_simulator() as running:
        yield running


@pytest.mark.parametrize("mode", Mode)
def test_a_handset_does_what_it_was_told_and_nothing_else(sim: RunningSimulator, mode: Mode) -> None:
    simulation = Simulation(sim.control_url)
    for before in Mode:
        set_mode(simulation, FIRST, before)
        set_mode(simulation, FIRST, mode)
        assert mode_of(FIRST, simulation.settings()) is mode
    assert mode_of(SECOND, simulation.settings()) is Mode.ON


def test_what_a_handset_said_stands_between_what_it_received() -> None:
    texts = [
        {"token": token, "content": f"text {token}", "accepted_at": f"2026-11-25T00:00:0{token}+00:00"}
        for token in (1, 3)
    ]
    mos = [{"content": "answer", "sent_at": "2026-11-25T00:00:02+00:00"}]
    assert [(each.text, each.sent) for each in bubbles(texts, mos)] == [
        ("text 1", False),
        ("answer", True),
        ("text 3", False),
    ]


@pytest.mark.parametrize("name", SWITCHES)
def test_a_switch_is_on_while_its_rule_is_in_force_and_no_other_is(sim: RunningSimulator, name: str) -> None:
    simulation = Simulation(sim.control_url)
    simulation.set_faults(switched(simulation.faults(), name, on=True))
    assert [each for each in SWITCHES if any(same(rule, SWITCHES[each]) for rule in simulation.faults())] == [name]
    other = next(each for each in SWITCHES if each != name)
    simulation.set_faults(switched(simulation.faults(), other, on=True))
    simulation.set_faults(switched(simulation.faults(), name, on=False))
    assert [each for each in SWITCHES if any(same(rule, SWITCHES[each]) for rule in simulation.faults())] == [
        other
    ]


def test_a_simulator_that_is_gone_or_says_no_is_told(sim: RunningSimulator) -> None:
    with pytest.raises(SimulatorSilent, match="balance"):
        Simulation(sim.control_url).change(balance=-1)
    with pytest.raises(SimulatorSilent):
        looked_at(Simulation("http://127.0.0.1:9/_sim"))


def test_a_simulator_alone_has_the_handsets_pages_if_it_is_asked_to() -> None:
    command = [sys.executable, "-m", "local.simulator", "--port", "0", "--console-port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            link = next(line.strip() for line in process.stdout if "/open?key=" in line)
            with requests.Session() as browser:
                answer = browser.get(link, headers={"Accept-Language": "zh"}, timeout=30)
            assert answer.url.endswith("/zh")
            assert "手机" in answer.text
        finally:
            process.terminate()
    assert process.returncode == 0
    with pytest.raises(requests.ConnectionError):
        requests.get(link, timeout=30)


# --- read only, errors, files -----------------------------------------------------------------------------------


def test_in_read_only_mode_nothing_that_changes_anything_can_be_got() -> None:
    desk = Desk(object(), simulation=Simulation("http://127.0.0.1:9/_sim"), read_only=True)
    assert desk.reading is not None
    with pytest.raises(ReadOnly):
        _ = desk.acting
    with pytest.raises(ReadOnly):
        _ = desk.steering
    desk.close()


def test_an_unexpected_error_is_told_by_its_kind_and_never_by_what_it_says(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with pytest.raises(ValueError, match=FIRST) as raised:
        int(FIRST + "x")
    told = sentence(Words("en"), raised.value)
    assert told == "Something unexpected happened (ValueError)."
    assert FIRST not in caplog.text
    assert "test_parts.py" in caplog.text


def test_how_long_a_balance_is_enough_follows_from_what_went_and_not_from_what_was_topped_up() -> None:
    def at(day: int, balance: int | None) -> Balance:
        return Balance(f"2026-11-{day:02d}T00:00:00.000+08:00", balance, None)

    assert overview.lasts([at(1, 1000), at(2, 900), at(3, 5000), at(4, None), at(5, 4800)]) == pytest.approx(64.0)
    assert overview.lasts([at(1, 1000), at(2, 1000)]) is None
    assert overview.lasts([]) is None


# --- what a page costs ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def world() -> Iterator[LocalWorld]:
    with local_world() as made:
        yield made


def test_no_page_asks_aws_more_often_than_it_says(world: LocalWorld) -> None:
    stack = world.stack
    calls: Counter[str] = Counter()

    def count(model: Any, **_: Any) -> None:
        calls[model.name] += 1

    enqueued = [
        stack.outbox.send(mobiles=[FIRST, SECOND], content=f"text {number}", id=f"cost-{number}")
        for number in range(6)
    ]
    world.platform.mo(FIRST, "hello")
    lookup = stack.lookup

    def reported() -> bool:
        return all(
            set(lookup.delivery_status(each.send_id).mobiles.values()) == {"delivered"} for each in enqueued
        )

    wait_until(reported, "all is reported", seconds=60)
    wait_until(lambda: list(lookup.mos_of_mobile(FIRST)), "the MO is there", seconds=60)
    desk = Desk(stack)
    stack.dynamodb.meta.events.register("before-call", count)
    asked: list[tuple[str, Callable[[], Any], Callable[[Any], int]]] = [
        ("send", lambda: sends.looked_at(desk, "cost-1"), lambda found: found.calls),
        ("mobile", lambda: lookup.of_mobile(FIRST, size=5), mobile.calls),
        ("mobile's page", lambda: lookup.of_mobile(FIRST, size=40), mobile.calls),
        ("newest", lambda: lookup.of_day(overview.today(), size=12), lambda page: overview._calls(page.items)),
        ("attention", lambda: attention.cases(desk), lambda _found: attention._CALLS),
        ("campaigns", lambda: lookup.campaigns_of_day(overview.today(), size=10), lambda _found: 1),
    ]
    over = {}
    for name, ask, says in asked:
        calls.clear()
        said = says(ask())
        if calls.total() > said:
            over[name] = (calls.total(), said)
    desk.close()
    assert over == {}
    assert sends.SendView(lookup.send("cost-1")).calls <= CALLS
