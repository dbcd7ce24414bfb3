"""Questions: what became of a send."""

from typing import Annotated

import typer

from kxt.app import app
from kxt.pictures import show_send
from kxt.shell import Shell, Told, command, helped
from kxt.words import both

Everything = Annotated[
    bool, typer.Option("--all", help=both("List every mobile, however many.", "列出每个手机号，无论多少。"))
]


@command(
    app,
    "show",
    helped(
        "Show what became of a send.\n\nIts parts come first, then every mobile with its delivery status.",
        "显示一条发送的结果。\n\n先是各部分的状态，再是每个手机号的送达状态。",
        "kxt show order-4711",
        "kxt show order-4711 --json | jq .parts",
    ),
)
def show(
    shell: Shell,
    send_id: Annotated[str, typer.Argument(metavar="ID", help=both("The send's id.", "发送的编号。"))],
    everything: Everything = False,
) -> None:
    """Show one send."""
    status = shell.stack.lookup.delivery_status(send_id)
    if not status.parts:
        raise Told(
            both(
                f"No send is known as {send_id} in the stack {shell.stack.name}. One that was enqueued just now "
                "is known as soon as its lane has come to it: kxt account shows what waits.",
                f"栈 {shell.stack.name} 中没有编号为 {send_id} 的发送。刚提交的要等通道处理到它："
                "kxt account 可查看排队情况。",
            )
        )
    show_send(shell, status, everything=everything)
    shell.give(status)
