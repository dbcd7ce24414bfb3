"""The account check: a login, what it says of the balances, and the early end of a pause (contract, section 6)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from kuaixintong.core import beijing
from kuaixintong.core.codes import SUCCESS, Trouble
from kuaixintong.core.credentials import PlatformCredentials
from kuaixintong.core.errors import NoAnswer
from kuaixintong.core.gate import Account
from kuaixintong.core.messages import Answer, Login
from kuaixintong.platform import Platform
from kuaixintong.stores.account import Accounts
from kuaixintong.stores.secrets import CachedSecret


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check has found: the answer, ``None`` if there was none, and whether it ended a pause."""

    answer: Answer | None
    paused: Trouble | None
    lifted: bool

    @property
    def good(self) -> bool:
        """Whether the platform let us in."""
        return self.answer is not None and self.answer.state_code == SUCCESS


def lifts(account: Account, answer: Answer) -> bool:
    """Return whether a login's answer ends the account's pause: it is good, and shows the pause's reason gone."""
    if answer.state_code != SUCCESS or account.pause_reason is None:
        return False
    return account.pause_reason is not Trouble.BALANCE or (answer.sm_balance or 0) > 0


class AccountCheck:
    """Asks the platform how the account is. One call of :meth:`run` is one ``login``."""

    def __init__(
        self,
        accounts: Accounts,
        secret: CachedSecret[PlatformCredentials],
        platform: Platform,
        *,
        clock: Callable[[], datetime],
    ) -> None:
        self._accounts = accounts
        self._secret = secret
        self._platform = platform
        self._clock = clock

    def run(self) -> Checked:
        """Log in and write down what it shows.

        A failed login changes nothing: the balances keep the time at which they were true, and a pause keeps its
        own. Raises :class:`OperatorNeeded` for an unusable secret and :class:`StoreUnavailable`.
        """
        credentials = self._secret.get()
        asked_at = self._clock()
        tick, account = self._accounts.reserve(credentials.cid, 1, now=asked_at)
        try:
            answer = self._platform.ask(Login(), credentials, beijing.timestamp(tick))
        except NoAnswer:
            return Checked(None, account.pause_reason, lifted=False)
        if answer.state_code == SUCCESS:
            self._accounts.check(
                credentials.cid, sm_balance=answer.sm_balance, mm_balance=answer.mm_balance, now=self._clock()
            )
        lifted = lifts(account, answer) and self._accounts.clear(
            credentials.cid, credentials.version, asked_at=asked_at
        )
        return Checked(answer, None if lifted else account.pause_reason, lifted)
