"""The two languages of the pages: which one a browser wants, and the texts in it."""

from dataclasses import dataclass

from kxt.console.words import TEXTS

LANGUAGES = ("en", "zh")


@dataclass(frozen=True, slots=True)
class Words:
    """The texts in one language: ``t("send.button")``, with values by name where the text has room for them."""

    language: str

    def __call__(self, key: str, /, **values: object) -> str:
        """Return a text. Raises :class:`KeyError` for a key that the table does not have."""
        text = TEXTS[key][LANGUAGES.index(self.language)]
        return text.format(**values) if values else text

    def of(self, kind: str, value: str | None) -> str:
        """Return the text for one of a library's values, ``state`` and ``ACCEPTED``; without one the value."""
        return self(f"{kind}.{value}") if f"{kind}.{value}" in TEXTS else value or "–"

    @property
    def other(self) -> str:
        """The other language."""
        return LANGUAGES[1 - LANGUAGES.index(self.language)]


def preferred(accepted: str) -> str:
    """Return the language that an ``Accept-Language`` header asks for first, of those that there are."""
    wishes = []
    for place, wish in enumerate(accepted.split(",")):
        name, _, quality = wish.strip().partition(";q=")
        try:
            weight = float(quality) if quality else 1.0
        except ValueError:
            weight = 0.0
        wishes.append((-weight, place, name.partition("-")[0].lower()))
    return next((name for _, _, name in sorted(wishes) if name in LANGUAGES), LANGUAGES[0])
