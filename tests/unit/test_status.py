"""What a part's row and its reports say together: a status per mobile, judged and never kept."""

from typing import Any

import pytest

from kuaixintong.core.answers import DeliveryStatus, PartStatus
from kuaixintong.core.delivery import Delivery, with_mobiles
from kuaixintong.core.ledger import State
from kuaixintong.status import judge

FIRST, SECOND, THIRD = "13700000001", "13700000002", "13700000003"

ACCEPTED: dict[str, Any] = {
    "send_id": "order-1",
    "part": "1",
    "state": "ACCEPTED",
    "token": "376",
    "fee": 3,
    "code": 0,
    "words": "操作成功",
    "mobiles": [FIRST, SECOND],
}


def report(mobile: str, *, success: bool, code: str = "0") -> dict[str, Any]:
    return {"token": "376", "mobile": mobile, "result_code": code, "success": success}


def of(mobile: str, *reports: dict[str, Any], row: dict[str, Any] = ACCEPTED) -> Delivery:
    return judge(row, reports).mobiles[mobile]


# --- one mobile -------------------------------------------------------------------------------------------------


def test_a_mobile_whose_reports_all_succeed_is_delivered() -> None:
    assert of(FIRST, report(FIRST, success=True)) == "delivered"
    assert of(FIRST, report(FIRST, success=True), report(FIRST, success=True, code="DELIVRD")) == "delivered"


def test_a_mobile_of_whose_reports_none_succeeds_is_failed() -> None:
    assert of(FIRST, report(FIRST, success=False, code="2:46")) == "failed"
    assert of(FIRST, *(report(FIRST, success=False, code=code) for code in ("2:46", "2:47"))) == "failed"


def test_a_mobile_of_whose_reports_some_succeed_is_mixed() -> None:
    told = [report(FIRST, success=True), report(FIRST, success=False, code="2:46")]
    assert of(FIRST, *told) == "mixed"
    assert of(FIRST, *reversed(told)) == "mixed"


def test_reports_of_one_mobile_say_nothing_of_another() -> None:
    told = (report(FIRST, success=True), report(SECOND, success=False, code="2:46"))
    assert judge(ACCEPTED, told).mobiles == {FIRST: "delivered", SECOND: "failed"}


@pytest.mark.parametrize("state", ["ACCEPTED", "WAITING", "SUBMITTING", "UNCONFIRMED"])
def test_a_mobile_without_a_report_is_pending_while_one_may_come(state: str) -> None:
    assert judge(ACCEPTED | {"state": state}, ()).mobiles == {FIRST: "pending", SECOND: "pending"}


@pytest.mark.parametrize("state", ["REJECTED", "EXPIRED"])
def test_a_mobile_of_a_part_that_was_refused_or_has_expired_is_unsent(state: str) -> None:
    assert judge(ACCEPTED | {"state": state}, ()).mobiles == {FIRST: "unsent", SECOND: "unsent"}


@pytest.mark.parametrize("state", ["UNCONFIRMED", "REJECTED"])
def test_a_report_says_more_than_the_state_of_its_part(state: str) -> None:
    row = ACCEPTED | {"state": state}
    assert of(FIRST, report(FIRST, success=True), row=row) == "delivered"
    assert of(SECOND, report(FIRST, success=True), row=row) == ("unsent" if state == "REJECTED" else "pending")


@pytest.mark.parametrize("written", ["8613700000001", "+8613700000001", "008613700000001", "137 0000 0001"])
def test_a_report_meets_its_mobile_however_the_platform_writes_it(written: str) -> None:
    assert judge(ACCEPTED, [report(written, success=True)]).mobiles == {FIRST: "delivered", SECOND: "pending"}


def test_reports_of_one_mobile_in_two_notations_are_judged_together() -> None:
    told = (report(FIRST, success=True), report(f"86{FIRST}", success=False, code="2:46"))
    assert judge(ACCEPTED, told).mobiles == {FIRST: "mixed", SECOND: "pending"}


