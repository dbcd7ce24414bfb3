"""The console's door: who may speak to it, request by request, without a browser."""

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest

pytest.importorskip("nicegui", reason="the console is not installed: make .venv/marks/console")

from kxt.console.safety import Links, Safety

PORT = 18190
HOST = f"127.0.0.1:{PORT}"
OWN = f"http://{HOST}"

type Headers = Iterable[tuple[str, str]]


class Door:
    """The door with an application behind it that writes down what came through."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.came: list[str] = []
        self.door = Safety(self._app, port=PORT, links=Links(OWN, self.told.append))

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        self.came.append(scope["path"])
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            return
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]})
        await send({"type": "http.response.body", "body": b"a page"})

    def ask(
        self,
        path: str = "/en",
        headers: Headers = (),
        *,
        method: str = "GET",
        kind: str = "http",
        host: str = HOST,
    ) -> list[dict[str, Any]]:
        """Return the messages that a request is answered with."""
        path, _, query = path.partition("?")
        raw = [(name.encode(), value.encode()) for name, value in [("host", host), *headers]]
        scope = {"type": kind, "path": path, "query_string": query.encode(), "headers": raw, "method": method}
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "websocket.connect"}

        async def send(message: Any) -> None:
            sent.append(message)

        asyncio.run(self.door(scope, receive, send))
        return sent

    def status(self, *given: Any, **more: Any) -> int:
        """Return the status that a request is answered with."""
        return int(self.ask(*given, **more)[0]["status"])

    def opened(self) -> tuple[str, str]:
        """Use the newest link; return the cookie header that a browser sends from then on."""
        answer = self.ask(self.told[-1].removeprefix(OWN))
        headers = dict(answer[0]["headers"])
        assert (answer[0]["status"], headers[b"location"]) == (303, b"/")
        return "cookie", headers[b"set-cookie"].decode().split(";")[0]


@pytest.fixture
def door() -> Door:
    return Door()


def test_without_the_link_nothing_is_shown(door: Door) -> None:
    assert door.status() == 403
    assert door.status("/open?key=guessed") == 403
    assert door.status("/open") == 403
    assert door.status("/_nicegui_ws/socket.io/?EIO=4&transport=polling") == 403
    assert door.came == []


def test_a_link_opens_one_browser_and_the_next_one_is_told(door: Door) -> None:
    [link] = door.told
    cookie = door.opened()
    assert door.status("/en", [cookie]) == 200
    assert door.status(link.removeprefix(OWN)) == 403
    assert len(door.told) == 2
    assert door.told[1] != link
    assert door.status("/en", [door.opened()]) == 200
    assert door.status("/en", [cookie]) == 200


def test_a_used_link_leads_on_where_it_was_used(door: Door) -> None:
    [link] = door.told
    cookie = door.opened()
    assert door.status(link.removeprefix(OWN), [cookie]) == 303
    assert len(door.told) == 2


def test_the_cookie_is_kept_from_scripts_and_from_other_sites(door: Door) -> None:
    answer = door.ask(door.told[0].removeprefix(OWN))
    cookie = dict(answer[0]["headers"])[b"set-cookie"].decode()
    assert cookie.startswith(f"kxt-console-{PORT}=")
    assert cookie.endswith("; Path=/; HttpOnly; SameSite=Strict")


@pytest.mark.parametrize("host", ["evil.example", f"evil.example:{PORT}", "127.0.0.1:1", "localhost", "127.0.0.1"])
def test_a_name_that_leads_here_does_not_let_its_page_in(door: Door, host: str) -> None:
    cookie = door.opened()
    assert door.status("/en", [cookie], host=host) == 403
    assert door.status("/ready", host=host) == 403
    assert door.ask("/_nicegui_ws/", [cookie], kind="websocket", host=host)[0]["type"] == "websocket.close"
    assert door.came == []


def test_two_hosts_are_none(door: Door) -> None:
    assert door.status("/en", [door.opened(), ("host", HOST)]) == 403


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", f"http://127.0.0.1:{PORT + 1}", f"https://{HOST}", "null", "http://localhost"],
)
def test_another_origin_neither_reads_nor_posts_nor_opens_a_web_socket(door: Door, origin: str) -> None:
    headers = [door.opened(), ("origin", origin)]
    assert door.status("/en", headers) == 403
    assert door.status("/upload", headers, method="POST") == 403
    assert door.ask("/_nicegui_ws/", headers, kind="websocket")[0]["type"] == "websocket.close"
    assert door.came == []


def test_what_does_not_say_where_it_comes_from_neither_posts_nor_opens_a_web_socket(door: Door) -> None:
    cookie = door.opened()
    assert door.status("/upload", [cookie], method="POST") == 403
    assert door.ask("/_nicegui_ws/", [cookie], kind="websocket")[0]["type"] == "websocket.close"
    assert door.came == []


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_pages_picture_script_or_form_is_refused_also_from_another_port(door: Door, site: str) -> None:
    headers = [door.opened(), ("sec-fetch-site", site)]
    assert door.status("/en", headers) == 403
    embedded = [*headers, ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")]
    assert door.status("/en", embedded) == 403
    followed = [*headers, ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")]
    assert door.status("/en", followed, method="POST") == 403
    assert door.status("/en", followed) == 200  # somebody follows a link: that page cannot read what comes
    assert door.came == ["/en"]


def test_its_own_pages_post_and_open_web_sockets(door: Door) -> None:
    headers = [door.opened(), ("origin", OWN), ("sec-fetch-site", "same-origin")]
    assert door.status("/upload", headers, method="POST") == 200
    assert door.ask("/_nicegui_ws/", headers, kind="websocket")[0]["type"] == "websocket.accept"
    local = [headers[0], ("origin", f"http://localhost:{PORT}")]
    assert door.status("/upload", local, method="POST", host=f"localhost:{PORT}") == 200


def test_a_cookie_of_another_program_on_this_machine_opens_nothing(door: Door) -> None:
    name, cookie = door.opened()
    value = cookie.partition("=")[2]
    assert door.status("/en", [(name, f"kxt-console-{PORT + 1}={value}")]) == 403
    assert door.status("/en", [(name, f'odd="; {cookie}')]) in (200, 403)
    assert door.status("/en", [(name, f"a=1; {cookie}; b=2")]) == 200


def test_every_answer_forbids_frames_and_whatever_is_not_from_here(door: Door) -> None:
    for answer in (door.ask("/en", [door.opened()]), door.ask("/en"), door.ask("/ready"), door.ask(host="evil")):
        headers = dict(answer[0]["headers"])
        assert headers[b"x-frame-options"] == b"DENY"
        policy = headers[b"content-security-policy"].decode()
        assert policy.startswith("default-src 'self' ")
        assert "frame-ancestors 'none'" in policy
        assert "http:" not in policy
        assert headers[b"cross-origin-resource-policy"] == b"same-origin"
        assert headers[b"cache-control"] == b"no-store"


def test_whoever_waits_for_the_console_is_told_that_it_is_ready_and_nothing_else(door: Door) -> None:
    answer = door.ask("/ready")
    assert (answer[0]["status"], answer[1]["body"]) == (200, b"ready\n")
    assert b"set-cookie" not in dict(answer[0]["headers"])
