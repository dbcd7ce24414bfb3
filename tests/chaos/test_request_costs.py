"""What a request costs that anybody may send: processor time in proportion to its bytes, and little of it.

``CHAOS=full`` sends bodies of the full size that Lambda takes, a test run those of a quarter.
"""

import base64
import json
import os
import sys
import time
from collections.abc import Callable
from functools import partial

import pytest
from moto import mock_aws

from tests.hostile_bodies import LARGEST_REQUEST, requests
from tests.receiving import Event, Receiver

SIZE = LARGEST_REQUEST if os.environ.get("CHAOS") == "full" else LARGEST_REQUEST // 4

MOST = 2.5
"""Times what a bare ``json.loads`` takes for as many bytes of reports: a tenth of a second at full size."""

FIXED = 0.25
"""Of ``MOST``, what does not grow with the bytes: the first look at members, fields and heads."""


def seconds(work: Callable[[], object]) -> float:
    begin = time.process_time()
    work()
    return time.process_time() - begin


@pytest.fixture(scope="module")
def plain() -> float:
    entry = '{"token":7331,"mobile":"13500000000","resultCode":"0","success":true}'
    text = "[" + ",".join([entry] * (SIZE // len(entry))) + "]"
    return min(seconds(lambda: json.loads(text)) for _ in range(5))


def event_of(content_type: str, body: bytes) -> Event:
    return {
        "httpMethod": "POST",
        "headers": {"Content-Type": content_type},
        "multiValueQueryStringParameters": {"uid": ["abc"], "pwd": ["wrong"]},
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
    }


def refuse(receiver: Receiver, incoming: Event) -> None:
    assert receiver.take(incoming).status == 403


def test_the_dearest_request_without_the_password_is_cheap(plain: float) -> None:
    dearest, what = 0.0, ""
    with mock_aws():
        receiver = Receiver()
        refuse(receiver, event_of("", b"{"))  # what is done once: the secret, and imports
        most = plain * (MOST - FIXED) + plain * LARGEST_REQUEST / SIZE * FIXED
        for name, request in requests(SIZE):
            work = partial(refuse, receiver, event_of(request.content_type, request.body))
            spent = seconds(work)
            if spent > most:  # or the machine was busy with something else
                spent = min(seconds(work) for _ in range(20))
            assert spent < most, f"{name}: {spent:.2f} s, and json.loads {plain:.2f} s"
            dearest, what = max((dearest, what), (spent, name))
    sys.stdout.write(f"the dearest of {SIZE:,} bytes: {what}, {dearest:.2f} s; json.loads: {plain:.2f} s\n")
