"""Who a part goes to, written down in time: somebody may ask for the mobile long before anything goes out.

A row's note that it has been done is a write of its own only where no claim follows that can carry it.
"""

from datetime import datetime

from kuaixintong.core.ledger import Finished, Standing
from kuaixintong.core.limits import BATCH_ITEMS
from kuaixintong.core.sends import Part
from kuaixintong.errand import Errand


class Recipients:
    """Who one part of an errand's send goes to."""

    def __init__(self, errand: Errand, part: Part) -> None:
        self.ahead = False
        """Whether they have been written down ahead of the claim, and the row does not say so yet."""
        self._errand = errand
        self._part = part
        self._large = len(part.mobiles) > BATCH_ITEMS
        self._told = part.is_half  # a half's mobiles are its first-level part's

    def before_the_slot(self) -> Finished | None:
        """Write a large part's down before its slot is asked for, which would be missed for that.

        The part is noted first, for that shows whether the id is taken. Returns how it has ended, if it has.
        """
        if self._told or not self._large:
            return None
        name = self._part.name
        if name not in self._errand.seen:
            self._errand.note(self._part)
        seen = self._errand.seen[name]
        if seen.state.final:
            return Finished(seen.state)
        self.while_it_waits(seen)
        return None

    def while_it_waits(self, standing: Standing | None, due_at: datetime | None = None) -> None:
        """Write them down for a part whose turn has not come."""
        if not (self._told or (standing and standing.outbound)):
            self._errand.announce(self._part, due_at=due_at)
            self.ahead = True
        self._told = True

    def while_it_is_parked(self, due_at: datetime) -> None:
        """The same for a part that waits as a row; where it costs more to write it twice, the row is looked at."""
        self.while_it_waits(self._row() if self._large and not self._told else None, due_at)

    def before_the_request(self, *, row_says_so: bool) -> None:
        """Write them down, if nobody has: the row of the claim tells whether somebody has."""
        if not (self._told or row_says_so):
            self._errand.announce(self._part)
        self._told = True

    def at_its_end(self) -> None:
        """Write them down for a part that ends without a request: it is asked for by mobile, too."""
        if self._told:
            return
        row = self._row() if self._large else None
        if not (row and row.outbound):
            self._errand.announce(self._part)

    def claimed(self) -> None:
        """Take note that the row says so now: the claim carried it."""
        self.ahead = False

    def close(self) -> None:
        """Let the row say that they are written down, if no claim has."""
        if self.ahead:
            self._errand.desk.claims.tell_outbound(self._errand.send, self._part, now=self._errand.now())

    def _row(self) -> Standing | None:
        return self._errand.row(self._part)