def test_a_report_of_a_number_that_is_no_mobile_is_shown_as_it_came() -> None:
    assert of("10086", report("10086", success=False)) == "failed"


# --- a part -----------------------------------------------------------------------------------------------------


def test_a_part_tells_what_its_row_says_and_the_reports_that_it_was_judged_by() -> None:
    bad = [{"mobile": "12345", "reason": "not 11 digits"}, {"mobile": THIRD, "reason": "310 包含无效号码"}]
    told = (report(FIRST, success=True),)
    assert judge(ACCEPTED | {"invalid_mobiles": bad}, iter(told)) == PartStatus(
        part="1",
        state=State.ACCEPTED,
        token="376",
        fee=3,
        code=0,
        words="操作成功",
        mobiles={FIRST: Delivery.DELIVERED, SECOND: Delivery.PENDING},
        invalid_mobiles={"12345": "not 11 digits", THIRD: "310 包含无效号码"},
        reports=told,
    )


def test_a_row_that_says_next_to_nothing_is_read_too() -> None:
    assert judge({"send_id": "order-1", "part": "1", "state": "REJECTED"}, ()) == PartStatus(
        part="1",
        state=State.REJECTED,
        token=None,
        fee=None,
        code=None,
        words=None,
        mobiles={},
        invalid_mobiles={},
        reports=(),
    )


def test_a_send_tells_of_the_mobiles_of_all_its_parts() -> None:
    bad = {"invalid_mobiles": [{"mobile": "12345", "reason": "not 11 digits"}]}
    other = {"invalid_mobiles": [{"mobile": "54321", "reason": "not 11 digits either"}]}
    parts = (
        judge(ACCEPTED | {"mobiles": [FIRST]} | bad, [report(FIRST, success=True)]),
        judge(ACCEPTED | {"part": "2", "mobiles": [SECOND, THIRD], "state": "EXPIRED"} | other, ()),
    )
    status = DeliveryStatus("order-1", parts)
    assert status.mobiles == {FIRST: "delivered", SECOND: "unsent", THIRD: "unsent"}
    assert status.invalid_mobiles == {"12345": "not 11 digits", "54321": "not 11 digits either"}


# --- halves -----------------------------------------------------------------------------------------------------


def mobiles_of(*rows: dict[str, Any]) -> dict[str, list[str] | None]:
    return {row["part"]: row.get("mobiles") for row in with_mobiles(rows)}


def test_a_half_has_its_mobiles_from_the_first_level_part_until_it_comes_to_its_end() -> None:
    assert mobiles_of(
        {"part": "1", "divided": [FIRST, SECOND, THIRD]},
        {"part": "1.1", "positions": [0, 1], "mobiles": []},  # it was refused alone, and is named elsewhere
        {"part": "1.2", "positions": [1, 3]},
        {"part": "1.2.1", "positions": [1, 2]},
        {"part": "1.2.2", "positions": [2, 3], "mobiles": [THIRD]},
    ) == {"1": None, "1.1": [], "1.2": [SECOND, THIRD], "1.2.1": [SECOND], "1.2.2": [THIRD]}


def test_halves_of_several_parts_each_have_the_mobiles_of_their_own() -> None:
    assert mobiles_of(
        {"part": "1", "divided": [FIRST, SECOND]},
        {"part": "1.1", "positions": [0, 1]},
        {"part": "10", "mobiles": ["13700000004"]},
        {"part": "10.1", "positions": [0, 1]},  # whose whole is not to be read: nothing is made up for it
        {"part": "2", "divided": [THIRD, "13700000005"]},
        {"part": "2.2", "positions": [1, 2]},
    ) == {"1": None, "1.1": [FIRST], "10": ["13700000004"], "10.1": [], "2": None, "2.2": ["13700000005"]}


def test_a_half_whose_whole_is_not_to_be_read_has_no_mobiles_to_tell_of() -> None:
    assert mobiles_of({"part": "1.1", "positions": [0, 1]}) == {"1.1": []}
