"""What tests of the sender enqueue, and how they look at what became of it."""

from typing import Any

from kuaixintong.core.errors import StoreUnavailable
from local.simulator.settings import Memory
from tests.fake_platform import Line
from tests.world import World

MOBILE = "13708600860"
BODY: dict[str, Any] = {"mobiles": [MOBILE], "content": "周末参加不了培训了"}
EIGHT = [f"1370000000{number}" for number in range(8)]
MORE_THAN_ONE_PART = [f"137{number:08}" for number in range(10_001)]
IN_AN_HOUR = "2026-11-23 13:00:00"


def bodies(count: int, **changes: Any) -> list[tuple[str, dict[str, Any]]]:
    """Sends to so many mobiles, each with a message id."""
    return [(f"m-{n}", BODY | {"mobiles": [f"137{n:08}"]} | changes) for n in range(1, count + 1)]


def proven(world: World) -> Line:
    """Prove the account, so that no probe comes first; return the line to its platform, as new."""
    world.sender = world.new_sender()
    world.deliver(BODY, message_id="warm-up")
    assert world.platform.messages
    world.platform.messages.clear()
    world.line.requests.clear()
    return world.line


def remember(world: World, memory: Memory) -> None:
    """Choose which timestamps the platform remembers."""
    world.platform.change({"timestamps": memory})


def refuse(world: World, *mobiles: str) -> None:
    """Let the platform refuse mobiles (310)."""
    world.platform.change({"refused_mobiles": [*mobiles]})


def rows_of(world: World, send_id: str = "m-1") -> list[dict[str, Any]]:
    """The rows of a send's parts."""
    return [row for row in world.all_rows() if row["send_id"] == send_id]


def states(world: World, send_id: str = "m-1") -> dict[str, str]:
    """The states of a send's parts."""
    return {row["part"]: row["state"] for row in rows_of(world, send_id)}


def held_by(row: dict[str, Any]) -> list[str]:
    """The mobiles that a row still accounts for, good or not."""
    return [*row.get("mobiles", ()), *(each["mobile"] for each in row.get("invalid_mobiles", ()))]


def fails(_: int = 0) -> None:
    """What a store does that is asked too much: for :meth:`World.happens`."""
    raise StoreUnavailable("DynamoDB: Throttled")


def fails_once(call: int) -> None:
    """The same, at the first call alone."""
    if call == 0:
        fails()
