"""The account and the deployment's settings, to be read."""

from kxt.console.desk import Desk
from kxt.console.elements import tag
from kxt.console.language import Words
from kxt.console.pages.overview import draw_standing

_EVERY = 4.0


def draw(desk: Desk, t: Words) -> None:
    """Draw the page."""
    with tag("div", classes="halves"):
        with tag("section", classes="card"):
            tag("h2", t("overview.account"))
            draw_standing(desk, t, every=_EVERY)
        description = desk.reading.description
        with tag("section", classes="card"):
            tag("h2", t("account.outputs"))
            _draw_values(description.outputs)
    with tag("section", classes="card"):
        tag("h2", t("account.parameters"))
        tag("p", t("account.parameters-what"), classes="quiet")
        _draw_values(description.parameters)


def _draw_values(values: dict[str, str]) -> None:
    with tag("dl", classes="facts"):
        for name, value in sorted(values.items()):
            tag("dt", name)
            tag("dd", value or "–")
