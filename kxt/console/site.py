"""Which page stands at which address, in both languages."""

from collections.abc import Callable
from typing import Any

from nicegui import app, ui
from starlette.requests import Request
from starlette.responses import RedirectResponse

from kxt.console.desk import Desk
from kxt.console.frame import frame, pages_of
from kxt.console.language import LANGUAGES, Words, preferred
from kxt.console.pages import handsets, platform

type Draw = Callable[..., Any]

_CODES = {"en": "en-US", "zh": "zh-CN"}


def build(desk: Desk) -> None:
    """Put up every page that there is something behind."""

    @app.get("/", include_in_schema=False)
    def entrance(request: Request) -> RedirectResponse:
        language = preferred(request.headers.get("accept-language", ""))
        return RedirectResponse(f"/{language}", 303)

    pages = dict(pages_of(desk))
    for language in LANGUAGES:
        t = Words(language)
        if "overview" not in pages:
            _page(desk, t, "handsets", "/", handsets.draw)
        if desk.simulation:
            _page(desk, t, "handsets", "/handsets", handsets.draw)
            _page(desk, t, "platform", "/platform", platform.draw)


def _page(desk: Desk, t: Words, name: str, path: str, draw: Draw) -> None:
    """Put up a page without a value in its address."""

    @ui.page(f"/{t.language}{'' if path == '/' else path}", language=_CODES[t.language])  # type: ignore[arg-type]
    def page() -> None:
        with frame(desk, t, name, path, t(f"nav.{name}")):
            draw(desk, t)
