"""The simulated platform beside a local stack, over its ``/_sim/…`` addresses."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

type Json = Any

_PATIENCE = 5.0  # seconds: it is on this machine

_OPENER = build_opener(ProxyHandler({}))
"""Whatever proxies the user's shell knows: this goes to loopback."""


class SimulatorSilent(Exception):
    """The simulator does not answer, or says that what was asked makes no sense."""


class Simulation:
    """Asks and steers one simulator. Every call raises :class:`SimulatorSilent` when it does not work out."""

    def __init__(self, control: str) -> None:
        """``control`` is the address that ends in ``/_sim``."""
        self._control = control.rstrip("/")

    def state(self) -> dict[str, Json]:
        """Return counts and addresses."""
        return dict(self._get("state"))

    def settings(self) -> dict[str, Json]:
        """Return the settings, without passwords."""
        return dict(self._get("settings"))

    def faults(self) -> list[dict[str, Json]]:
        """Return the rules in force, each with how many requests it saw and struck."""
        return list(self._get("faults")["rules"])

    def messages(self, *, last: int, mobile: str | None = None) -> list[dict[str, Json]]:
        """Return the newest accepted parts; with ``mobile``, those that arrived on its handset. Oldest first."""
        return list(self._get("messages", last=last, mobile=mobile))

    def mos(self, *, last: int, mobile: str | None = None) -> list[dict[str, Json]]:
        """Return what handsets have sent last, oldest first."""
        return list(self._get("mos", last=last, mobile=mobile))

    def requests(self, *, last: int) -> list[dict[str, Json]]:
        """Return the newest requests, oldest first."""
        return list(self._get("requests", last=last))

    def pushes(self, *, last: int) -> list[dict[str, Json]]:
        """Return the newest tries to deliver a push, oldest first, each with the answer that it got."""
        return list(self._get("pushes", last=last))

    def change(self, **settings: Json) -> None:
        """Change settings, from now on."""
        self._post("settings", settings)

    def set_faults(self, rules: Sequence[Mapping[str, Json]]) -> None:
        """Put these rules in place of all others."""
        self._post("faults", [_rule(rule) for rule in rules])

    def set_handset(self, mobile: str, handset: Mapping[str, Json]) -> None:
        """Let a handset do this by itself."""
        self._post("handsets", {"mobile": mobile, **handset})

    def mo(self, mobile: str, content: str) -> None:
        """Let a handset send something."""
        self._post("mo", {"mobile": mobile, "content": content})

    def release(self) -> dict[str, int]:
        """Act on late requests and let go of held pushes."""
        released: dict[str, int] = self._post("release", {})
        return released

    def connections(self, *, refused: bool) -> None:
        """Begin or end an outage."""
        self._post("connections", {"refused": refused})

    def _get(self, name: str, **query: object) -> Json:
        asked = urlencode({key: value for key, value in query.items() if value is not None})
        return self._ask(Request(f"{self._control}/{name}?{asked}"))  # noqa: S310  # http by construction

    def _post(self, name: str, body: Json) -> Json:
        data = json.dumps(body).encode()
        return self._ask(Request(f"{self._control}/{name}", data=data, method="POST"))  # noqa: S310

    @staticmethod
    def _ask(request: Request) -> Json:
        try:
            with _OPENER.open(request, timeout=_PATIENCE) as answer:
                return json.load(answer)
        except HTTPError as error:
            with error:
                raise SimulatorSilent(_told(error.read())) from None
        except (URLError, OSError, ValueError) as error:
            raise SimulatorSilent(f"{type(error).__name__}") from None


def _rule(rule: Mapping[str, Json]) -> dict[str, Json]:
    """Return a rule as it was given, without what the simulator counts of it."""
    return {name: value for name, value in rule.items() if name not in ("seen", "applied")}


def _told(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError):
        return "?"
