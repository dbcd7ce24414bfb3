"""Questions: what became of a send, of a mobile, of a campaign, of a day."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from kuaixintong.core import beijing
from kuaixintong.core.answers import Answered, CampaignCounts, Event, Fact, Reported, SendLine, Sent
from kuaixintong.core.ledger import State
from kuaixintong.core.mobiles import normalise
from kuaixintong.core.rails import What
from kuaixintong.exporting import write_statuses
from kuaixintong.waiting import until_settled
from kxt.app import app
from kxt.pictures import counted, cut, in_a_line, moment, show_send
from kxt.shell import Misused, Shell, Told, command, helped
from kxt.words import both

Everything = Annotated[
    bool, typer.Option("--all", help=both("List every mobile, however many.", "列出每个手机号，无论多少。"))
]
PageOf = Annotated[
    str | None, typer.Option("--page", metavar="TOKEN", help=both("The page after the last one.", "下一页。"))
]
Size = Annotated[int, typer.Option("--size", min=1, max=1000, help=both("Lines a page.", "每页行数。"))]


@command(
    app,
    "show",
    helped(
        "Show what became of a send.\n\n"
        "Its parts come first, then every mobile with its delivery status. --history tells all that happened.",
        "显示一条发送的结果。\n\n先是各分段的状态，再是每个手机号的送达状态。\n--history 列出全部经过。",
        "kxt show order-4711",
        "kxt show order-4711 --history",
        "kxt show order-4711 --json | jq .parts",
    ),
)
def show(
    shell: Shell,
    send_id: Annotated[str, typer.Argument(metavar="ID", help=both("The send's id.", "发送的编号。"))],
    history: Annotated[
        bool, typer.Option("--history", help=both("What happened, in order.", "按时间列出经过。"))
    ] = False,
    everything: Everything = False,
) -> None:
    """Show one send."""
    status = shell.stack.lookup.delivery_status(send_id)
    if not status.parts:
        raise Told(
            both(
                f"No send is known as {send_id} in the stack {shell.stack.name}. One that was enqueued just now "
                "is known as soon as its lane has come to it: kxt account shows what waits.",
                f"堆栈 {shell.stack.name} 中没有编号为 {send_id} 的发送。刚提交的要等通道处理到它："
                "kxt account 可查看排队情况。",
            )
        )
    if not history:
        show_send(shell, status, everything=everything)
        shell.give(status)
        return
    happened = shell.stack.lookup.history(send_id)
    shell.table(
        ("time", "part", "event", "code", "words", "mobiles"),
        [
            (
                each.at,
                each.part,
                each.event,
                each.code,
                each.words,
                each.mobile or (each.count if each.event == "report" else ""),
            )
            for each in happened
        ],
    )
    shell.give(happened)


@command(
    app,
    "who",
    helped(
        "Show everything to and from one mobile, newest first.",
        "显示与一个手机号往来的一切，最新的在前。",
        "kxt who 13708600860",
    ),
)
def who(
    shell: Shell,
    mobile: Annotated[str, typer.Argument(metavar="MOBILE", help=both("The mobile.", "手机号。"))],
    size: Size = 20,
    page: PageOf = None,
) -> None:
    """Show one mobile's conversation."""
    if normalise(mobile) is None:
        raise Misused(both(f"{mobile} is no mobile: 11 digits beginning with 1.", f"{mobile} 不是手机号。"))
    told = shell.stack.lookup.of_mobile(mobile, size=size, page=page)
    for fact in told.facts:
        if holds := _fact(fact):
            shell.say(holds, "yellow")
    shell.table(
        ("time", "what", "text", "id"),
        [_event(each) for each in told.events],
        empty=both("Nothing is known of this mobile.", "没有这个手机号的记录。"),
    )
    _more(shell, f"kxt who {mobile}", told.next)
    shell.give(told)


