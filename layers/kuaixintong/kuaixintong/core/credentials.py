"""What secrets hold (contract, section 5): values that mask themselves.

A password never reaches a ``repr``, a log, an exception's text or the environment. How a function reads its
secret is the business of :mod:`kuaixintong.stores.secrets`.
"""

import json
from dataclasses import dataclass, field, fields
from typing import Self

from kuaixintong.core.errors import CredentialsUnusable


@dataclass(frozen=True, slots=True)
class Credentials:
    """A secret's fields, all of them text, and ``version``: the secret's version id, no secret itself."""

    version: str = field(compare=False)

    @classmethod
    def parse(cls, text: str, version: str) -> Self:
        """Read a secret's JSON. Raises :class:`CredentialsUnusable`, which names fields and never values."""
        names = [each.name for each in fields(cls) if each.name != "version"]
        try:
            values = json.loads(text)
        except ValueError:
            values = None
        if not isinstance(values, dict):
            # "from None": the JSON error quotes the text it choked on
            raise CredentialsUnusable(
                f"The secret is no JSON object with the fields {', '.join(names)}."
            ) from None
        lacking = [name for name in names if not isinstance(values.get(name), str) or not values[name]]
        if lacking:
            raise CredentialsUnusable(f"The secret's field {', '.join(lacking)} is missing, empty, or no string.")
        return cls(version=version, **{name: values[name] for name in names})


@dataclass(frozen=True, slots=True)
class PlatformCredentials(Credentials):
    """What every request to the platform carries."""

    cid: str
    uid: str
    pwd: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class PushCredentials(Credentials):
    """What every push from the platform has to carry."""

    uid: str
    pwd: str = field(repr=False)
