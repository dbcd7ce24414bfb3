"""One push: who says to have sent it, its type and its ``jsonData`` (spec 4.4, 5.4), and how all of it is kept."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from kuaixintong.core.entries import Sorted, sort_out
from kuaixintong.core.errors import PushUnreadable
from kuaixintong.core.gateway import Request
from kuaixintong.core.parameters import parameters, without_passwords
from kuaixintong.core.unreadable import Kept, Unreadable, storable

_LONGEST_SHOWN = 100
"""Characters of ``type`` in a quarantine record; a longer one stands whole in the body or the query."""

_LONGEST_CONTENT_TYPE = 1_000
"""Characters of a content type in a quarantine record; the boundary of a multipart body is in it."""


@dataclass(frozen=True, slots=True)
class Push:
    """One push, its credentials judged and its ``jsonData`` not yet looked into.

    ``types`` are the different ones that it names, and ``arrays`` all its values of ``jsonData``.
    """

    types: tuple[str, ...]
    arrays: tuple[str, ...] = field(repr=False)
    request: Request = field(repr=False)

    def contents(self, in_time: Callable[[], None] = lambda: None) -> Sorted:
        """Return the messages in the push, and the entries that are none.

        Raises :class:`PushUnreadable` if there is no one type of the spec's, or any ``jsonData`` is no JSON array.
        ``in_time`` is called now and then; it raises when there is no time left.
        """
        if len(self.types) > 1:
            raise PushUnreadable("type stands there twice and says two things")
        if not self.arrays:
            raise PushUnreadable("jsonData is not a JSON array" if self.types else "type is neither report nor mo")
        return sort_out("".join(self.types), self.arrays, in_time)

    def unreadable(self, reason: str) -> Unreadable:
        """Return the whole push for quarantine: every byte as it came, but for the password."""
        request = without_passwords(self.request)
        return Unreadable(
            type=storable("".join(self.types[:1]), _LONGEST_SHOWN),
            kept=Kept.BODY,
            raw=request.body,
            reason=reason,
            query=request.query,
            content_type=storable(request.content_type, _LONGEST_CONTENT_TYPE),
        )


def read(request: Request, in_time: Callable[[], None] = lambda: None) -> Push:
    """Find the type and the ``jsonData`` of a push. ``in_time`` is called now and then."""
    found: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for each in parameters(request, in_time):
        found[each.name][each.value.strip()] = None
    types, arrays = (tuple(filter(None, found[name])) for name in ("type", "jsonData"))
    return Push(types, arrays, request)


def reread(record: Unreadable) -> Sorted:
    """Return the messages in what could not be read at the time. Raises :class:`PushUnreadable` as ever."""
    text = record.raw.decode("utf-8", "surrogateescape")
    match record.kept:
        case Kept.ENTRY | Kept.CONTRADICTION:
            return sort_out(record.type, [f"[{text}]"])
        case Kept.JSON_DATA:
            return sort_out(record.type, [text])
        case Kept.BODY:
            push = read(Request(record.query, record.content_type, record.raw))
            return replace(push, types=push.types or (record.type,)).contents()
