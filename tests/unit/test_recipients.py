"""Who a part goes to is written down once, before anything goes out, and at the least cost."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from kuaixintong.core.ledger import Finished, Standing, State
from kuaixintong.core.sends import Part
from kuaixintong.recipients import Recipients

if TYPE_CHECKING:
    from kuaixintong.errand import Errand

NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
SMALL = Part("1", ("13700000000",))
LARGE = Part("1", tuple(f"{13_700_000_000 + number}" for number in range(26)))
HALF = Part("1.1", LARGE.mobiles)
BATCH = Part("1", LARGE.mobiles[:25])
PARTS = pytest.mark.parametrize("part", [SMALL, BATCH, LARGE, HALF], ids=["one", "a batch", "large", "half"])


class FakeErrand:
    """Writes down what is asked of an errand. ``standing`` is how the part's row stands, once it is there."""

    def __init__(self, standing: Standing | None = None, *, seen: Standing | None = None) -> None:
        self.did: list[Any] = []
        self.standing = standing
        self.seen: dict[str, Standing] = {"1": seen} if seen else {}
        self.send = "the send"
        self.desk = SimpleNamespace(claims=self)

    def now(self) -> datetime:
        return NOW

    def note(self, part: Part) -> None:
        self.did.append("note")
        self.seen[part.name] = self.standing or standing()

    def row(self, part: Part) -> Standing | None:
        self.did.append("look")
        return self.standing

    def announce(self, part: Part, *, due_at: datetime | None = None) -> None:
        self.did.append(("announce", due_at) if due_at else "announce")

    def tell_outbound(self, send: str, part: Part, *, now: datetime) -> None:
        assert (send, now) == ("the send", NOW)
        self.did.append("tell")


def standing(state: State = State.WAITING, *, outbound: bool = False) -> Standing:
    return Standing(state, "a fingerprint", 1, outbound=outbound)


def of(errand: FakeErrand, part: Part) -> Recipients:
    return Recipients(cast("Errand", errand), part)


def test_a_large_part_is_noted_and_written_down_before_its_slot_and_never_again() -> None:
    errand = FakeErrand()
    recipients = of(errand, LARGE)
    assert recipients.ahead is False
    assert recipients.before_the_slot() is None
    assert errand.did == ["note", "announce"]
    assert recipients.ahead is True
    recipients.before_the_slot()
    recipients.while_it_waits(None)
    recipients.while_it_is_parked(NOW)
    recipients.before_the_request(row_says_so=False)
    recipients.at_its_end()
    assert errand.did == ["note", "announce"]


def test_a_large_part_that_was_seen_is_not_noted_again() -> None:
    errand = FakeErrand(seen=standing())
    assert of(errand, LARGE).before_the_slot() is None
    assert errand.did == ["announce"]


def test_what_its_row_says_is_not_done_again() -> None:
    errand = FakeErrand(seen=standing(outbound=True))
    recipients = of(errand, LARGE)
    assert recipients.before_the_slot() is None
    assert (errand.did, recipients.ahead) == ([], False)


def test_a_large_part_that_has_ended_is_told_with_its_state() -> None:
    errand = FakeErrand(seen=standing(State.ACCEPTED))
    recipients = of(errand, LARGE)
    assert recipients.before_the_slot() == Finished(State.ACCEPTED)
    assert (errand.did, recipients.ahead) == ([], False)


@pytest.mark.parametrize("part", [SMALL, BATCH, HALF], ids=["one", "a batch", "half"])
def test_any_other_part_can_wait_until_its_request(part: Part) -> None:
    errand = FakeErrand()
    assert of(errand, part).before_the_slot() is None
    assert errand.did == []


@PARTS
@pytest.mark.parametrize("row_says_so", [True, False])
def test_before_the_request_they_are_written_down_if_nobody_has(part: Part, row_says_so: bool) -> None:
    errand = FakeErrand()
    recipients = of(errand, part)
    for _ in range(2):
        recipients.before_the_request(row_says_so=row_says_so)
    assert errand.did == ([] if row_says_so or part is HALF else ["announce"])
    assert not recipients.ahead  # the row of the claim says so itself


@pytest.mark.parametrize(
    ("part", "row", "did"),
    [
        (SMALL, None, [("announce", NOW)]),
        (SMALL, standing(outbound=True), [("announce", NOW)]),  # a look would cost as much
        (BATCH, standing(outbound=True), [("announce", NOW)]),
        (LARGE, None, ["look", ("announce", NOW)]),
        (LARGE, standing(), ["look", ("announce", NOW)]),
        (LARGE, standing(outbound=True), ["look"]),
        (HALF, standing(), []),
    ],
)
def test_of_a_part_that_is_parked_the_row_is_looked_at_where_that_is_cheaper(
    part: Part, row: Standing | None, did: list[Any]
) -> None:
    errand = FakeErrand(row)
    recipients = of(errand, part)
    for _ in range(2):
        recipients.while_it_is_parked(NOW)
    assert errand.did == did
    assert recipients.ahead == (("announce", NOW) in did)


@pytest.mark.parametrize(
    ("part", "row", "did"),
    [
        (SMALL, standing(outbound=True), ["announce"]),
        (LARGE, None, ["look", "announce"]),
        (LARGE, standing(), ["look", "announce"]),
        (LARGE, standing(outbound=True), ["look"]),
        (HALF, standing(), []),
    ],
)
def test_a_part_that_ends_without_a_request_is_found_by_mobile_too(
    part: Part, row: Standing | None, did: list[Any]
) -> None:
    errand = FakeErrand(row)
    of(errand, part).at_its_end()
    assert errand.did == did


@pytest.mark.parametrize("claimed", [True, False])
def test_the_row_is_told_at_the_close_if_no_claim_has_told_it(claimed: bool) -> None:
    errand = FakeErrand()
    recipients = of(errand, SMALL)
    recipients.close()
    recipients.while_it_waits(standing(), NOW)
    if claimed:
        recipients.claimed()
        assert recipients.ahead is False
    recipients.close()
    assert errand.did == [("announce", NOW), *([] if claimed else ["tell"])]