def _fact(fact: Fact) -> str:
    """Return what holds for a mobile now: who came back has not opted out, and counted codes are no news."""
    row = fact.row
    if fact.what == What.OPT_OUT and row.get("state") == "out":
        since = moment(row.get("changed_at"))
        return both(f"opted out of marketing, {since}", f"已退订营销短信，{since}")
    if fact.what == What.INVALID:
        day = row.get("refused_on", "")
        return both(f"refused by the platform as no number (310), {day}", f"平台认定为无效号码（310），{day}")
    return ""


def _event(event: Event) -> tuple[str, str, str, str]:
    at = moment(event.at)
    if isinstance(event, Sent):
        what = f"{event.delivery}" if event.state == State.ACCEPTED else f"{event.state or 'noted'}"
        return at, f"→ {what}", cut(event.reason or event.content or ""), event.send_id
    if isinstance(event, Reported):
        return (
            at,
            "report",
            f"{'delivered' if event.success else 'failed'} ({event.result_code})",
            event.send_id or "",
        )
    assert isinstance(event, Answered)
    return at, "← answer", cut(event.content), ""


@command(
    app,
    "campaign",
    helped(
        "Show how far a campaign is.\n\n"
        "--watch stays until nothing is open; --people counts what became of everybody; --export writes a row a "
        "person to a file.",
        "显示活动的进度。\n\n--watch 一直显示到全部有结果；--people 统计送达情况；\n--export 按每人一行写入文件。",
        "kxt campaign spring-2026 --watch",
        "kxt campaign spring-2026 --export spring.csv",
        "kxt campaign spring-2026 --sends",
    ),
)
def campaign(
    shell: Shell,
    name: Annotated[str, typer.Argument(metavar="C", help=both("The campaign.", "活动的名字。"))],
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help=both("Stay until it is done.", "直到完成。"))
    ] = False,
    people: Annotated[
        bool, typer.Option("--people", help=both("Count delivery statuses.", "统计送达状态。"))
    ] = False,
    sends: Annotated[bool, typer.Option("--sends", help=both("List its sends.", "列出其发送。"))] = False,
    export: Annotated[
        Path | None,
        typer.Option("--export", metavar="FILE", help=both("Write a row a person.", "写入文件，每人一行。")),
    ] = None,
    size: Size = 20,
    page: PageOf = None,
) -> None:
    """Show a campaign."""
    lookup = shell.stack.lookup
    line = lookup.campaign(name)
    if line is None:
        raise Told(
            both(
                f"No campaign is known as {name} in the stack {shell.stack.name}.",
                f"堆栈 {shell.stack.name} 中没有名为 {name} 的活动。",
            )
        )
    if export:
        rows = _export(shell, name, export)
        shell.give({"campaign": line, "exported": rows, "file": str(export)})
        return
    if people:
        _people(shell, name)
        return
    if sends:
        found = lookup.of_campaign(name, size=size, page=page)
        _sends(shell, found.items)
        _more(shell, f"kxt campaign {name} --sends", found.next)
        shell.give(found)
        return
    counts = _watched(shell, name) if watch else lookup.counts_of_campaign(name)
    shell.say(
        both(
            f"since {moment(line.created_at)}, by {line.source}",
            f"始于 {moment(line.created_at)}，来自 {line.source}",
        )
    )
    if line.cancelled_at:
        shell.say(both(f"cancelled {moment(line.cancelled_at)}", f"取消于 {moment(line.cancelled_at)}"), "yellow")
    shell.table(
        ("state", "parts"), counted(counts.states), empty=both("Nothing is known of it yet.", "还没有记录。")
    )
    shell.give({"campaign": line, "counts": counts})


