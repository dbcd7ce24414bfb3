"""A row accounts for every mobile that its part came with, also when the platform refuses the only good one."""

from tests.sending import BODY, MOBILE, proven, refuse
from tests.world import World


def test_a_number_that_is_refused_alone_stands_beside_those_that_were_unusable(world: World) -> None:
    proven(world)
    refuse(world, MOBILE)
    world.deliver(BODY | {"mobiles": [MOBILE, "abc", "12"]})
    row = world.row()
    assert (row["state"], row["mobiles"]) == ("REJECTED", [])
    assert [each["mobile"] for each in row["invalid_mobiles"]] == ["abc", "12", MOBILE]
    assert row["invalid_mobiles"][2]["reason"].startswith("310")
