"""Which page stands at which address, in both languages."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from nicegui import app, ui
from nicegui.language import Language
from starlette.requests import Request
from starlette.responses import RedirectResponse

from kxt.console.desk import Desk
from kxt.console.frame import SEARCH, address, found_at, frame, pages_of
from kxt.console.language import LANGUAGES, Words, preferred
from kxt.console.pages import (
    account,
    attention,
    campaigns,
    handsets,
    importing,
    mobile,
    optouts,
    overview,
    platform,
    send,
    sends,
)

type Draw = Callable[..., Any]

_CODES: Mapping[str, Language] = MappingProxyType({"en": "en-US", "zh": "zh-CN"})


def build(desk: Desk) -> None:
    """Put up every page that there is something behind."""

    @app.get("/", include_in_schema=False)
    def entrance(request: Request) -> RedirectResponse:
        language = preferred(request.headers.get("accept-language", ""))
        return RedirectResponse(f"/{language}", 303)

    pages = dict(pages_of(desk))
    for language in LANGUAGES:
        t = Words(language)
        for name, path in pages.items():
            if name in _DRAWN:
                _page(desk, t, name, path, _DRAWN[name])
        if desk.has_stack:
            _pages_by_name(desk, t)
        else:
            _page(desk, t, "handsets", "/", handsets.draw)


_DRAWN: Mapping[str, Draw] = {
    "overview": overview.draw,
    "import": importing.draw,
    "campaigns": campaigns.draw,
    "attention": attention.draw,
    "optouts": optouts.draw,
    "account": account.draw,
    "handsets": handsets.draw,
    "platform": platform.draw,
}


def _page(desk: Desk, t: Words, name: str, path: str, draw: Draw) -> None:
    """Put up a page without a value in its address."""

    @ui.page(address(t, path), language=_CODES[t.language])
    def page() -> None:
        with frame(desk, t, name, path, t(f"nav.{name}")):
            draw(desk, t)


def _pages_by_name(desk: Desk, t: Words) -> None:
    """Put up the pages that are about one thing, which stands in their address, and the way to them."""

    @app.get(address(t, SEARCH), include_in_schema=False)
    def find(wanted: str = "") -> RedirectResponse:
        return RedirectResponse(found_at(t, wanted.strip()), 303)

    @ui.page(address(t, "/send"), language=_CODES[t.language])
    def compose(mobile: str = "") -> None:
        with frame(desk, t, "send", "/send", t("nav.send")):
            send.draw(desk, t, mobile=mobile)

    @ui.page(address(t, "/sends/{send_id:path}"), language=_CODES[t.language])
    def one_send(send_id: str) -> None:
        with frame(desk, t, "", f"/sends/{quote(send_id, safe='')}", t("sends.title", id=send_id)):
            sends.draw(desk, t, send_id)

    @ui.page(address(t, "/mobile/{number}"), language=_CODES[t.language])
    def one_mobile(number: str) -> None:
        with frame(desk, t, "", f"/mobile/{quote(number, safe='')}", t("mobile.title", mobile=number)):
            mobile.draw(desk, t, number)

    if "campaigns" in desk.pages:

        @ui.page(address(t, "/campaigns/{campaign:path}"), language=_CODES[t.language])
        def one_campaign(campaign: str) -> None:
            path = f"/campaigns/{quote(campaign, safe='')}"
            with frame(desk, t, "", path, t("campaigns.title", campaign=campaign)):
                campaigns.draw_one(desk, t, campaign)
