"""English or, by ``LC_ALL``, ``LC_MESSAGES`` or ``LANG``, Chinese: chosen once, when the program starts."""

import os
from collections.abc import Mapping


def speaks_chinese(environment: Mapping[str, str]) -> bool:
    """Whether a user's environment asks for Chinese; the first of the variables that says something decides."""
    told = (environment.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    return next(filter(None, told), "").casefold().startswith("zh")


CHINESE = speaks_chinese(os.environ)


def both(english: str, chinese: str) -> str:
    """Return the text in the user's language."""
    return chinese if CHINESE else english
