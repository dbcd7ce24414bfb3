"""Regular expressions from whoever steers the simulator: RE2's, whose time is linear in the text."""

from functools import lru_cache
from typing import Any

import re2  # type: ignore[import-untyped]

_LONGEST = 500  # characters; a text has a thousand
_MEMORY = 1 << 20  # bytes for what a pattern compiles to; nothing that people write needs a tenth of it


class BadPattern(ValueError):
    """It is no regular expression, or too large a one; the text says what is wrong with it."""


class Pattern:
    """A regular expression, or none: then everything matches whole. Raises :class:`BadPattern`."""

    def __init__(self, text: str | None) -> None:
        self._compiled = None if text is None else _compiled(text)

    def found(self, text: str) -> tuple[str, list[str | None]] | None:
        """Return the first thing in the text that matches, and its groups; ``None`` if nothing does."""
        if self._compiled is None:
            return text, []
        match = self._compiled.search(text)
        return (match.group(), [*match.groups()]) if match else None


@lru_cache(maxsize=256)
def _compiled(text: str) -> Any:
    if len(text) > _LONGEST:
        raise BadPattern(f"A pattern has at most {_LONGEST} characters.")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    try:
        return re2.compile(text, options)
    except re2.error as error:
        (said,) = error.args
        raise BadPattern(f"It is no regular expression of RE2's: {said.decode('utf-8', 'replace')}") from None
    except UnicodeEncodeError:
        raise BadPattern("A pattern cannot hold half a character.") from None
