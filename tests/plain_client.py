"""A customer's client by one who has read the spec and nothing else: no code of the layer or the simulator."""

import hashlib
import itertools
import json
from collections.abc import Mapping
from typing import Any

import requests

ANY_MOBILE = "13708600860"
ANY_CONTENT = "周末参加不了培训了"

_numbers = itertools.count()


def fresh_timestamp() -> str:
    """Return 18 digits that no test of this process has used before (spec 2.1)."""
    seconds, fraction = divmod(next(_numbers), 10_000)
    return f"2015012420{seconds // 60:02d}{seconds % 60:02d}{fraction:04d}"


def signed(pwd: str = "secret", timestamp: str | None = None, **parameters: Any) -> dict[str, Any]:
    """Return a message's parameters with the sample's account and a right digest (spec 2.1, 6.1)."""
    timestamp = fresh_timestamp() if timestamp is None else timestamp
    digest = hashlib.md5((pwd + timestamp).encode()).hexdigest()
    return {"cid": "12345678", "uid": "test", "pwd": digest, "timestamp": timestamp, **parameters}


def send_sm(**parameters: Any) -> dict[str, Any]:
    """Return the parameters of a submission that is right in everything but what is given."""
    return signed(**{"mobiles": [ANY_MOBILE], "content": ANY_CONTENT, **parameters})


def form(op: str, message: Mapping[str, Any]) -> dict[str, str]:
    """Return the two form fields of a request (spec 1.4)."""
    return {"op": op, "message": json.dumps(message, ensure_ascii=False)}


def post(url: str, op: str = "sendSm", seconds: float = 5.0, **parameters: Any) -> requests.Response:
    """Post one signed request on a connection of its own; wait at most ``seconds`` for a byte of the answer."""
    message = send_sm(**parameters) if op == "sendSm" else signed(**parameters)
    return requests.post(url, data=form(op, message), timeout=seconds)


def state_code(response: requests.Response) -> int:
    """Return an answer's state code."""
    code = response.json()["stateCode"]
    assert isinstance(code, int)
    return code
