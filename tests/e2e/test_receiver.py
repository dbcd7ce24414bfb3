"""The push endpoint on the deployed stack: many senders at once, large pushes, the platform's push faults."""

import json
import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from kuaixintong.stores.holding import Holding
from local.processes import wait_until
from local.simulator.running import RunningSimulator
from tests.e2e.deployment import Deployment

SECONDS = ("2015-01-01 12:00:00", "2015-01-01 12:00:01", "2015-01-02 00:00:00")


def a_report(token: int, number: int, code: str = "0") -> dict[str, Any]:
    return {"token": token, "mobile": f"135{number:08}", "resultCode": code, "success": code == "0"}


def an_mo(number: int, content: str, second: str) -> dict[str, Any]:
    return {"mobile": f"136{number:08}", "content": content, "smgRecvDate": second}


def in_batches(chance: random.Random, kind: str, entries: list[Any]) -> list[tuple[str, str]]:
    """Each entry once and half of them again, shuffled, in batches of any size, some batches twice."""
    entries = entries + chance.sample(entries, len(entries) // 2)
    chance.shuffle(entries)
    batches = []
    while entries:
        size = chance.randint(1, 40)
        batches.append((kind, json.dumps(entries[:size], ensure_ascii=False)))
        entries = entries[size:]
    return batches + chance.sample(batches, len(batches) // 4)


@pytest.mark.parametrize("seed", [1, 2])
def test_any_order_any_batching_any_repetition_and_all_at_once_end_in_the_same_rows(
    deployment: Deployment, seed: int
) -> None:
    chance = random.Random(seed)
    token = 910_000 + seed
    reports = [a_report(token, number, code) for number in range(100) for code in ("0", "2:46")]
    mos = [
        an_mo(1_000 * seed + n, text, second) for n in range(10) for text in ("你好吗", "") for second in SECONDS
    ]
    pushes = in_batches(chance, "report", reports) + in_batches(chance, "mo", mos)
    chance.shuffle(pushes)
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda push: deployment.push(type=push[0], jsonData=push[1]).text, pushes))
    assert set(answers) == {"0"}
    rows = list(deployment.lookup.reports_of_token(str(token)))
    assert sorted((row["mobile"], row["result_code"], row["success"]) for row in rows) == sorted(
        (each["mobile"], each["resultCode"], each["success"]) for each in reports
    )
    for number in range(10):
        found = deployment.lookup.mos_of_mobile(f"136{1_000 * seed + number:08}")
        expected = {(text, second) for text in ("你好吗", "") for second in SECONDS}
        said = [(row["content"], row["smg_recv_date"]) for row in found]
        assert (len(said), set(said)) == (len(expected), expected)


@pytest.mark.parametrize("count", [1_000, 10_000])
def test_very_many_reports_in_one_push_are_all_stored(deployment: Deployment, count: int) -> None:
    token = 920_000 + count
    answer = deployment.push(type="report", jsonData=json.dumps([a_report(token, n) for n in range(count)]))
    assert (answer.status_code, answer.text) == (200, "0")
    assert len(list(deployment.lookup.reports_of_token(str(token)))) == count


def test_five_megabytes_that_cannot_be_read_are_held_whole_and_counted(deployment: Deployment) -> None:
    body = "".join(random.Random(3).choices('ab&=%+ \n"{[的😀', k=3_700_000))
    assert len(body.encode()) > 5_000_000
    account = deployment.push_credentials | {"type": "report"}
    for _ in range(4):
        answer = requests.post(deployment.stack.push_url, params=account, data=body.encode(), timeout=60)
        assert answer.status_code == 400
    quarantine = Holding(deployment.aws.dynamodb, deployment.outputs["QuarantineTableName"])
    large = [head for head in quarantine.heads() if head["chunks"] > 1]
    [record] = [head for head in large if (kept := quarantine.read(head["digest"])) and kept.raw == body.encode()]
    assert record["seen"] == 4
    quarantine.discard(record["digest"])


def test_five_thousand_reports_under_every_push_fault_end_as_five_thousand_rows(
    deployment: Deployment, platform: RunningSimulator
) -> None:
    mobiles = [f"137{number:08d}" for number in range(5_000)]
    platform.change(balance=100_000)
    platform.reset()
    platform.faults(
        [
            {"do": "early", "seconds": 0.3},
            {"do": "duplicate", "copies": 2, "chance": 0.2, "seed": 1},
            {"do": "reorder", "behind": 3, "chance": 0.3, "seed": 2},
            {"do": "hold", "seconds": 0.5, "chance": 0.2, "seed": 3},
        ]
    )
    send_id = deployment.enqueue({"mobiles": mobiles, "content": "x"})
    [part] = deployment.settled(send_id)

    def reported() -> list[Any]:
        rows = list(deployment.lookup.reports_of_token(part["token"]))
        return rows if len(rows) >= len(mobiles) else []

    rows = wait_until(reported, "every report has come", seconds=120)
    assert sorted(row["mobile"] for row in rows) == mobiles
    assert set(deployment.lookup.delivery_status(send_id).mobiles.values()) == {"delivered"}


def test_a_text_in_another_charset_arrives_byte_for_byte(deployment: Deployment) -> None:
    mo = [an_mo(99_000_001, "同意", SECONDS[0])]
    parts = {**deployment.push_credentials, "type": "mo", "jsonData": json.dumps(mo, ensure_ascii=False)}
    head = '--x\r\nContent-Disposition: form-data; name="%s"\r\nContent-Type: text/plain; charset=GBK\r\n\r\n'
    body = "".join(f"{head % name}{text}\r\n" for name, text in parts.items())
    answer = requests.post(
        deployment.stack.push_url,
        data=f"{body}--x--\r\n".encode("gbk"),
        headers={"Content-Type": "multipart/form-data; boundary=x"},
        timeout=30,
    )
    assert (answer.status_code, answer.text) == (200, "0")
    assert [row["content"] for row in deployment.lookup.mos_of_mobile("13699000001")] == ["同意"]
