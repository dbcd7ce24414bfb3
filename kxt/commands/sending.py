"""``kxt send``: one send, from a line."""

import re
import sys
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from kuaixintong.core.ledger import State
from kuaixintong.producer import Enqueued, Preview, preview
from kuaixintong.status import DeliveryStatus
from kuaixintong.waiting import another_has_the_id, are_final, until_final
from kxt.app import app
from kxt.asked import Label, Terms
from kxt.pictures import show_send, state_of
from kxt.shell import FAILED, Misused, Shell, Told, command, helped
from kxt.words import both

_MOST_SHOWN = 10


@command(
    app,
    "send",
    helped(
        "Enqueue one send: one text for any number of mobiles.\n\n"
        "A mobile `-` reads mobiles from stdin. Before it goes, what it costs is told, and which mobiles cannot "
        "be used: the others are sent.",
        "提交一条发送：一段内容，任意多个手机号。\n\n"
        "手机号写 `-` 表示从标准输入读取。\n提交前先告知费用和不可用的号码，其余号码照常发送。",
        "kxt send 13708600860 18930612517 --text '周末培训取消'",
        "kxt send 13708600860 --text '验证码 123456' --category otp --wait",
        "kxt send - --text '明天停水' --id water-1126 < mobiles.txt",
    ),
)
def send(
    shell: Shell,
    mobiles: Annotated[list[str], typer.Argument(metavar="MOBILE", help=both("Mobiles.", "手机号。"))],
    text: Annotated[str, typer.Option("--text", "-t", metavar="TEXT", help=both("The text.", "短信内容。"))],
    send_id: Annotated[
        str | None,
        typer.Option(
            "--id", metavar="ID", help=both("Its id; enqueued twice, it is one send.", "编号；重复提交只算一条。")
        ),
    ] = None,
    *,
    terms: Terms,
    campaign: Label = None,
    wait: Annotated[
        bool, typer.Option("--wait", help=both("Wait until it is final.", "等到有最终结果。"))
    ] = False,
    timeout: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help=both("How long to wait at most.", "最多等待的秒数。")),
    ] = None,
) -> None:
    """Enqueue one send; with ``wait``, stay until it is final."""
    fields: dict[str, Any] = {
        "mobiles": [*_mobiles(mobiles)],
        "content": text,
        "id": send_id,
        "campaign": campaign,
        **terms.fields(),
    }
    told = preview(**fields)
    _tell(shell, told)
    if not told.mobiles:
        raise Told(both("No mobile can be used; nothing was enqueued.", "没有可用的手机号，没有提交。"))
    enqueued = shell.stack.outbox.send(**fields)
    if not wait:
        shell.line(enqueued.send_id)
        shell.give(enqueued)
        return
    _wait(shell, enqueued, told.parts, timeout)


def _wait(shell: Shell, enqueued: Enqueued, parts: int, timeout: float | None) -> None:
    try:
        statuses = _watched(shell, enqueued, parts, timeout)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            both(
                f"Stopped waiting. The send is enqueued and goes on: kxt show {enqueued.send_id}",
                f"不再等待。已提交，会继续发送：kxt show {enqueued.send_id}",
            )
        ) from None
    for status in statuses:
        show_send(shell, status)
    shell.give(statuses)
    if another_has_the_id(enqueued, statuses):
        raise Told(
            both(
                f"That is an earlier send under the id {enqueued.send_id}, with another payload. "
                "This one is refused: give it an id of its own.",
                f"以上是此前以编号 {enqueued.send_id} 提交的另一内容。本次会被拒绝：请换一个编号。",
            )
        )
    if not are_final(statuses, parts):
        raise Told(
            both(
                f"It is not final after {timeout:g} s; it goes on: kxt show {enqueued.send_id}",
                f"{timeout:g} 秒后仍无最终结果，发送会继续：kxt show {enqueued.send_id}",
            )
        )
    if not all(part.state == State.ACCEPTED for status in statuses for part in status.parts):
        raise typer.Exit(FAILED)


def _watched(shell: Shell, enqueued: Enqueued, parts: int, timeout: float | None) -> list[DeliveryStatus]:
    lookup = shell.stack.lookup
    if not shell.err.is_terminal:
        return until_final(lookup, enqueued.send_ids, parts=parts, seconds=timeout)
    with shell.err.status(both("Enqueued", "已提交")) as shown:
        return until_final(
            lookup,
            enqueued.send_ids,
            parts=parts,
            seconds=timeout,
            tell=lambda statuses: shown.update(state_of(statuses)),
        )


def _tell(shell: Shell, told: Preview) -> None:
    shell.say(
        both(
            f"{told.mobiles} mobile(s) × {told.segments} segment(s) = {told.cost} message(s), {told.lane} lane",
            f"{told.mobiles} 个手机号 × {told.segments} 段 = {told.cost} 条，{told.lane} 通道",
        )
    )
    for mobile in told.invalid_mobiles[:_MOST_SHOWN]:
        shell.say(both(f"not a mobile, left out: {mobile}", f"不是手机号，不发送：{mobile}"), "yellow")
    if (more := len(told.invalid_mobiles) - _MOST_SHOWN) > 0:
        shell.say(both(f"and {more} more", f"以及另外 {more} 个"), "yellow")


def _mobiles(given: list[str]) -> Iterator[str]:
    for mobile in given:
        if mobile == "-":
            if sys.stdin.isatty():
                raise Misused(
                    both("`-` reads mobiles from stdin; nothing comes.", "`-` 从标准输入读取，但没有输入。")
                )
            yield from filter(None, re.split(r"[,;，；\s]+", sys.stdin.read()))
        else:
            yield mobile
