"""Hypothesis looks for what nobody thought of: any faults, in any order, as long as it likes."""

import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from local.simulator.settings import Memory
from tests.chaos.faults import FAULTS, Fault, Kill, LostAnswer, Overtaken
from tests.chaos.judge import judge, judge_healed
from tests.chaos.run import MOBILE, Run, Schedule
from tests.world import World

OTHERS = ("18930612517", "13500000000", "13700000000")

plain_faults = st.sampled_from([fault for fault in FAULTS if not isinstance(fault, Overtaken)])
faults: st.SearchStrategy[Fault] = plain_faults | st.builds(
    Overtaken, st.integers(1, 7), other=plain_faults, own=plain_faults
)


class Deliveries(RuleBasedStateMachine):
    """One send of up to four mobiles, one of which the platform may refuse, so that a 310 splits it."""

    run: Run

    @initialize(
        memory=st.sampled_from(Memory),
        refused=st.booleans(),
        proven=st.booleans(),
        others=st.integers(0, len(OTHERS)),
    )
    def begin(self, memory: Memory, refused: bool, proven: bool, others: int) -> None:
        self.run = Run.on(World(), Schedule((), memory, refused, proven), mobiles=(MOBILE, *OTHERS[:others]))

    @rule(fault=faults)
    def deliver(self, fault: Fault) -> None:
        self.run.deliver(fault)

    @rule()
    def let_every_late_request_arrive(self) -> None:
        self.run.release(everything=True)

    @invariant()
    def no_mobile_is_accepted_twice(self) -> None:
        if hasattr(self, "run"):
            mobiles = [mobile for message in self.run.platform.messages for mobile in message.mobiles]
            assert len(mobiles) == len(set(mobiles))

    def teardown(self) -> None:
        if hasattr(self, "run"):
            self.run.finish()
            assert not judge(self.run)
            assert not judge_healed(self.run)


TestDeliveries = Deliveries.TestCase
TestDeliveries.settings = settings(
    max_examples=3_000 if os.environ.get("CHAOS") == "full" else 60,
    stateful_step_count=8,
    deadline=None,
    derandomize=os.environ.get("CHAOS") != "full",
    suppress_health_check=list(HealthCheck),
)


def test_an_answer_that_is_lost_to_a_worker_that_was_overtaken_is_a_lost_answer() -> None:
    run = Run.on(World(), Schedule((), Memory.EVERY), mobiles=(MOBILE,))
    run.deliver(Overtaken(7, other=Kill(1), own=LostAnswer()))
    run.finish()
    assert (run.losses, run.world.row("run")["state"]) == (1, "UNCONFIRMED")
    assert not judge(run)
