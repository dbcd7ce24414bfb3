"""How far a campaign is, over all processes that play it: one line on stderr every few seconds."""

import time
from collections.abc import Callable
from pathlib import Path

_EVERY = 5.0
"""Seconds from one line to the next."""


class Progress:
    """Counts what one slice of a campaign has done; the slices tell each other in ``folder``.

    ``total`` is that of all slices together, in ``unit``.
    """

    def __init__(self, folder: Path, name: str, total: int, unit: str, say: Callable[[str], None]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.done = 0
        self._mine = folder / f"{name}.done"
        self._told = folder / "told"
        self._total = total
        self._unit = unit
        self._say = say
        self._told_at = time.monotonic()
        self._began = folder / "began"
        if not self._began.exists():
            self._began.touch()

    def add(self, count: int = 1) -> None:
        """Note that so many are done."""
        self.done += count
        if time.monotonic() - self._told_at >= _EVERY / 4:
            self._told_at = time.monotonic()
            self.tell()

    def tell(self, *, now: bool = False) -> None:
        """Say how far all slices are, unless one of them has just said so."""
        self._mine.write_text(str(self.done))
        if not now and self._told.exists() and time.time() - self._told.stat().st_mtime < _EVERY:
            return
        self._told.touch()
        done = sum(int(each.read_text() or 0) for each in self._mine.parent.glob("*.done"))
        seconds = max(time.time() - self._began.stat().st_mtime, 0.001)
        left = (self._total - done) * seconds / max(done, 1)
        self._say(f"chaos: {done:,} of {self._total:,} {self._unit}, {done / seconds:,.0f}/s, {left:,.0f} s to go")
