"""The platform's time.

The platform lives in China Standard Time, UTC+8 all year, so a fixed offset is enough. Its timestamps are
18 digits, ``yyyyMMddHHmmssNNNN`` (spec 2.1), and unique per request. Here the last four digits count
ten-thousandths of a second: a timestamp is then an integer clock reading, a *tick*, and "unique" becomes
"strictly rising", which one conditional counter can guarantee.
"""

from datetime import UTC, datetime, timedelta, timezone

BEIJING = timezone(timedelta(hours=8))

TICKS_PER_SECOND = 10_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICK = timedelta(seconds=1) / TICKS_PER_SECOND

_SPEC_FORMAT = "%Y-%m-%d %H:%M:%S"


def ticks(moment: datetime) -> int:
    """Return the tick of an aware ``moment``: ten-thousandths of a second since 1970, cut off, not rounded."""
    return (moment - _EPOCH) // _TICK


def timestamp(tick: int) -> str:
    """Return the platform's 18-digit timestamp of a tick (spec 2.1), in Beijing time."""
    seconds, fraction = divmod(tick, TICKS_PER_SECOND)
    return datetime.fromtimestamp(seconds, BEIJING).strftime("%Y%m%d%H%M%S") + f"{fraction:04d}"


def moment(tick: int) -> datetime:
    """Return the moment of a tick."""
    return (_EPOCH + tick * _TICK).astimezone(BEIJING)


def day_begins(moment_: datetime) -> datetime:
    """Return when the Beijing day of an aware moment began."""
    return moment_.astimezone(BEIJING).replace(hour=0, minute=0, second=0, microsecond=0)


def parse(text: str) -> datetime:
    """Read ``yyyy-MM-dd HH:mm:ss`` as Beijing time (spec 3.1, atTime).

    Raises ``ValueError`` unless all 19 characters are there and the date exists.
    """
    moment = datetime.strptime(f"{text}+0800", f"{_SPEC_FORMAT}%z")
    if moment.strftime(_SPEC_FORMAT) != text:
        raise ValueError(text)  # strptime takes 2015-4-1 too; the platform wants 19 characters
    return moment.astimezone(BEIJING)


def iso(moment: datetime) -> str:
    """Return ISO 8601 with milliseconds and the Beijing offset: fixed width, so that text order is time order."""
    return moment.astimezone(BEIJING).isoformat(timespec="milliseconds")


def day(moment: datetime) -> str:
    """Return the Beijing day of an aware ``moment``: ``yyyy-MM-dd``."""
    return moment.astimezone(BEIJING).date().isoformat()


def from_iso(text: str) -> datetime:
    """Read back what :func:`iso` wrote."""
    return datetime.fromisoformat(text)


def ahead(*, asked: datetime, told: datetime, answered: datetime) -> float:
    """Return by how many seconds a clock is ahead of another for certain; negative: behind, 0: neither is certain.

    The clock said ``asked`` and then ``answered``; in between, the other said ``told``, in whole seconds.
    """
    if asked > told + timedelta(seconds=1):
        return (asked - told).total_seconds() - 1
    return min((answered - told).total_seconds(), 0.0)
