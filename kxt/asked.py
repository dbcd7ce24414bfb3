"""Options that several commands have."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import typer

from kxt.words import both

Category = Annotated[
    Literal["otp", "notice", "marketing"] | None,
    typer.Option(help=both("What it is for; otp goes first.", "用途；otp 优先。"), show_choices=True),
]
Moment = Annotated[
    str | None,
    typer.Option(
        "--at",
        metavar="'yyyy-MM-dd HH:mm:ss'",
        help=both("When to send, Beijing time.", "何时发送，北京时间。"),
    ),
]
Hold = Annotated[
    bool,
    typer.Option(
        "--hold",
        help=both("Keep it here until --at, so that it can be cancelled.", "在 --at 之前留在这里，可以取消。"),
    ),
]
ValidUntil = Annotated[
    str | None,
    typer.Option(
        metavar="'yyyy-MM-dd HH:mm:ss'",
        help=both("What is not accepted by then is never sent.", "到时仍未被接受的不再发送。"),
    ),
]
DailyBegin = Annotated[
    str | None,
    typer.Option(metavar="HH:mm:ss", help=both("Not before this time of day.", "每天不早于此时。")),
]
DailyEnd = Annotated[
    str | None,
    typer.Option(metavar="HH:mm:ss", help=both("Not after this time of day.", "每天不晚于此时。")),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a send is for, and when it may go: asked for alike wherever something is enqueued."""

    category: Category = None
    at: Moment = None
    hold: Hold = False
    daily_begin: DailyBegin = None
    daily_end: DailyEnd = None
    valid_until: ValidUntil = None

    def fields(self) -> dict[str, Any]:
        """Return them by the names of a send's fields; ``None`` is a field left out."""
        return {
            "category": self.category,
            "atTime": self.at,
            "hold": self.hold or None,
            "dailyBeginTime": self.daily_begin,
            "dailyEndTime": self.daily_end,
            "validUntil": self.valid_until,
        }


Label = Annotated[
    str | None,
    typer.Option(metavar="CAMPAIGN", help=both("A label that many sends share.", "许多发送共用的标签。")),
]
