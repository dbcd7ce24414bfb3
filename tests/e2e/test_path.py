"""The whole path on the deployed stack: queue, sender, platform, push endpoint, tables, delivery status."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from itertools import chain
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from kuaixintong.core.beijing import BEIJING
from kuaixintong.status import Delivery, Sent
from local.narrator import SPEC_SEND
from local.processes import wait_until
from local.simulator.running import RunningSimulator
from tests.e2e.deployment import Deployment, record
from tests.spec_samples import MO_JSON_DATA, REPORT_JSON_DATA, REPORT_PUSH, SEND_SM_MESSAGE

DELIVERED, FAILING = "13708600860", "18930612517"


def test_the_specs_own_send_ends_as_one_delivered_and_one_failed(
    deployment: Deployment, platform: RunningSimulator
) -> None:
    platform.change(failing_mobiles={FAILING: "2:46"})
    send_id = deployment.enqueue(SPEC_SEND)

    def reported() -> dict[str, str]:
        mobiles = deployment.lookup.delivery_status(send_id).mobiles
        return {} if "pending" in mobiles.values() else {name: str(each) for name, each in mobiles.items()}

    assert wait_until(reported, "the reports arrive") == {DELIVERED: "delivered", FAILING: "failed"}
    [part] = deployment.lookup.delivery_status(send_id).parts
    assert part.state == "ACCEPTED"
    assert {each["mobile"]: each["result_code"] for each in part.reports} == {
        DELIVERED: "DELIVER",
        FAILING: "2:46",
    }


def test_accepted_is_not_delivered(deployment: Deployment, platform: RunningSimulator) -> None:
    platform.faults([{"do": "hold"}])
    send_id = deployment.enqueue(SPEC_SEND)
    deployment.settled(send_id)
    status = deployment.lookup.delivery_status(send_id)
    assert status.mobiles == {DELIVERED: "pending", FAILING: "pending"}


def test_a_send_is_found_by_mobile_before_any_report_by_its_campaign_and_with_what_is_said_to_it(
    deployment: Deployment, platform: RunningSimulator
) -> None:
    platform.faults([{"do": "hold"}])
    mobile, campaign = "13700004714", "found-by-mobile"
    first = deployment.enqueue({"mobiles": [mobile], "content": "周末有培训", "campaign": campaign})
    deployment.settled(first)
    lookup = deployment.lookup
    [sent] = lookup.of_mobile(mobile).events
    assert isinstance(sent, Sent)
    assert (sent.send_id, sent.state, sent.delivery, sent.campaign) == (first, "ACCEPTED", "pending", campaign)
    assert lookup.counts_of_campaign(campaign).states == {"ACCEPTED": 1}
    assert [line.send_id for line in lookup.of_campaign(campaign).items] == [first]

    said = {"token": sent.token, "mobile": mobile, "resultCode": "DELIVER", "success": True}
    assert deployment.push(type="report", jsonData=json.dumps([said])).text == "0"
    now = datetime.now(BEIJING).strftime("%Y-%m-%d %H:%M:%S")
    said = {"mobile": mobile, "content": "好的", "smgRecvDate": now}
    assert deployment.push(type="mo", jsonData=json.dumps([said])).text == "0"
    deployment.settled(deployment.enqueue({"mobiles": [mobile], "content": "改到下周"}))
    events = lookup.of_mobile(mobile).events
    assert sorted(type(event).__name__ for event in events) == ["Answered", "Reported", "Sent", "Sent"]
    assert [event.at for event in events] == sorted((event.at or "" for event in events), reverse=True)
    earlier = next(event for event in events if isinstance(event, Sent) and event.send_id == first)
    assert earlier == replace(sent, delivery=Delivery.DELIVERED)


def test_the_specs_own_send_has_exactly_the_specs_fields_on_the_wire(
    deployment: Deployment, platform: RunningSimulator
) -> None:
    deployment.settled(deployment.enqueue(SPEC_SEND))
    [request] = platform.requests()
    assert request.method == "POST"
    assert set(request.fields) == {"op", "message"}
    assert request.fields["op"] == "sendSm"
    sent, sample = json.loads(request.fields["message"]), json.loads(SEND_SM_MESSAGE)
    of_the_moment = {"timestamp", "pwd"}
    assert set(sent) == set(sample)
    assert {name: sent[name] for name in sent if name not in of_the_moment} == {
        name: sample[name] for name in sample if name not in of_the_moment
    }


def test_the_specs_sample_pushes_end_as_two_reports_and_two_mos(deployment: Deployment) -> None:
    for kind, data in (("report", REPORT_JSON_DATA), ("mo", MO_JSON_DATA)):
        answer = deployment.push(type=kind, jsonData=data)
        assert (answer.status_code, answer.text) == (200, "0")
    reports = [*deployment.lookup.reports_of_token("7331"), *deployment.lookup.reports_of_token("8469")]
    assert [(each["mobile"], each["result_code"], each["success"]) for each in reports] == [
        ("13500000000", "0", True),
        ("13700000000", "2:46", False),
    ]
    mos = [*deployment.lookup.mos_of_mobile("13500000000"), *deployment.lookup.mos_of_mobile("13700000000")]
    assert [(each["content"], each["smg_recv_date"]) for each in mos if each["day"] == "2015-01-01"] == [
        ("你好吗", "2015-01-01 12:00:00"),
        ("我不好", "2015-01-01 12:00:00"),
    ]


def test_the_specs_own_notation_is_taken_too(deployment: Deployment) -> None:
    push = deployment.push_credentials
    body = REPORT_PUSH.replace('"abc"', json.dumps(push["uid"])).replace('"123"', json.dumps(push["pwd"]))
    answer = requests.post(deployment.stack.push_url, data=body.encode(), timeout=30)
    assert (answer.status_code, answer.text) == (200, "0")


def test_a_push_by_get_is_taken_too(deployment: Deployment) -> None:
    data = '[{"token": 9001, "mobile": "13500000001", "resultCode": "0", "success": true}]'
    fields = {**deployment.push_credentials, "type": "report", "jsonData": data}
    answer = requests.get(deployment.stack.push_url, params=fields, timeout=30)
    assert (answer.status_code, answer.text) == (200, "0")
    assert [each["mobile"] for each in deployment.lookup.reports_of_token("9001")] == ["13500000001"]


@pytest.mark.parametrize("wrong", [{"pwd": "wrong"}, {"uid": "wrong"}, {"pwd": ""}])
def test_a_push_with_wrong_credentials_is_forbidden_and_writes_nothing(
    deployment: Deployment, wrong: dict[str, str]
) -> None:
    tables = ("Reports", "Inbound", "Quarantine")
    before = {table: deployment.rows(table) for table in tables}
    data = '[{"token": 9002, "mobile": "13500000001", "resultCode": "0", "success": true}]'
    answer = deployment.push(type="report", jsonData=data, **wrong)
    assert (answer.status_code, answer.text) == (403, "forbidden")
    assert {table: deployment.rows(table) for table in tables} == before


def test_a_message_delivered_three_times_is_accepted_once(
    deployment: Deployment, platform: RunningSimulator
) -> None:
    same = record("delivered-three-times", SPEC_SEND)
    for _ in range(3):
        deployment.deliver(same)
    assert len(platform.messages()) == 1
    [part] = deployment.parts("delivered-three-times")
    assert part["state"] == "ACCEPTED"
    assert part["token"] == str(platform.messages()[0].token)


def test_a_message_delivered_to_many_workers_at_once_is_accepted_once(
    deployment: Deployment, platform: RunningSimulator
) -> None:
    same = record("delivered-at-once", SPEC_SEND)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: deployment.deliver(same), range(4)))
    assert len(platform.messages()) == 1
    assert [part["state"] for part in deployment.parts("delivered-at-once")] == ["ACCEPTED"]


def test_25000_mobiles_go_out_in_three_parts_and_none_twice(
    deployment: Deployment, platform: RunningSimulator
) -> None:
    mobiles = [f"139{number:08d}" for number in range(25_000)]
    platform.change(balance=100_000, push_url=None)
    platform.reset()
    send_id = deployment.enqueue({"mobiles": mobiles, "content": "x"})
    # each part's 10,000 rows have to fit into a function of ten seconds, on a machine with other things to do
    deployment.queue_runs_empty(seconds=900)
    parts = deployment.parts(send_id)
    assert [part["state"] for part in parts] == ["ACCEPTED"] * 3
    assert [part["part"] for part in parts] == ["1", "2", "3"]
    assert len({part["token"] for part in parts}) == 3
    assert list(chain.from_iterable(part["mobiles"] for part in parts)) == mobiles
    assert platform.acceptances() == dict.fromkeys(mobiles, 1)
    outbound = {row["mobile"]: row["part"] for row in deployment.rows("Outbound") if row["send_id"] == send_id}
    assert outbound == {mobile: str(1 + place // 10_000) for place, mobile in enumerate(mobiles)}


def test_a_number_that_the_platform_refuses_is_set_apart_and_the_good_ones_go_out(
    deployment: Deployment, platform: RunningSimulator
) -> None:
    mobiles = [f"138{number:08d}" for number in range(6)]
    platform.change(refused_mobiles=[mobiles[4]])
    send_id = deployment.enqueue({"mobiles": mobiles, "content": "x"})
    deployment.queue_runs_empty()
    assert platform.acceptances() == dict.fromkeys([*mobiles[:4], mobiles[5]], 1)
    assert set(deployment.lookup.delivery_status(send_id).invalid_mobiles) == {mobiles[4]}


def test_an_unreadable_push_is_quarantined(deployment: Deployment) -> None:
    answer = deployment.push(type="report", jsonData="[{")
    assert answer.status_code == 400
    assert [row for row in deployment.rows("Quarantine") if row]


def test_the_account_check_notes_the_balance(deployment: Deployment, platform: RunningSimulator) -> None:
    platform.change(balance=777)
    deployment.invoke("BalanceFunction", {})
    account = deployment.account()
    assert account["sm_balance"] == 777
    [balances] = [row["balances"] for row in deployment.rows("Account") if row["cid"].endswith(":balances")]
    assert balances[-1] == [account["checked_at"], 777, account["mm_balance"]]
    assert [request.fields["op"] for request in platform.requests()] == ["login"]


WRONG_SENDS: dict[str, dict[str, Any] | str] = {
    "no mobiles": {"mobiles": [], "content": "x"},
    "empty content": {"mobiles": [DELIVERED], "content": ""},
    "1001 characters": {"mobiles": [DELIVERED], "content": "字" * 1001},
    "bad date": {"mobiles": [DELIVERED], "content": "x", "atTime": "2026-02-30 08:00:00"},
    "begin after end": {
        "mobiles": [DELIVERED],
        "content": "x",
        "dailyBeginTime": "18:00:00",
        "dailyEndTime": "08:00:00",
    },
    "unknown field": {"mobiles": [DELIVERED], "content": "x", "contents": "y"},
    "not JSON": '{"mobiles": ["13708600860"], "content": "x"',
    "a list": '[{"mobiles": ["13708600860"], "content": "x"}]',
    "wrong types": {"mobiles": 13708600860, "content": ["x"]},
    "bad id": {"id": "order 1/2", "mobiles": [DELIVERED], "content": "x"},
}


def test_wrong_sends_are_refused_with_a_sentence_and_nothing_goes_out(
    deployment: Deployment, platform: RunningSimulator
) -> None:
    send_ids = {name: deployment.enqueue(body) for name, body in WRONG_SENDS.items()}
    for name, send_id in send_ids.items():
        parts = wait_until(lambda: deployment.parts(send_id), f"a row for {name}")  # noqa: B023 - called at once
        assert [part["state"] for part in parts] == ["REJECTED"], name
        assert parts[0]["words"].endswith("."), name
    deployment.queue_runs_empty()
    assert platform.requests() == []
    assert deployment.messages_left("DeadLetterQueueUrl") == 0


def test_the_push_url_names_the_stage(deployment: Deployment) -> None:
    assert urlsplit(deployment.outputs["PushUrl"]).path == "/local/receive"
