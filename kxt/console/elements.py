"""The few elements that pages are made of. Every text goes in as text: nothing from outside is ever markup."""

from datetime import UTC, datetime

from nicegui import ui
from nicegui.elements.mixins.text_element import TextElement
from nicegui.events import Handler, UploadEventArguments

from kuaixintong.core.beijing import BEIJING
from kxt.console.language import Words

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


class Tag(TextElement):
    """An HTML element with text."""

    def __init__(self, name: str, text: str = "") -> None:
        super().__init__(tag=name, text=text)


def tag(name: str, text: str = "", *, classes: str = "") -> Tag:
    """Return an HTML element with text."""
    element = Tag(name, text)
    return element.classes(classes) if classes else element


def link(text: str, to: str, *, classes: str = "") -> ui.link:
    """Return a link within the console."""
    return ui.link(text, to).classes(classes)


def badge(t: Words, kind: str, value: str | None) -> Tag:
    """Return a state in words, coloured by what it is; the colour says nothing that the words do not."""
    return tag("span", t.of(kind, value), classes=f"badge {kind}-{(value or 'none').lower()}")


def when(t: Words, moment: str | None) -> Tag:
    """Return a time, Beijing's, with how long ago, which the browser keeps up to date."""
    if not moment:
        return tag("span", "–", classes="quiet")
    try:
        at = datetime.fromisoformat(moment)
    except ValueError:
        return tag("span", moment)
    at = at.replace(tzinfo=BEIJING) if at.tzinfo is None else at.astimezone(BEIJING)
    with tag("span", classes="when") as both:
        tag("time", f"{at:%Y-%m-%d %H:%M:%S}").props(f'datetime="{at.isoformat()}"')
        tag("span", ago(t, (datetime.now(UTC) - at).total_seconds()), classes="ago").props(
            f'data-at="{at.timestamp():.0f}"'
        )
    return both


def ago(t: Words, seconds: float) -> str:
    """Return how long ago something was."""
    if seconds < 0:
        return t("ago.ahead")
    for size, key in ((_DAY, "ago.days"), (_HOUR, "ago.hours"), (_MINUTE, "ago.minutes")):
        if seconds >= size:
            return t(key, n=int(seconds // size))
    return t("ago.seconds", n=int(seconds))


def file_field(label: str, accept: str, largest: int, take: Handler[UploadEventArguments]) -> None:
    """Draw a button that lets a file be chosen, which ``take`` gets. Quasar's own uploader has no labels."""
    upload = ui.upload(auto_upload=True, max_files=1, max_file_size=largest, on_upload=take)
    upload.props(f'accept="{accept}"').classes("hidden")
    button = ui.button(label).props("no-caps outline icon=attach_file")
    button.on("click", js_handler=f"() => getElement({upload.id}).pickFiles()")


def scroll_to_end(element: ui.element) -> None:
    """Show the end of an element that scrolls."""
    ui.run_javascript(f"const box = getElement({element.id}); if (box) box.scrollTop = box.scrollHeight")


def empty(text: str) -> Tag:
    """Say that there is nothing, and how there would be something."""
    return tag("p", text, classes="empty")


def facts(t: Words, *pairs: tuple[str, str | None]) -> None:
    """Draw a list of names and values."""
    with tag("dl", classes="facts"):
        for key, value in pairs:
            tag("dt", t(key))
            tag("dd", "–" if value is None or value == "" else value)