def _watched(shell: Shell, name: str) -> CampaignCounts:
    """Look again and again until a campaign has settled; show it on a terminal."""
    view = shell.stack.account

    def queued() -> int:
        return sum(queue.waiting + queue.in_hand for lane, queue in view.queues().items() if lane)

    try:
        with shell.err.status("…") as shown:
            return until_settled(
                shell.stack.lookup,
                name,
                queued=queued,
                tell=lambda counts: shown.update(in_a_line(counted(counts.states)) or "…"),
            )
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            both("Stopped watching; the campaign goes on.", "不再显示；活动照常进行。")
        ) from None


def _people(shell: Shell, name: str) -> None:
    counts: Counter[str] = Counter()
    with shell.err.status(both("Asking for reports", "正在查询状态报告")) as shown:
        tell = lambda done: shown.update(both(f"{done} parts", f"{done} 个分段"))  # noqa: E731
        for each in shell.stack.lookup.statuses_of_campaign(name, progress=tell):
            counts[each.delivery] += 1
    shell.table(("status", "mobiles"), counts.most_common())
    shell.give(dict(counts))


def _export(shell: Shell, name: str, path: Path) -> int:
    with shell.err.status(both("Writing", "正在写入")) as shown:
        tell = lambda done: shown.update(both(f"{done} parts", f"{done} 个分段"))  # noqa: E731
        try:
            rows = write_statuses(path, shell.stack.lookup.statuses_of_campaign(name, progress=tell))
        except OSError as error:
            raise Told(
                both(f"{path} cannot be written: {error.strerror}.", f"无法写入 {path}：{error.strerror}。")
            ) from None
    shell.say(both(f"{rows} people are in {path}", f"{path} 中有 {rows} 人"), "green")
    return rows


@command(
    app,
    "today",
    helped(
        "Show a day's sends and campaigns, newest first.",
        "显示一天的发送和活动，最新的在前。",
        "kxt today",
        "kxt today --day 2026-11-24",
    ),
)
def today(
    shell: Shell,
    day: Annotated[
        str | None, typer.Option("--day", metavar="yyyy-MM-dd", help=both("Another day.", "另外一天。"))
    ] = None,
    size: Size = 20,
    page: PageOf = None,
) -> None:
    """Show a day."""
    if day is not None and not _is_day(day):
        raise Misused(both(f"{day} is no day: yyyy-MM-dd.", f"{day} 不是日期：yyyy-MM-dd。"))
    day = day or beijing.day(datetime.now(UTC))
    lookup = shell.stack.lookup
    campaigns = lookup.campaigns_of_day(day, size=1000).items if page is None else ()
    found = lookup.of_day(day, size=size, page=page)
    if campaigns:
        shell.table(
            ("campaign", "since", "by"),
            [(each.campaign, moment(each.created_at), each.source) for each in campaigns],
        )
        shell.line()
    _sends(shell, found.items)
    if not campaigns and not found.items:
        shell.say(
            both(
                f"Nothing was enqueued on {day}: kxt send enqueues something.",
                f"{day} 没有发送：kxt send 可提交。",
            )
        )
    _more(shell, f"kxt today --day {day}", found.next)
    shell.give({"day": day, "campaigns": campaigns, "sends": found.items, "next": found.next})


def _is_day(text: str) -> bool:
    try:
        return f"{datetime.strptime(text, '%Y-%m-%d').replace(tzinfo=UTC):%Y-%m-%d}" == text
    except ValueError:
        return False


def _sends(shell: Shell, lines: tuple[SendLine, ...]) -> None:
    shell.table(
        ("time", "id", "mobiles", "state", "text"),
        [
            (
                moment(each.created_at),
                each.send_id,
                each.mobile
                if each.mobiles == 1 and each.parts == 1
                else f"{each.mobiles}{'+' if each.parts > 1 else ''}",
                each.state or in_a_line(counted(each.states)),
                cut(each.content or ""),
            )
            for each in lines
        ],
    )


def _more(shell: Shell, line: str, token: str | None) -> None:
    if token:
        shell.say(both(f"There is more: {line} --page {token}", f"还有更多：{line} --page {token}"))
