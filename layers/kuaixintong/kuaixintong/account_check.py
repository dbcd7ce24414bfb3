"""The account check: a login, what it says of the balances, and the early end of a pause (contract, section 6)."""

from dataclasses import dataclass
from datetime import datetime

from kuaixintong.core import beijing
from kuaixintong.core.codes import SUCCESS, Trouble
from kuaixintong.core.credentials import PlatformCredentials
from kuaixintong.core.errors import NoAnswer
from kuaixintong.core.gate import Account, affords
from kuaixintong.core.messages import Answer, Login
from kuaixintong.platform import Platform
from kuaixintong.slots import Slot, Slots
from kuaixintong.stores.account import Accounts
from kuaixintong.stores.secrets import CachedSecret

_PATIENCE = 10.0
"""Seconds that a check waits for a slot."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check of the account ``cid`` found: the answer, or why there was none, and if it ended a pause."""

    cid: str
    answer: Answer | None
    paused: Trouble | None
    lifted: bool
    unanswered: NoAnswer | None = None

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
        self, accounts: Accounts, secret: CachedSecret[PlatformCredentials], platform: Platform, slots: Slots
    ) -> None:
        self._accounts = accounts
        self._secret = secret
        self._platform = platform
        self._slots = slots

    def run(self) -> Checked:
        """Log in and write down what it shows.

        A failed login changes nothing: the balances keep the time at which they were true, and a pause keeps its
        own. Raises :class:`OperatorNeeded` for an unusable secret, and :class:`TryLater`.
        """
        credentials = self._secret.get()
        slot = self._slot(credentials.cid)
        asked_at, account = self._slots.clock(), slot.seen
        try:
            answer = self._platform.ask(Login(), credentials, beijing.timestamp(slot.tick))
        except NoAnswer as unanswered:
            return Checked(credentials.cid, None, account.pause_reason, lifted=False, unanswered=unanswered)
        if answer.state_code == SUCCESS:
            self._note(credentials.cid, answer, account, asked_at)
        lifted = lifts(account, answer) and self._accounts.clear(
            credentials.cid, credentials.version, asked_at=asked_at
        )
        return Checked(credentials.cid, answer, None if lifted else account.pause_reason, lifted)

    def _slot(self, cid: str) -> Slot:
        """Take a slot as any request does; a login counts for the platform's limit, too."""
        while True:
            self._slots.take(cid, 1, deadline=self._slots.monotonic() + _PATIENCE)
            slot = self._slots.pop(cid)
            if slot and self._slots.reached(slot):
                return slot

    def _note(self, cid: str, answer: Answer, account: Account, asked_at: datetime) -> None:
        now = self._slots.clock()
        self._accounts.check(cid, sm_balance=answer.sm_balance, mm_balance=answer.mm_balance, now=now)
        if account.dear and affords(account.dear, balance=answer.sm_balance or 0, asked_at=asked_at):
            self._accounts.forget_dear(cid, account.dear)
        self._accounts.remember_balances(cid, sm_balance=answer.sm_balance, mm_balance=answer.mm_balance, now=now)
