"""``kxt cancel`` and ``kxt confirm``: what ends a send, and what settles one."""

from typing import Annotated

import typer

from kuaixintong.cancel import StoppedCampaign
from kuaixintong.core.ledger import State
from kxt.app import app
from kxt.pictures import counted, in_a_line
from kxt.shell import Misused, Shell, Told, Yes, command, helped
from kxt.words import both


@command(
    app,
    "cancel",
    helped(
        "End a send, or a whole campaign, as far as it is still ours.\n\n"
        "What is with the platform already cannot be recalled; each part says how it stands. A send that nobody "
        "has seen yet is cancelled when it comes.",
        "取消一条发送或整个活动中尚未提交平台的部分。\n\n已交给平台的无法撤回；各分段会说明状态。\n尚未处理到的发送，到时也会取消。",
        "kxt cancel order-4711",
        "kxt cancel --campaign spring-2026",
    ),
)
def cancel(
    shell: Shell,
    send_id: Annotated[str | None, typer.Argument(metavar="ID", help=both("The send.", "发送的编号。"))] = None,
    campaign: Annotated[
        str | None, typer.Option("--campaign", "-c", metavar="C", help=both("All of a campaign.", "整个活动。"))
    ] = None,
    yes: Yes = False,
) -> None:
    """End a send or a campaign."""
    if (send_id is None) == (campaign is None):
        raise Misused(
            both("Name a send, or a campaign with --campaign.", "请指明发送，或用 --campaign 指明活动。")
        )
    if campaign is not None:
        _cancel_campaign(shell, campaign, yes=yes)
        return
    assert send_id is not None
    told = shell.stack.canceller.cancel(send_id)
    shell.table(
        ("part", "state"),
        [
            (part, f"{state}{both(' (a request is out)', '（请求已发出）') if part in told.under_way else ''}")
            for part, state in told.parts.items()
        ],
    )
    shell.give(told)
    if told.unseen:
        shell.say(
            both(
                f"Nothing had come under {send_id} yet; it is cancelled when it comes. A send too large for one "
                f"message was enqueued as {send_id}:1, {send_id}:2 …: kxt cancel --campaign {send_id}",
                f"尚未见到 {send_id}；到时会被取消。若因过大而拆成 {send_id}:1、{send_id}:2 …，"
                f"请改用：kxt cancel --campaign {send_id}",
            )
        )
    if any(state is not State.CANCELLED for state in told.parts.values()):
        raise Told(
            both(
                f"Not all of it could be ended: what the platform has accepted cannot be recalled. "
                f"How it stands: kxt show {send_id}",
                f"没有全部取消：平台已受理的无法撤回。现状：kxt show {send_id}",
            )
        )


def _cancel_campaign(shell: Shell, campaign: str, *, yes: bool) -> None:
    counts = shell.stack.lookup.counts_of_campaign(campaign)
    states = in_a_line(counted(counts.states)) or both("nothing yet", "还没有")
    shell.say(both(f"{counts.sends} send(s): {states}", f"{counts.sends} 条发送：{states}"))
    shell.sure(
        both(
            f"End what is open of {campaign}, and all that comes under it later, for good?",
            f"取消 {campaign} 中未完成的部分，以及今后归入它的一切，不可恢复？",
        ),
        yes=yes,
    )
    try:
        with shell.err.status(both("Ending; it takes half a minute", "正在取消，约需半分钟")) as shown:
            told = shell.stack.canceller.cancel_campaign(
                campaign, progress=lambda stopped: shown.update(_shown(stopped))
            )
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            both(
                "Stopped looking. The campaign stays cancelled: nothing new goes out. Run it again to see more.",
                "不再查看。活动保持取消状态，不会有新的发送。再运行一次可看到最终结果。",
            )
        ) from None
    shell.table(("state", "parts"), counted(told.states))
    shell.give(told)


def _shown(stopped: StoppedCampaign) -> str:
    under_way = both(f"; {stopped.under_way} under way", f"；{stopped.under_way} 条途中")
    return in_a_line(counted(stopped.states)) + (under_way if stopped.under_way else "")


@command(
    app,
    "confirm",
    helped(
        "Settle an unconfirmed part by what the platform's staff say.\n\n"
        "Ask them about the timestamp that kxt attention shows. Accepted: its token. Not accepted: who said so; "
        "nothing is sent again by itself.",
        "按平台人员的答复处理未确认的分段。\n\n"
        "向他们询问 kxt attention 列出的时间戳。\n"
        "已受理：填写其 token；未受理：填写是谁说的。\n系统不会自动重发。",
        "kxt confirm order-4711 1 --token 377",
        "kxt confirm order-4711 1 --not-accepted --by '王芳, 快信通'",
    ),
)
def confirm(
    shell: Shell,
    send_id: Annotated[str, typer.Argument(metavar="ID", help=both("The send.", "发送的编号。"))],
    part: Annotated[str, typer.Argument(metavar="PART", help=both("The part: 1, 2, 1.1 …", "分段：1、2、1.1 …"))],
    token: Annotated[
        str | None,
        typer.Option("--token", metavar="T", help=both("It was accepted, as this.", "已受理，token 为此。")),
    ] = None,
    not_accepted: Annotated[
        bool, typer.Option("--not-accepted", help=both("It was not accepted.", "未被受理。"))
    ] = False,
    by: Annotated[str | None, typer.Option("--by", metavar="WHO", help=both("Who said so.", "谁说的。"))] = None,
) -> None:
    """Settle a part."""
    if (token is not None) == not_accepted:
        raise Misused(both("Say --token T or --not-accepted.", "请用 --token T 或 --not-accepted。"))
    if not_accepted and not by:
        raise Misused(both("--not-accepted wants --by: who said so.", "--not-accepted 需要 --by：谁说的。"))
    confirmer = shell.stack.confirmer
    if token is not None:
        confirmer.accepted(send_id, part, token)
        shell.say(
            both(
                f"{send_id}, part {part}: ACCEPTED, token {token}",
                f"{send_id} 第 {part} 分段：ACCEPTED，token {token}",
            ),
            "green",
        )
    else:
        confirmer.not_accepted(send_id, part, by=by or "")
        shell.say(both(f"{send_id}, part {part}: REJECTED", f"{send_id} 第 {part} 分段：REJECTED"), "green")
        shell.say(
            both(
                f"To send it after all: kxt send MOBILE… --text … --id {send_id}-again",
                f"如需补发：kxt send 手机号… --text … --id {send_id}-again",
            )
        )
    shell.give(
        {"send_id": send_id, "part": part, "state": "REJECTED" if not_accepted else "ACCEPTED", "token": token}
    )
