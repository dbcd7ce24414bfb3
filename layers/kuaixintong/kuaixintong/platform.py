"""What the rest of the package needs of the platform: one question, one answer.

:class:`kuaixintong.client.PlatformClient` asks over HTTP; the tests' ``Line`` asks the simulator itself.
"""

from typing import Protocol

from kuaixintong.core.credentials import PlatformCredentials
from kuaixintong.core.messages import Answer, Login, SendSm


class Platform(Protocol):
    """The platform, as far as anybody here may know it. ``address`` tells one server from another."""

    @property
    def address(self) -> str: ...

    def ask(self, request: Login | SendSm, credentials: PlatformCredentials, timestamp: str) -> Answer:
        """Send one request once and return its answer. Raises :class:`~kuaixintong.core.errors.NoAnswer`."""
        ...
