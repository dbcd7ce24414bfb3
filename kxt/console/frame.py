"""What every page has around it: where one is, where one can go, which stack this is."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from nicegui import ui

from kuaixintong.core.mobiles import normalise
from kxt.console.desk import Desk
from kxt.console.elements import link, tag
from kxt.console.language import Words

_LOOK = Path(__file__).parent.joinpath("look.css").read_text("utf-8")
_CLOCK = Path(__file__).parent.joinpath("clock.js").read_text("utf-8")

STACK_PAGES = (
    ("overview", "/"),
    ("send", "/send"),
    ("import", "/import"),
    ("campaigns", "/campaigns"),
    ("attention", "/attention"),
    ("optouts", "/optouts"),
    ("account", "/account"),
)
"""Pages that need a stack, in the order of the navigation."""

LOCAL_PAGES = (("handsets", "/handsets"), ("platform", "/platform"))
"""Pages that need a simulated platform."""

SEARCH = "/find"
"""Where the search asks; the answer leads to what was found."""


def address(t: Words, path: str) -> str:
    """Return a page's address in this language."""
    return f"/{t.language}{'' if path == '/' else path}"


def mobile_address(t: Words, mobile: str) -> str:
    """Return the address of a mobile's conversation."""
    return address(t, f"/mobile/{quote(mobile, safe='')}")


def send_address(t: Words, send_id: str) -> str:
    """Return the address of a send."""
    return address(t, f"/sends/{quote(send_id, safe='')}")


def campaign_address(t: Words, campaign: str) -> str:
    """Return the address of a campaign."""
    return address(t, f"/campaigns/{quote(campaign, safe='')}")


@contextmanager
def frame(desk: Desk, t: Words, page: str, path: str, title: str) -> Iterator[None]:
    """Draw a page: what the block draws is its content. ``page`` is its name in the navigation."""
    ui.colors(primary="#0b5394", positive="#14662f", negative="#a31616", warning="#7a4a00")
    ui.add_css(_LOOK)
    ui.add_body_html(f"<script>{_CLOCK}</script>")
    ui.page_title(f"{title} · kxt")
    ui.query("body").classes(f"lang-{t.language}")
    with ui.header(elevated=False).classes("top").props('role="banner"'):
        link(t("page.skip"), "#content", classes="skip")
        link("kxt", address(t, "/" if desk.has_stack else "/handsets"), classes="brand")
        tag("span", desk.name or t("page.no-stack"), classes="stack")
        if desk.read_only:
            tag("span", t("page.read-only"), classes="badge read-only")
        _search(desk, t)
        other = Words(t.other)
        link(other("language.name"), address(other, path), classes="language").props(
            f'lang="{"zh-CN" if other.language == "zh" else "en"}"'
        )
    with tag("nav", classes="nav").props(f'aria-label="{t("page.navigation")}"'):
        for name, to in pages_of(desk):
            entry = link(t(f"nav.{name}"), address(t, to))
            if name == page:
                entry.props('aria-current="page"')
    with tag("div", classes="content").props('id="content"'):
        tag("h1", title)
        yield


def pages_of(desk: Desk) -> Iterator[tuple[str, str]]:
    """Yield the pages that there is something behind, with their paths."""
    for name, path in STACK_PAGES:
        if desk.has_stack and name in desk.pages:
            yield name, path
    if desk.simulation:
        yield from LOCAL_PAGES


def _search(desk: Desk, t: Words) -> None:
    """Draw the search as a form of the browser's own: it works before the page's connection is up."""
    if not desk.has_stack:
        return
    form = tag("form", classes="search").props(f'action="{address(t, SEARCH)}" method="get" role="search"')
    with form:
        ui.input(placeholder=t("page.search")).props(
            f'dense outlined clearable name="wanted" autocomplete="off" aria-label="{t("page.search")}"'
        )


def found_at(t: Words, wanted: str) -> str:
    """Return the address of what somebody looks for: a mobile however it is written, else the id of a send."""
    mobile = normalise(wanted)
    if mobile:
        return mobile_address(t, mobile)
    return send_address(t, wanted) if wanted else address(t, "/")
