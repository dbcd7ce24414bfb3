"""What tests cancel and call in with: a process of its own on a world's tables."""

from typing import Any

from kuaixintong.calling_in import CallingIn
from kuaixintong.cancel import Canceller
from kuaixintong.core.lanes import Lane
from kuaixintong.stores.lanes import Lanes
from kuaixintong.stores.parts import Parts
from tests.gates import Gate, gated
from tests.world import World


def canceller(world: World, *gates: Gate, **how: Any) -> Canceller:
    """A cancel's own process, which passes its own gates alone; to sleep is to let the world's time pass."""
    told: dict[str, Any] = {
        "clock": world._clock,
        "monotonic": world._seconds,
        "sleep": lambda seconds: world.pass_time(seconds=seconds),
        "threads": 1,
    }
    sends = gated(world.table("SendsTable"), "SendsTable", *gates)
    campaigns = gated(world.table("CampaignsTable"), "CampaignsTable", *gates)
    return Canceller(sends, campaigns, **told | how)


class PaperLanes(Lanes):
    """Writes down what would be enqueued."""

    def __init__(self) -> None:
        self.put_in: dict[Lane, list[str]] = {lane: [] for lane in Lane}

    def put_one(self, lane: Lane, body: str) -> None:
        self.put_in[lane].append(body)

    def take(self, lane: Lane = Lane.ORDINARY) -> list[str]:
        """Return what has come since it was last asked."""
        taken, self.put_in[lane] = self.put_in[lane], []
        return taken


def calling_in(world: World, lanes: Lanes, *gates: Gate) -> CallingIn:
    """The process of the function that enqueues what is due."""
    parts = Parts(gated(world.table("SendsTable"), "SendsTable", *gates))
    return CallingIn(parts, gated(lanes, "lanes", *gates), clock=world._clock, monotonic=world._seconds)
